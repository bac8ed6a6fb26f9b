"""The experiment: data, the two Keras networks, compiled training, evaluation; no Ray, no files."""

from raysweep.experiment.backend import keras_on_tensorflow

with keras_on_tensorflow():
    from raysweep.experiment.models import build_model
    from raysweep.experiment.runtime import configure_threads
    from raysweep.experiment.steps import CompiledSteps
    from raysweep.experiment.training import Training
    from raysweep.experiment.trial import run_trial

__all__ = ["CompiledSteps", "Training", "build_model", "configure_threads", "run_trial"]
