"""Intervals against SciPy, against figures worked out by hand, and in simulated sweeps."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import betaincinv, stdtrit
from scipy.stats import binomtest

from benchmarks.coverage import coverage, edge
from raysweep.analysis.beta import beta_quantile, t_quantile
from raysweep.analysis.interval import Hits, Interval, Over, interval_of
from tests.analysis.by_scipy import interval_by_scipy

CLOSE = 1e-9
"""Allowed difference of an interval's end; two places of it are shown."""


def hits_of(counts: Sequence[int], windows: int, over: Over, sequences_each: int = 1) -> Hits:
    squares = sum(count * count for count in counts)
    return Hits(sum(counts), squares, len(counts), windows, len(counts) * sequences_each, over)


def interval(counts: Sequence[int], windows: int, over: Over, sequences_each: int = 1) -> Interval:
    found = interval_of(hits_of(counts, windows, over, sequences_each))
    assert found is not None
    return found


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[int], int, Over, int]:
    """Counts of 2 to 20 clusters, often nearly none or nearly all right; windows, kind, sequences of each."""
    over: Over = draw(st.sampled_from(["seeds", "sequences"]))
    sequences_each = draw(st.integers(1, 1000)) if over == "seeds" else 1
    windows = sequences_each * draw(st.integers(1, 1000))
    few = st.integers(0, min(2, windows))
    count = draw(st.sampled_from([few, few.map(lambda n: windows - n), st.integers(0, windows)]))
    counts = draw(st.lists(st.one_of(count, few), min_size=2, max_size=20))
    return counts, windows, over, sequences_each


@given(samples())
@example(([50, 0], 50, "seeds", 50))  # worth a fortieth of a sequence
@example(([10**6] * 19 + [0], 10**6, "seeds", 1000))
@example(([0] * 9 + [1], 500_000, "sequences", 1))
@example(([10**6] * 9 + [10**6 - 1], 10**6, "seeds", 50))
def test_equal_to_scipy(sample: tuple[list[int], int, Over, int]) -> None:
    counts, windows, over, sequences_each = sample
    found = interval(counts, windows, over, sequences_each)
    low, high, effective = interval_by_scipy(counts, windows, len(counts) * sequences_each)
    assert (found.over, found.n) == (over, len(counts))
    assert found.low == pytest.approx(low, abs=CLOSE)
    assert found.high == pytest.approx(high, abs=CLOSE)
    assert found.n_effective == pytest.approx(effective, rel=CLOSE)


@given(samples())
def test_never_of_zero_width_never_outside_of_0_to_1_and_around_the_share(
    sample: tuple[list[int], int, Over, int],
) -> None:
    counts, windows, over, sequences_each = sample
    hits = hits_of(counts, windows, over, sequences_each)
    found = interval_of(hits)
    assert found is not None
    assert 0 <= found.low <= hits.share <= found.high <= 1
    assert found.low < found.high
    assert (found.low == 0) == (sum(counts) == 0)
    assert found.n_effective <= hits.sequences


@given(samples())
def test_wrong_windows_have_the_mirrored_interval(sample: tuple[list[int], int, Over, int]) -> None:
    counts, windows, over, sequences_each = sample
    right = interval(counts, windows, over, sequences_each)
    wrong = interval([windows - count for count in counts], windows, over, sequences_each)
    assert wrong.low == pytest.approx(1 - right.high, abs=1e-15)
    assert wrong.high == pytest.approx(1 - right.low, abs=1e-15)


@pytest.mark.parametrize(("seeds", "low"), [(1, 0.93), (3, 0.976), (10, 0.993)])
def test_all_right(seeds: int, low: float) -> None:
    found = (
        interval([21] * 50, 21, "sequences")
        if seeds == 1
        else interval([1050] * seeds, 1050, "seeds", sequences_each=50)
    )
    assert found.low == pytest.approx(0.025 ** (1 / (50 * seeds)), abs=1e-12)  # P(all right) is 0.025 there
    assert round(found.low, len(str(low)) - 2) == low
    assert found.high == 1
    assert found.n_effective == 50 * seeds


def test_none_right() -> None:
    found = interval([0, 0, 0], 1050, "seeds", sequences_each=50)
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 150), abs=1e-12)


@pytest.mark.parametrize("right", [1, 3, 9, 10])
def test_equal_clusters_count_as_their_sequences(right: int) -> None:
    # 10 sequences with the same share: as `right` of 10 independent ones, by Clopper and Pearson.
    exact = binomtest(right, 10).proportion_ci(method="exact")
    for found in (interval([right] * 10, 10, "sequences"), interval([right * 5] * 2, 50, "seeds", 5)):
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=CLOSE)


