"""Confidence intervals for shares of exact windows: pure arithmetic on counts.

The method is Korn & Graubard's for proportions in clustered samples (Survey Methodology 24(2), 1998), in the
form of the US National Center for Health Statistics: the exact binomial interval of Clopper and Pearson, for
as many observations as the clusters are worth. The steps are those of Talih's implementation for the NCHS, in
the R package `surveytable` (`svyciprop_adjusted`): first the adjustment for the degrees of freedom, then the
limit to the size of the sample.

The clusters are the seeds or, if there is one seed, the evaluation sequences; never the windows, because the
windows of one sequence overlap.
"""

from dataclasses import dataclass
from typing import Final, Literal

from raysweep.analysis.beta import beta_quantile, t_quantile

TAIL: Final = 0.025
"""Probability beyond each end of a 95 % interval."""

METHOD: Final = "Korn-Graubard"

Over = Literal["seeds", "sequences"]
"""Clusters: other seeds, so other weights and data; or this one network on other sequences."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval for a share; never of zero width, never outside of 0 to 1."""

    low: float
    high: float
    over: Over
    n: int
    """Number of clusters; at least 2."""
    n_effective: float
    """Independent sequences that the clusters are worth."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Counts of one share: clusters of equal size, and how many of their windows are right."""

    total: int
    """Windows that are right, over all clusters."""
    squares: int
    """Sum over the clusters of the square of each one's windows that are right."""
    clusters: int
    windows: int
    """Windows of each cluster."""
    sequences: int
    """Evaluation sequences of all clusters together."""
    over: Over

    @property
    def share(self) -> float:
        """Share of the windows that are right."""
        return self.total / (self.clusters * self.windows)


def interval_of(hits: Hits) -> Interval | None:
    """Return the interval of a share; None if there is one cluster only.

    With k clusters of shares sᵢ and mean p, S sequences in all, and v = var(s, ddof 1) / k, the effective
    sample size is n* = min(S, r · p(1 − p)/v), with r = (t(0.975, S − 1) / t(0.975, k − 1))²; it is S if v
    is 0 or p is 0 or 1, which is decided in whole numbers. The ends are Beta⁻¹(0.025; x, n* − x + 1) and
    Beta⁻¹(0.975; x + 1, n* − x), with x = p · n*, and 0 and 1 if p is.

    >>> all_right = interval_of(Hits(1050, 50 * 21**2, 50, 21, 50, "sequences"))
    >>> round(all_right.low, 4), all_right.high, all_right.n_effective
    (0.9289, 1.0, 50)
    """
    k, total = hits.clusters, hits.total
    if k < 2:
        return None
    wrong = k * hits.windows - total
    n = _effective(hits, wrong)
    x, y = (hits / (total + wrong) * n for hits in (total, wrong))  # n* in all
    return Interval(
        low=beta_quantile(TAIL, x, y + 1) if total else 0.0,
        high=1 - beta_quantile(TAIL, y, x + 1) if wrong else 1.0,  # as exact near 1 as the other end near 0
        over=hits.over,
        n=k,
        n_effective=n,
    )


def _effective(hits: Hits, wrong: int) -> float:
    k = hits.clusters
    spread = k * hits.squares - hits.total**2  # k(k − 1) times the variance of the clusters' hits
    if not (hits.total and wrong and spread):
        return hits.sequences
    independent = hits.total * wrong * (k - 1) / spread  # p(1 − p)/v
    t_ratio = t_quantile(1 - TAIL, hits.sequences - 1) / t_quantile(1 - TAIL, k - 1)
    return min(hits.sequences, t_ratio**2 * independent)
