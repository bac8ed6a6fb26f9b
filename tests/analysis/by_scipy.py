"""The formula of docs/intervals.md again, in floating point and with SciPy's quantiles."""

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv, stdtrit


def interval_by_scipy(counts: Sequence[int], windows: int, sequences: int) -> tuple[float, float, float]:
    """Low end, high end and effective sample size.

    `counts` are the right ones of each cluster's windows, `sequences` those of all clusters together.
    """
    shares = np.array(counts) / windows
    k, p = len(shares), shares.mean()
    effective = float(sequences)
    if len(set(counts)) > 1:
        ratio = stdtrit(sequences - 1, 0.975) / stdtrit(k - 1, 0.975)
        effective = min(effective, ratio**2 * p * (1 - p) / (shares.var(ddof=1) / k))
    right, wrong = p * effective, (1 - p) * effective
    low = 0.0 if sum(counts) == 0 else betaincinv(right, wrong + 1, 0.025)
    high = 1.0 if sum(counts) == k * windows else betaincinv(right + 1, wrong, 0.975)
    return float(low), float(high), effective
