"""Confidence intervals for shares of exact windows: pure arithmetic on counts.

The unit of replication is the seed or, if there is one seed, the evaluation sequence; never the window,
because the windows of one sequence overlap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval for a mean share."""

    low: float
    """Lower end, not below 0."""
    high: float
    """Upper end, not above 1."""
    over: Literal["seeds", "sequences"]
    """Unit of replication: the means of several seeds, or of one seed's evaluation sequences."""
    n: int
    """Number of replicates; at least 2."""
    half_width: float
    """Half the width before the ends were cut to [0, 1]: the t quantile times the standard error."""


def interval_of_mean(
    hits: Sequence[int], windows: int, over: Literal["seeds", "sequences"]
) -> Interval | None:
    """Return Student's t interval for the mean of `hits[i] / windows`.

    Mean ± t(0.975, n − 1) · s / √n, with s the sample standard deviation (denominator n − 1); see e.g.
    Casella & Berger, Statistical Inference, 2nd ed., §9.2.1. The variance is computed from whole
    numbers, so that equal means give exactly zero. Deviation from the textbook: the ends are
    cut to [0, 1], where every share lies.

    Args:
        hits: (replicates,): exact windows of each replicate.
        windows: windows of each replicate, the same for all; at least 1.
        over: unit of replication.

    Returns:
        The interval; None if there are fewer than two replicates, or if all are equal, because an
        interval of zero width would claim certainty.

    >>> interval_of_mean([9, 10], 10, "seeds").half_width.__round__(4)
    0.6353
    >>> interval_of_mean([10, 10, 10], 10, "seeds") is None
    True
    """
    n = len(hits)
    if n < 2:
        return None
    total = sum(hits)
    spread = n * sum(hit * hit for hit in hits) - total * total  # n · (n − 1) · variance of the hits
    if spread == 0:
        return None
    mean = total / (n * windows)
    standard_error = math.sqrt(spread / (n * (n - 1)) / n) / windows
    half_width = _t_quantile(n - 1) * standard_error
    return Interval(max(0.0, mean - half_width), min(1.0, mean + half_width), over, n, half_width)


@cache
def _t_quantile(degrees_of_freedom: int) -> float:
    """Return the t for which P(|T| ≤ t) is `CONFIDENCE`, with T from Student's t distribution.

    The method is bisection of the angle θ = arctan(t / √ν). SciPy's `stdtrit` gives the same number, but
    its import takes a fifth of a second: longer than all computations of a report on a hundred trials.
    """
    below, above = 0.0, math.pi / 2
    while below < (angle := (below + above) / 2) < above:
        if _within(angle, degrees_of_freedom) < CONFIDENCE:
            below = angle
        else:
            above = angle
    return math.sqrt(degrees_of_freedom) * math.tan(above)


def _within(angle: float, degrees_of_freedom: int) -> float:
    """Return P(|T| < √ν tan θ) for whole ν.

    See Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3–4.

    >>> round(_within(math.pi / 4, 1), 12), round(_within(math.pi / 4, 2), 12)
    (0.5, 0.707106781187)
    """
    odd = degrees_of_freedom % 2
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(odd, degrees_of_freedom - 1, 2):
        total += term
        term *= cosine * cosine * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
