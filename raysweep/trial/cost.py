"""Runtime estimates of trials: the arithmetic of a network, scaled by measured trials if there are any.

One estimate serves the order of the trials (longest first), `plan` and a run's remaining time. The
assumed rates come from one core of an AVX-512 machine of 2024; another machine differs by some factor,
which the first measured trials give.
"""

import heapq
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from raysweep.architectures import architecture_of
from raysweep.trial.settings import TrialSettings

FLOPS_PER_S: Final = 60e9
"""Floating-point operations per second in matrix products of a few hundred rows and columns."""
ADAM_S_PER_WEIGHT: Final = 1e-9
"""Seconds to update one weight: its gradient and both of Adam's moments pass through memory."""
STEP_S: Final = 20e-6
"""Seconds of overhead in each unrolled timestep of each update; most of a small network's time."""
ROUND_S: Final = 4.0
"""Seconds of each further round: its workers import TensorFlow and trace again."""
START_S: Final = 10.0
"""Seconds before the first trial of a run trains: Ray starts, and workers import TensorFlow."""


def state_bytes(settings: TrialSettings) -> int:
    """Estimate the size of a trial's last training state: float32 weights, Adam's two slots, a curve."""
    return 4 * (3 * architecture_of(settings.arch).num_weights(settings) + 2 * settings.epochs)


def update_seconds(settings: TrialSettings) -> float:
    """Estimate one update's seconds: three passes (forward, two backward), 2 operations a multiplication."""
    architecture = architecture_of(settings.arch)
    arithmetic = 3 * 2 * architecture.multiplications(settings) / FLOPS_PER_S
    memory = architecture.num_weights(settings) * ADAM_S_PER_WEIGHT
    return arithmetic + memory + architecture.timesteps(settings) * STEP_S


def assumed_seconds(settings: TrialSettings, after: int = 0) -> float:
    """Estimate the seconds of a trial on the reference core: tracing, training and evaluation.

    Args:
        settings: the trial.
        after: epochs that are trained already.
    """
    left = max(settings.epochs - after, 0)
    update = update_seconds(settings)
    evaluated = settings.eval_sequences * (settings.windows // settings.batch_size)
    evaluations = 1
    if every := settings.eval_every:
        evaluations += (settings.epochs - 1) // every - max(after - 1, 0) // every
    updates = left * (settings.windows // settings.batch_size)
    return architecture_of(settings.arch).trace_s + updates * update + evaluations * evaluated * update / 3


class Measured(NamedTuple):
    """A finished trial and its seconds; a diverged trial ends early and is no measurement."""

    settings: TrialSettings
    seconds: float
    """Tracing, training and evaluation, on the trial's own core."""
    after: int = 0
    """Epochs that were trained already; the seconds are those of the rest."""


class RuntimeEstimate:
    """Estimate of the seconds that trials take on this machine.

    The assumed seconds are scaled by the ratio of measured to assumed seconds: of the trials that differ only
    in their seed if one is measured, else of the trials of the same architecture, else of all trials.

    Args:
        measured: the trials measured so far; `add` takes more as trials finish.

    >>> echo = TrialSettings(arch="echo", len=6, mem=16, seed=0)
    >>> estimate = RuntimeEstimate([Measured(echo, 2.5)])
    >>> round(estimate.seconds(echo.model_copy(update={"seed": 1})), 6)
    2.5
    """

    def __init__(self, measured: Iterable[Measured] = ()) -> None:
        """Start from the trials measured so far."""
        self.n_measured = 0
        self._sums: dict[object, tuple[float, float]] = {}
        for trial in measured:
            self.add(trial)

    def add(self, trial: Measured) -> None:
        """Add a finished trial; the cost does not grow with the number of trials."""
        assumed = assumed_seconds(trial.settings, trial.after)
        self.n_measured += 1
        for group in _groups(trial.settings):
            sums = self._sums.get(group, (0.0, 0.0))
            # Sums, not a mean of ratios: the long trials, which decide the estimate, weigh most.
            self._sums[group] = sums[0] + trial.seconds, sums[1] + assumed

    def seconds(self, settings: TrialSettings, after: int = 0) -> float:
        """Estimate the seconds of a trial on its own core: tracing, training and evaluation.

        Args:
            settings: the trial.
            after: epochs that are trained already.
        """
        assumed = assumed_seconds(settings, after)
        for group in _groups(settings):
            if group in self._sums:
                measured, expected = self._sums[group]
                return assumed * measured / expected
        return assumed


def _groups(settings: TrialSettings) -> tuple[object, ...]:
    """Return the keys of the groups that a trial's estimate may be taken from, the closest first."""
    return _all_but_seed(settings), settings.arch, "all"


_all_but_seed = attrgetter(*(name for name in TrialSettings.model_fields if name != "seed"))


def makespan(durations: Iterable[float], slots: int) -> float:
    """Estimate the seconds of one round of trials.

    Args:
        durations: seconds of each trial, in any order.
        slots: number of trials that train at once.

    Returns:
        The length of the schedule that, like a run, gives the longest remaining trial to the first free slot
        (Graham's LPT rule); 0 without trials.
    """
    longest_first = sorted(durations, reverse=True)
    if not longest_first:
        return 0.0
    busy_until = [0.0] * min(slots, len(longest_first))
    for duration in longest_first:
        heapq.heapreplace(busy_until, busy_until[0] + duration)
    return max(busy_until)
