"""Forecast of a run: what is missing of a grid, what it goes on from, and how long it takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from raysweep.grid import Grid
from raysweep.trial.cost import ROUND_S, START_S, RuntimeEstimate, makespan
from raysweep.trial.head_start import HeadStart, head_starts, in_rounds
from raysweep.trial.settings import TrialSettings
from raysweep.trial.state_index import StateIndex


@dataclass(frozen=True)
class Forecast:
    """What is missing of a grid, and how long it takes."""

    missing: Mapping[str, TrialSettings]
    """Trials to train now, by id."""
    reused: frozenset[str]
    """Trials that are not done and that other results folders have."""
    later: frozenset[str]
    """Trials that are not done and that this run leaves out (`--only`)."""
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

    @property
    def not_trained(self) -> frozenset[str]:
        """Trials that are not done and that this run does not train."""
        return self.reused | self.later

    def wall_seconds(self, slots: int) -> float:
        """Estimate the seconds from the command to the last result, if so many trials train at a time."""
        rounds = in_rounds(self.missing, self.head_starts)
        training = sum(makespan((self.seconds[one] for one in each), slots) for each in rounds)
        return START_S + ROUND_S * (len(rounds) - 1) + training


def forecast(
    grid: Grid,
    done: Collection[str],
    estimate: RuntimeEstimate,
    states: StateIndex,
    reusable: Collection[str] = (),
) -> Forecast:
    """Find out what is missing of a grid, and how long it takes.

    Args:
        grid: the grid to train.
        done: ids of committed trials, of this grid or not.
        estimate: estimated time of each trial.
        states: training states that trials can go on from.
        reusable: ids of trials that other results folders have.
    """
    selected = {trial.trial_id: trial for trial in grid.selected if trial.trial_id not in done}
    missing = {trial_id: trial for trial_id, trial in selected.items() if trial_id not in reusable}
    starts = head_starts(missing.values(), states.epochs, keep_state=grid.keep_state)
    finished = [trial for trial in grid.trials if trial.trial_id in done] if grid.keep_state else []
    others = {trial.trial_id for trial in grid.trials} - selected.keys()
    return Forecast(
        missing=missing,
        reused=frozenset(selected.keys() - missing.keys()),
        later=frozenset(trial_id for trial_id in others if trial_id not in done),
        seconds={one: estimate.seconds(trial, starts[one].epochs) for one, trial in missing.items()},
        head_starts=starts,
        measured=estimate.n_measured,
        unusable=states.unusable(missing.values()),
        stateless=sum(not states.has_own(trial) for trial in finished),
    )
