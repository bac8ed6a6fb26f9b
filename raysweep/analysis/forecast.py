"""Forecast of a run: what is missing of a grid, what it goes on from, and how long it takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from raysweep.grid import Grid
from raysweep.trial.cost import RuntimeEstimate
from raysweep.trial.head_start import HeadStart, head_starts
from raysweep.trial.settings import TrialSettings
from raysweep.trial.state_index import StateIndex


@dataclass(frozen=True)
class Forecast:
    """What is missing of a grid, and how long it takes."""

    missing: Mapping[str, TrialSettings]
    """Trials to train, by id."""
    seconds: Mapping[str, float]
    """Estimated seconds of each missing trial on its own core, by id."""
    head_starts: Mapping[str, HeadStart]
    """What each missing trial goes on from, by id."""
    measured: int
    """Trials on whose runtimes the estimate is based."""
    unusable: Mapping[str, int]
    """Numbers of saved states that missing trials cannot go on from, by the reason."""
    stateless: int
    """Finished trials that have kept no state, of a grid that asks for it."""


def forecast(grid: Grid, done: Collection[str], estimate: RuntimeEstimate, states: StateIndex) -> Forecast:
    """Find out what is missing of a grid, and how long it takes.

    Args:
        grid: the grid to train.
        done: ids of committed trials, of this grid or not.
        estimate: estimated time of each trial.
        states: training states that trials can go on from.
    """
    missing = {trial.trial_id: trial for trial in grid.trials if trial.trial_id not in done}
    starts = head_starts(missing.values(), states.epochs, keep_state=grid.keep_state)
    seconds = {one: estimate.seconds(trial, starts[one].epochs) for one, trial in missing.items()}
    unusable = states.unusable(missing.values())
    finished = [trial for trial in grid.trials if trial.trial_id in done] if grid.keep_state else []
    stateless = sum(not states.has_own(trial) for trial in finished)
    return Forecast(missing, seconds, starts, estimate.n_measured, unusable, stateless)
