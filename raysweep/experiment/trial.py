"""The experiment, top to bottom: one trial in a plain Python session, without Ray and without files."""

from raysweep.experiment.runtime import configure_threads
from raysweep.experiment.training import Training
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings


def run_trial(settings: TrialSettings) -> TrialResult:
    """Train one network and evaluate it on sequences it has never seen.

    The first call of a process gives TensorFlow one thread, unless it runs already.

    >>> result = run_trial(TrialSettings(arch="echo", len=2, mem=8, seed=0, epochs=3, eval_sequences=2))
    >>> result.status, result.updates, result.predictions.predicted.shape
    ('done', 12, (40, 2))
    """
    configure_threads(1)
    training = Training(settings)  # draws the initial weights of the seed and compiles the loop
    while not training.finished:
        training.advance(seconds=60)  # one fresh random sequence an epoch, drawn within the compiled loop
    return training.result()
