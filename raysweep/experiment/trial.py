"""The experiment, top to bottom: one trial in a plain Python session, without Ray and without files."""

from raysweep.experiment.network_module import NetworkFunction
from raysweep.experiment.runtime import configure_threads
from raysweep.experiment.training import Training
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings


def run_trial(settings: TrialSettings, network: NetworkFunction | None = None) -> TrialResult:
    """Train one network and evaluate it on held-out sequences.

    Args:
        settings: the trial.
        network: the function of a user's network; None for a built-in one.

    Raises:
        UsageError: the settings are not of the network's function.
        NetworkError: the function fails, or its model cannot be trained.

    The first call in a process limits TensorFlow to one thread, unless TensorFlow runs already.

    >>> result = run_trial(TrialSettings(arch="echo", len=2, mem=8, seed=0, epochs=3, eval_sequences=2))
    >>> result.status, result.updates, result.predictions.predicted.shape
    ('done', 12, (40, 2))
    """
    configure_threads(1)
    training = Training(settings, network=network)  # draws initial weights, compiles the loop
    while not training.finished:
        training.advance(seconds=60)  # one fresh random sequence per epoch, drawn within the compiled loop
    return training.result()
