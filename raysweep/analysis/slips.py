"""Slips: what wrong positions say instead, pooled over the replicates of a cell."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from raysweep.store.counts import TrialCounts
from raysweep.trial.outcome import Slips

NOTABLE: Final = 0.1
"""Share of the wrong positions from which one distance is worth naming."""


@dataclass(frozen=True, slots=True)
class PooledSlips:
    """Wrong positions of a cell, counted over windows and seeds; whole numbers."""

    answer: Mapping[int, int]
    """Positions that say another integer of the answer, by its distance; −1: the one before."""
    window: Mapping[int, int]
    """Positions that say an integer of the window behind the answer, by its distance."""
    none: int
    """Positions that say no integer of the window."""

    @property
    def wrong(self) -> int:
        """Number of wrong positions."""
        return sum(self.answer.values()) + sum(self.window.values()) + self.none

    @property
    def by_distance(self) -> dict[int, int]:
        """Positions that say another integer of answer or window, by its distance, ascending."""
        return dict(sorted((Counter(self.answer) + Counter(self.window)).items()))

    def shares(self) -> tuple[float, float, float]:
        """Return the shares of the wrong positions: another of the answer, of the window, none of it.

        Raises:
            ZeroDivisionError: nothing is wrong.
        """
        answer, window = sum(self.answer.values()), sum(self.window.values())
        return answer / self.wrong, window / self.wrong, self.none / self.wrong

    def most_often(self) -> tuple[int, float] | None:
        """Return the most frequent distance and its share of the wrong positions; None if it is not notable.

        Of equally frequent distances it is the nearest, and of two as near the earlier.
        """
        if not self.wrong:
            return None
        by_distance = self.by_distance
        if not by_distance:
            return None
        distance = min(by_distance, key=lambda one: (-by_distance[one], abs(one), one))
        share = by_distance[distance] / self.wrong
        return (distance, share) if share >= NOTABLE else None


def pooled_slips(replicates: Sequence[TrialCounts]) -> PooledSlips | None:
    """Pool the slips of a cell's replicates; None without replicates."""
    each = [one.slips for one in replicates if one.slips is not None]
    return _pooled(each) if each else None


def _pooled(each: Sequence[Slips]) -> PooledSlips:
    answer: Counter[int] = Counter()
    window: Counter[int] = Counter()
    for one in each:
        answer.update(dict(one.answer))
        window.update(dict(one.window))
    return PooledSlips(
        dict(sorted(answer.items())), dict(sorted(window.items())), sum(one.none for one in each)
    )
