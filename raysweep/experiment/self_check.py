"""Self-check of a user's network: does the same training give the same bytes?

A layer that draws random numbers from a source that no seed keys (`tf.random.normal`, say) trains, but not
reproducibly. The first trial of a shape finds out, before it begins.
"""

from typing import Any

import numpy as np

from raysweep.experiment.learner import Learner
from raysweep.experiment.sequences import evaluation_sequence
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
    learner.train(after=0, epochs=1)
    saved = learner.arrays()
    learner.evaluate(sequences)
    learner.load(saved)
    learner.train(after=1, epochs=1)
    in_two = [*learner.arrays(), *learner.evaluate(sequences)]

    learner.load(begun)
    return all(_bytes(one) == _bytes(other) for one, other in zip(in_one_go, in_two, strict=True))


def _bytes(array: Any) -> bytes:
    return np.asarray(array).tobytes()
