"""What a trial costs: the arithmetic of its network, scaled by measured trials where there are some.

One estimate serves the order of the trials (longest first), `plan` and the time left of a run. The
assumed rates come from one core of an AVX-512 machine of 2024; another machine differs by some factor,
which the first measured trials give. Counted are the multiplications that cannot be avoided: a one-hot
input times a kernel is a row look-up, and the encoder's repeated output is projected once.
"""

import heapq
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from raysweep.trial.settings import TrialSettings

FLOPS_PER_S: Final = 60e9
"""Floating-point operations a second in matrix products of a few hundred rows and columns."""
ADAM_S_PER_WEIGHT: Final = 1e-9
"""Seconds to update one weight: its gradient and both of Adam's moments pass through memory."""
STEP_S: Final = 20e-6
"""Seconds of overhead in each unrolled timestep of each update; most of a small network's time."""
TRACE_S: Final = 0.5
"""Seconds to trace a trial's compiled steps, some of which share them."""
START_S: Final = 10.0
"""Seconds before the first trial trains: Ray starts, and workers import TensorFlow."""


def forward_multiplications(settings: TrialSettings) -> int:
    """Count the multiplications of one batch's forward pass.

    An LSTM of M units multiplies M × 4M at every timestep; its input costs nothing (one-hot) or as
    much again, once (the repeated vector); the softmax layer multiplies M × vocab at every timestep out.

    >>> forward_multiplications(TrialSettings(arch="echo", len=6, mem=16, seed=0))
    78720
    """
    recurrent = 4 * settings.mem**2
    steps = settings.len if settings.arch == "echo" else settings.n_in + 1 + settings.len
    return settings.batch_size * (steps * recurrent + settings.len * settings.mem * settings.vocab)


def num_weights(settings: TrialSettings) -> int:
    """Count the trained weights: kernels, recurrent kernels and biases.

    >>> num_weights(TrialSettings(arch="echo", len=6, mem=16, seed=0))
    9188
    """
    mem, vocab = settings.mem, settings.vocab
    lstm = 4 * mem * (vocab + mem + 1)
    decoder = 4 * mem * (mem + mem + 1) if settings.arch == "seq2seq" else 0
    return lstm + decoder + (mem + 1) * vocab


def update_seconds(settings: TrialSettings) -> float:
    """Estimate one update: three passes (forward, two backward) of two operations a multiplication."""
    steps = settings.len if settings.arch == "echo" else settings.n_in + settings.len
    arithmetic = 3 * 2 * forward_multiplications(settings) / FLOPS_PER_S
    return arithmetic + num_weights(settings) * ADAM_S_PER_WEIGHT + steps * STEP_S


def assumed_seconds(settings: TrialSettings) -> float:
    """Estimate a trial on one core of the reference machine: tracing, training and evaluation."""
    update = update_seconds(settings)
    evaluated = settings.eval_sequences * (settings.windows // settings.batch_size)
    return TRACE_S + settings.updates * update + evaluated * update / 3


class Measured(NamedTuple):
    """What a finished trial took; a diverged one ended early and says nothing."""

    settings: TrialSettings
    seconds: float
    """Tracing, training and evaluation, on its own core."""


class RuntimeEstimate:
    """Seconds that trials take here.

    The assumed seconds are scaled by measured over assumed: of the trials that differ only in their
    seed where one is measured, else of the same architecture, else of all.

    Args:
        measured: what is known already; `add` takes more as trials finish.

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
        """Learn from a finished trial; as cheap for the last of a sweep as for the first."""
        assumed = assumed_seconds(trial.settings)
        self.n_measured += 1
        for kin in _kin(trial.settings):
            sums = self._sums.get(kin, (0.0, 0.0))
            # Sums, not a mean of ratios: the long trials, which decide the estimate, weigh most.
            self._sums[kin] = sums[0] + trial.seconds, sums[1] + assumed

    def seconds(self, settings: TrialSettings) -> float:
        """Estimate the seconds of a trial on its own core: tracing, training and evaluation."""
        assumed = assumed_seconds(settings)
        for kin in _kin(settings):
            if kin in self._sums:
                measured, expected = self._sums[kin]
                return assumed * measured / expected
        return assumed


def _kin(settings: TrialSettings) -> tuple[object, ...]:
    """Name the groups of trials that a trial's estimate is taken from, the closest first."""
    return _all_but_seed(settings), settings.arch, "all"


_all_but_seed = attrgetter(*(name for name in TrialSettings.model_fields if name != "seed"))


def longest_first(trials: Iterable[TrialSettings], estimate: RuntimeEstimate) -> list[TrialSettings]:
    """Order trials so that none of the long ones is left for the end; equals keep their order."""
    return sorted(trials, key=estimate.seconds, reverse=True)


def makespan(trials: Iterable[TrialSettings], estimate: RuntimeEstimate, slots: int) -> float:
    """Estimate the seconds from the command to the last result.

    Args:
        trials: those still to train, in any order.
        estimate: what each takes.
        slots: how many train at once.

    Returns:
        The length of the schedule that gives the longest trial left to the first free slot (Graham's
        LPT rule, which is what a run does), and the start; 0 without trials.
    """
    durations = sorted(map(estimate.seconds, trials), reverse=True)
    if not durations:
        return 0.0
    busy_until = [0.0] * min(slots, len(durations))
    for duration in durations:
        heapq.heapreplace(busy_until, busy_until[0] + duration)
    return START_S + max(busy_until)
