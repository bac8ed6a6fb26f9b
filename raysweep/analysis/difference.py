"""Confidence interval for the difference of two cells' exact-match: pure arithmetic on counts.

The cells have shares pA and pB with intervals lA to uA and lB to uB, and d = pB − pA. MOVER (method of
variance estimates recovery) combines the intervals::

    low  = d − √((pB − lB)² + (uA − pA)²)
    high = d + √((uB − pB)² + (pA − lA)²)

That is method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
proportions", Statistics in Medicine 17 (1998), 873–890, with any interval in place of Wilson's (G. Y. Zou,
A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008),
1693–1702).

independent
    The intervals are those of the report: over seeds or, if a cell has one seed, over its sequences.
paired
    For k seeds with differences dᵢ, the interval is Student's, d ± t(0.975, k − 1) · sd(dᵢ) / √k, but never
    narrower at either end than MOVER's for seeds that are all alike. In that case the report's intervals
    are those of Clopper and Pearson, with each sequence as one observation. So the interval never has zero
    width, and a few seeds that happen to agree do not prove a difference that their sequences cannot show.

Measured by `python -m benchmarks.differences`, and described in docs/intervals.md: Student's interval alone
contains the true difference of 0.99 and 1 in only 79 % of simulated cells with five seeds. MOVER alone,
with the report's intervals, mostly finds fewer differences, because both intervals allow for few seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final, Literal, NamedTuple

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.beta import beta_quantile, t_quantile
from raysweep.analysis.interval import TAIL
from raysweep.store.counts import TrialCounts

Method = Literal["paired", "independent"]

_FEWEST_PAIRS: Final = 2
"""Fewest seeds in both cells for a paired interval."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of the exact-match of two cells, B − A, with a 95 % interval."""

    exact_match_a: float
    """Share over `seeds_a`."""
    exact_match_b: float
    """Share over `seeds_b`."""
    seeds_a: tuple[int, ...]
    """Seeds of A that are compared; if paired, those that both cells have."""
    seeds_b: tuple[int, ...]
    method: Method
    low: float
    """Lower end of the interval, at least −1."""
    high: float
    """Upper end of the interval, at most 1."""

    @property
    def value(self) -> float:
        """The difference, −1 to 1."""
        return self.exact_match_b - self.exact_match_a

    @property
    def flagged(self) -> Literal["up", "down"] | None:
        """Direction of a difference beyond noise: its interval excludes 0."""
        return "up" if self.low > 0 else "down" if self.high < 0 else None


def difference(a: Cell, b: Cell) -> Difference | None:
    """Compare two cells; return None if either has no exact-match.

    The cells are paired over their common seeds if these are at least two, and at least half of the seeds
    of either cell. Otherwise the intervals of both are combined. A cell without an interval, which has one
    sequence only, could have any share.
    """
    if a.exact_match is None or b.exact_match is None:
        return None
    common = {*a.seeds} & {*b.seeds}
    if len(common) >= max(_FEWEST_PAIRS, len(a.seeds) / 2, len(b.seeds) / 2):
        return _paired(_of_seeds(a, common), _of_seeds(b, common))
    bounds_a, bounds_b = _bounds(a, a.exact_match), _bounds(b, b.exact_match)
    low, high = mover(bounds_a, bounds_b)
    return Difference(bounds_a.share, bounds_b.share, a.seeds, b.seeds, "independent", low, high)


class Bounds(NamedTuple):
    """A share and the ends of its interval."""

    low: float
    share: float
    high: float


def mover(a: Bounds, b: Bounds) -> tuple[float, float]:
    """Return the ends of the interval for B − A, by MOVER, within −1 to 1.

    >>> ends = mover(Bounds(0.4, 0.5, 0.6), Bounds(0.6, 0.8, 0.9))
    >>> tuple(round(end, 4) for end in ends)
    (0.0764, 0.4414)
    """
    d = b.share - a.share
    low = d - hypot(b.share - b.low, a.high - a.share)
    high = d + hypot(b.high - b.share, a.share - a.low)
    return max(low, -1.0), min(high, 1.0)


def _bounds(cell: Cell, share: float) -> Bounds:
    interval = cell.interval
    return Bounds(interval.low, share, interval.high) if interval else Bounds(0.0, share, 1.0)


def _of_seeds(cell: Cell, seeds: set[int]) -> list[TrialCounts]:
    return [counts for counts in cell.counts if counts.settings["seed"] in seeds]


def _paired(a: Sequence[TrialCounts], b: Sequence[TrialCounts]) -> Difference:
    """Compare replicates of the same seeds, at least two, in the same order."""
    differences = [
        one.exact / one.windows - other.exact / other.windows for one, other in zip(b, a, strict=True)
    ]
    k = len(differences)
    mean = sum(differences) / k
    spread = sqrt(sum((one - mean) ** 2 for one in differences) / (k - 1))
    half = t_quantile(1 - TAIL, k - 1) * spread / sqrt(k)
    bounds_a, bounds_b = _narrowest(a), _narrowest(b)
    low, high = mover(bounds_a, bounds_b)
    seeds = tuple(counts.settings["seed"] for counts in a)
    return Difference(
        bounds_a.share,
        bounds_b.share,
        seeds,
        seeds,
        "paired",
        low=max(min(low, mean - half), -1.0),
        high=min(max(high, mean + half), 1.0),
    )


def _narrowest(replicates: Sequence[TrialCounts]) -> Bounds:
    """Return the interval of Clopper and Pearson with each evaluation sequence as one observation."""
    total = sum(counts.exact for counts in replicates)
    windows = sum(counts.windows for counts in replicates)
    sequences = sum(counts.settings["eval_sequences"] for counts in replicates)
    right, wrong = (hits / windows * sequences for hits in (total, windows - total))
    return Bounds(
        low=beta_quantile(TAIL, right, wrong + 1) if right else 0.0,
        share=total / windows,
        high=1 - beta_quantile(TAIL, wrong, right + 1) if wrong else 1.0,
    )
