"""raysweep: trains a grid of stateful Keras LSTM networks on Ray and reports what each can learn.

The command line is one interface, this is the other: a trial can be trained, evaluated and read in a plain
Python session, without Ray.

>>> import raysweep
>>> settings = raysweep.TrialSettings(arch="echo", len=2, mem=4, seed=0, epochs=3, eval_sequences=2)
>>> result = raysweep.run_trial(settings)
>>> result.predictions.predicted.shape  # (rows, n_out): 2 sequences of 20 windows
(40, 2)

Names are imported when they are first used: TensorFlow takes seconds, and reading results needs none of it.
"""

from importlib import import_module

TYPE_CHECKING = False  # not from `typing`: `python -m raysweep` is still to forget the current folder
if TYPE_CHECKING:
    from typing import Any, Final

    from raysweep.errors import RaysweepError
    from raysweep.experiment import Training, build_model, configure_threads, run_trial
    from raysweep.grid import Grid, read_grid
    from raysweep.sweep import Sweep, load
    from raysweep.trial.result import TrialResult
    from raysweep.trial.settings import TrialSettings

__all__ = [
    "Grid",
    "RaysweepError",
    "Sweep",
    "Training",
    "TrialResult",
    "TrialSettings",
    "build_model",
    "configure_threads",
    "load",
    "read_grid",
    "run_trial",
]

_HOMES: "Final" = {
    "Grid": "raysweep.grid",
    "RaysweepError": "raysweep.errors",
    "Sweep": "raysweep.sweep",
    "Training": "raysweep.experiment",
    "TrialResult": "raysweep.trial.result",
    "TrialSettings": "raysweep.trial.settings",
    "build_model": "raysweep.experiment",
    "configure_threads": "raysweep.experiment",
    "load": "raysweep.sweep",
    "read_grid": "raysweep.grid",
    "run_trial": "raysweep.experiment",
}


def __getattr__(name: str) -> "Any":
    """Import a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
