"""The experiment: data, Keras networks, compiled training, evaluation; no Ray, no files."""

import os

from raysweep.experiment.backend import keras_on_tensorflow

# Else TensorFlow warns at every update of some small networks.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with keras_on_tensorflow():
    from raysweep.experiment.compiled_steps import CompiledSteps
    from raysweep.experiment.models import build_model
    from raysweep.experiment.network_module import SourcedNetwork
    from raysweep.experiment.runtime import configure_threads
    from raysweep.experiment.training import Training
    from raysweep.experiment.trial import run_trial

__all__ = [
    "CompiledSteps",
    "SourcedNetwork",
    "Training",
    "build_model",
    "configure_threads",
    "run_trial",
]
