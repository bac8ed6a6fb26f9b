"""Self-checks of a user's network: does the same training give the same bytes?

A layer that draws random numbers from a source that no seed keys (`tf.random.normal`, say) trains, but not
reproducibly, and so does a function that draws from one (`numpy.random.default_rng()`). The first trial of a
shape finds out, before it begins.
"""

from typing import Any

import numpy as np

from raysweep.experiment.keras_session import KerasSession
from raysweep.experiment.learner import Learner
from raysweep.experiment.network_module import GivenNetwork, SourcedNetwork
from raysweep.experiment.own_network import build_network
from raysweep.experiment.sequences import evaluation_sequence, windows_of
from raysweep.trial.settings import TrialSettings


def is_deterministic(learner: Learner, settings: TrialSettings) -> bool:
    """Compare two epochs in one go with one epoch, an evaluation, a saved state, and one more epoch.

    The learner is left as it was.
    """
    begun = learner.arrays()
    sequences = np.stack([evaluation_sequence(settings, 0)])

    learner.train(after=0, epochs=2)
    in_one_go = [*learner.arrays(), *learner.evaluate(sequences)]

    learner.load(begun)
    first = learner.train(after=0, epochs=1)
    saved = learner.arrays()
    learner.evaluate(sequences)
    learner.load(saved)
    if np.isfinite(first.loss).all():
        learner.train(after=1, epochs=1)
    in_two = [*learner.arrays(), *learner.evaluate(sequences)]

    learner.load(begun)
    return all(_bytes(one) == _bytes(other) for one, other in zip(in_one_go, in_two, strict=True))


def builds_alike(settings: TrialSettings, network: SourcedNetwork | GivenNetwork) -> bool:
    """Compare two models that the network's function builds for the same trial, one after the other."""
    return _built(settings, network) == _built(settings, network)


def _built(settings: TrialSettings, network: SourcedNetwork | GivenNetwork) -> list[bytes]:
    """Return the bytes of a new model's variables and of what it predicts for some windows."""
    with KerasSession(settings.seed).use():
        model = build_network(settings, network)
        windows = windows_of(evaluation_sequence(settings, 0), settings.n_in)[: settings.batch_size]
        outputs = model(np.eye(settings.vocab, dtype=np.float32)[windows], training=False)
        return [_bytes(array) for array in (*model.get_weights(), outputs)]


def _bytes(array: Any) -> bytes:
    return np.asarray(array).tobytes()
