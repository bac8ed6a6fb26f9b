"""Evaluations of replicates: pooled over seeds, and the epochs until a level of exact-match is reached."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from raysweep.analysis.interval import Hits, Interval, interval_of
from raysweep.store.counts import TrialCounts
from raysweep.trial.outcome import Evaluation

REACH: Final = 0.99
"""Exact-match at which a length counts as learned, unless the user gives another level."""


@dataclass(frozen=True, slots=True)
class PooledEvaluation:
    """One evaluation of all replicates of a cell."""

    epoch: int
    exact_match: float
    """Share of windows that are right at every position, over all seeds."""
    interval: Interval | None
    """Confidence interval of `exact_match`; None for one seed with one evaluation sequence."""
    position_accuracy: tuple[float, ...]
    """(n_out,): share of windows that are right at each position, in order."""


def pooled(evaluations: Sequence[Evaluation], settings: Mapping[str, Any]) -> PooledEvaluation:
    """Pool the evaluations of some seeds after the same epoch."""
    sequences = settings["eval_sequences"]
    windows = sequences * settings["windows"]
    seeds = len(evaluations)
    if seeds > 1:
        hits = [one.exact for one in evaluations]
        counts = Hits(sum(hits), sum(n * n for n in hits), seeds, windows, seeds * sequences, "seeds")
    else:
        (only,) = evaluations
        counts = Hits(only.exact, only.exact_squares, sequences, settings["windows"], sequences, "sequences")
    right = zip(*(one.right for one in evaluations), strict=True)
    return PooledEvaluation(
        epoch=evaluations[0].epoch,
        exact_match=counts.share,
        interval=interval_of(counts),
        position_accuracy=tuple(sum(hits) / (seeds * windows) for hits in right),
    )


def pooled_curve(replicates: Sequence[TrialCounts]) -> Iterator[PooledEvaluation]:
    """Pool the replicates at every epoch after which all of them were evaluated."""
    at = [{one.epoch: one for one in counts.evaluations} for counts in replicates]
    for epoch in sorted(set(at[0]).intersection(*at[1:])) if at else ():
        yield pooled([of[epoch] for of in at], replicates[0].settings)


@dataclass(frozen=True, slots=True)
class EpochsToReach:
    """Epochs until a cell's replicates have a level of exact-match at two held-out evaluations in a row."""

    reach: float
    """The level, 0 to 1."""
    epochs: tuple[int, ...]
    """Epochs of the seeds that reached it, ascending."""
    limit: int
    """Epochs of each seed's whole training."""
    not_reached: int
    """Seeds that did not reach it in all their epochs."""
    diverged: int
    """Seeds whose training diverged, and which so never reach it."""

    @property
    def of(self) -> int:
        """Seeds with a result."""
        return len(self.epochs) + self.not_reached + self.diverged

    @property
    def median(self) -> float | None:
        """Median over the seeds; None if it is among those that did not reach the level."""
        return None if self.of // 2 >= len(self.epochs) else _median(self.epochs, self.of)

    @property
    def above(self) -> float | None:
        """Epochs that the median is above, if it is not reached; None if more epochs would not help.

        A seed that did not reach the level counts as above its epochs, one that diverged as never there.
        """
        known = [*self.epochs, *[self.limit] * self.not_reached]
        return None if self.of // 2 >= len(known) else _median(known, self.of)


def _median(ascending: Sequence[int], of: int) -> float:
    """Return the median of `of` numbers, of which the first ones are known."""
    middle = (ascending[(of - 1) // 2] + ascending[of // 2]) / 2
    return int(middle) if middle.is_integer() else middle


def epochs_to_reach(
    replicates: Sequence[TrialCounts], epochs: int, diverged: int, reach: float
) -> EpochsToReach:
    """Find the epochs until each replicate reaches a level.

    Args:
        replicates: the seeds that are done.
        epochs: of each seed's training.
        diverged: number of seeds whose training diverged.
        reach: level of exact-match, 0 to 1.
    """
    found = [_first_epoch(counts, reach) for counts in replicates]
    reached = tuple(sorted(epoch for epoch in found if epoch is not None))
    return EpochsToReach(reach, reached, epochs, len(found) - len(reached), diverged)


def _first_epoch(counts: TrialCounts, reach: float) -> int | None:
    """Return the first epoch with the level at its evaluation and at the next one, or at the last one.

    A single evaluation above the level is chance: curves cross it several times before they stay.
    """
    windows = counts.windows
    there = [one.exact / windows >= reach for one in counts.evaluations]
    for one, (now, then) in zip(counts.evaluations, pairwise([*there, there[-1]]), strict=True):
        if now and then:
            return one.epoch
    return None
