"""Intervals against numbers worked out by hand, and against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from raysweep.analysis.interval import interval_of_mean


@pytest.mark.parametrize("hits", [[], [3], [0, 0], [7, 7, 7], [10] * 50])
def test_no_interval_for_fewer_than_two_replicates_or_for_equal_ones(hits: list[int]) -> None:
    assert interval_of_mean(hits, 10, "seeds") is None


def test_two_replicates() -> None:
    # mean 0.45, s = 0.0707107, s / sqrt(2) = 0.05, t(0.975, 1) = 12.7062047
    interval = interval_of_mean([4, 5], 10, "seeds")
    assert interval is not None
    assert interval.half_width == pytest.approx(0.635310236, abs=1e-8)
    assert (interval.low, interval.high, interval.over, interval.n) == (0.0, 1.0, "seeds", 2)


def test_three_replicates() -> None:
    # mean 0.5, s = 0.1, s / sqrt(3) = 0.0577350, t(0.975, 2) = 4.3026527
    interval = interval_of_mean([4, 5, 6], 10, "sequences")
    assert interval is not None
    assert interval.low == pytest.approx(0.251586, abs=1e-6)
    assert interval.high == pytest.approx(0.748414, abs=1e-6)
    assert (interval.over, interval.n) == ("sequences", 3)


@pytest.mark.parametrize(("hits", "low", "high"), [([9, 10, 10], None, 1.0), ([0, 0, 1], 0.0, None)])
def test_only_the_end_beyond_all_shares_is_cut(
    hits: list[int], low: float | None, high: float | None
) -> None:
    # s = 0.0577350, s / sqrt(3) = 0.0333333, half a width of 0.1434218
    interval = interval_of_mean(hits, 10, "seeds")
    assert interval is not None
    mean = sum(hits) / 30
    assert interval.low == (low if low is not None else pytest.approx(mean - 0.143421757, abs=1e-8))
    assert interval.high == (high if high is not None else pytest.approx(mean + 0.143421757, abs=1e-8))
    assert interval.half_width == pytest.approx(0.143421757, abs=1e-8)


@given(
    st.integers(1, 2000).flatmap(
        lambda most: st.tuples(st.just(most), st.lists(st.integers(0, most), min_size=2))
    )
)
def test_equal_to_the_textbook_in_floating_point(case: tuple[int, list[int]]) -> None:
    windows, hits = case
    interval = interval_of_mean(hits, windows, "seeds")
    means = np.array(hits) / windows
    half_width = stdtrit(len(hits) - 1, 0.975) * means.std(ddof=1) / np.sqrt(len(hits))
    if len(set(hits)) == 1:
        assert interval is None
    else:
        assert interval is not None
        assert interval.half_width == pytest.approx(half_width, rel=1e-9)
        assert interval.low == pytest.approx(max(0, means.mean() - half_width), abs=1e-9)
        assert interval.high == pytest.approx(min(1, means.mean() + half_width), abs=1e-9)


@pytest.mark.parametrize("n", [*range(2, 60), 101, 1000, 1001])
def test_quantiles_are_those_of_scipy(n: int) -> None:
    hits = [0] * (n - 1) + [1]  # the standard error is 1 / n
    interval = interval_of_mean(hits, 1, "seeds")
    assert interval is not None
    assert interval.half_width * n == pytest.approx(stdtrit(n - 1, 0.975), rel=1e-10)