def test_two_seeds_that_differ() -> None:
    # Shares 0.4 and 0.5 of 20 sequences each: v = 0.0025, p(1 - p)/v = 99;
    # t(0.975, 39) = 2.022691, t(0.975, 1) = 12.706205, so r = 0.0253412 and n* = 2.508780.
    found = interval([8, 10], 20, "seeds", sequences_each=20)
    assert found.n_effective == pytest.approx(2.508780, abs=1e-5)
    assert found.low == pytest.approx(betaincinv(0.45 * 2.508780, 0.55 * 2.508780 + 1, 0.025), abs=1e-6)
    assert found.high == pytest.approx(betaincinv(0.45 * 2.508780 + 1, 0.55 * 2.508780, 0.975), abs=1e-6)


def test_seeds_that_agree_better_than_chance_are_worth_no_more_than_their_sequences() -> None:
    # p(1 - p)/v = 0.25 / 0.0001 · 3 = 7,500, times r = 0.2109, is far above 150.
    assert interval([490, 500, 510], 1000, "seeds", sequences_each=50).n_effective == 150


def test_sequences_need_no_adjustment_for_degrees_of_freedom() -> None:
    # Shares 0, 0.5 and 1 with S = k: r = 1, v = 0.25 / 3, n* = 3.
    assert interval([0, 5, 10], 10, "sequences").n_effective == pytest.approx(3)


@pytest.mark.parametrize("count", [0, 7, 10])
def test_one_seed_of_one_sequence_has_none(count: int) -> None:
    assert interval_of(hits_of([count], 10, "sequences")) is None


def powers(lowest: int, highest: int) -> st.SearchStrategy[float]:
    return st.floats(lowest, highest).map(lambda power: 10.0**power)


@given(st.sampled_from([0.025, 0.5, 0.95, 0.975]), powers(-9, 8), powers(0, 8))
@example(0.95, 0.5, 5e7)  # Student's t with 100 million degrees of freedom
@example(0.975, 1e8, 1.0)
def test_quantiles_of_the_beta_distribution_are_those_of_scipy(
    probability: float, a: float, b: float
) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(betaincinv(a, b, probability), abs=CLOSE)


@given(powers(0, 8), powers(-12, 0))
def test_quantiles_at_hardly_any_wrong_windows_are_those_of_scipy(
    right: float, wrong_to_right: float
) -> None:
    """The upper end of an interval is taken from the mirror image: from the wrong windows."""
    wrong = right * wrong_to_right
    upper_end = 1 - beta_quantile(0.025, wrong, right)
    assert upper_end == pytest.approx(betaincinv(right, wrong, 0.975), abs=CLOSE)


@given(st.sampled_from([0.025, 0.5, 0.975]), powers(-2, 8), powers(0, 8))
def test_quantiles_in_closed_form(probability: float, a: float, b: float) -> None:
    # I_x(a, 1) = x^a, and 1 - I_x(1, b) = (1 - x)^b.
    assert beta_quantile(probability, a, 1.0) ** a == pytest.approx(probability)
    assert (1 - beta_quantile(probability, 1.0, b)) ** b == pytest.approx(1 - probability)


@pytest.mark.parametrize("degrees", [*range(1, 60), 101, 149, 1000, 9999, 10**5, 10**6, 10**7])
def test_quantiles_of_t_are_those_of_scipy(degrees: int) -> None:
    assert t_quantile(0.975, degrees) == pytest.approx(stdtrit(degrees, 0.975), rel=1e-8)


def test_a_quantile_may_be_too_small_for_a_float() -> None:
    assert 0 <= beta_quantile(0.025, 1e-6, 11.0) < 1e-200  # in truth 10^-1,600,000
    assert math.isclose(beta_quantile(0.025, 0.0125, 1.0), 0.025**80, rel_tol=1e-12)
    # I_x(a, 2) = x^a (1 + a - a x), whose last term is nothing here.
    assert math.isclose(beta_quantile(0.025, 0.0125, 2.0), (0.025 / 1.0125) ** 80, rel_tol=1e-9)


SHARES = (0.5, 0.95, 0.99, 1.0)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("correlation", "blocks"), [(0.0, 1), (0.03, 4)])
def test_simulated_coverage(correlation: float, blocks: int, seeds: int) -> None:
    """Blocks of a sequence: 4 are the fewest that the reference's are worth, 1 is the extreme."""
    shares = (*SHARES, edge(seeds))
    found = {share: coverage(share, correlation, seeds, blocks, replications=2000) for share in shares}
    assert min(found.values()) >= 0.94, found


@pytest.mark.parametrize("blocks", [1, 4])
def test_simulated_coverage_of_one_network(blocks: int) -> None:
    found = {share: coverage(share, 0.0, 1, blocks, replications=1000) for share in (*SHARES, edge(1))}
    assert min(found.values()) >= 0.94, found


@pytest.mark.parametrize(
    ("correlation", "blocks", "lowest"), [(0.03, 1, 0.89), (0.1, 4, 0.88), (0.3, 4, 0.55)]
)
def test_the_coverage_falls_short_where_docs_intervals_says_so(
    correlation: float, blocks: int, lowest: float
) -> None:
    assert coverage(edge(5), correlation, 5, blocks, replications=2000) == pytest.approx(lowest, abs=0.02)
