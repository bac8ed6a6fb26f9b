"""docs/intervals.md: its figures are those of the code and of the reference, and its query is executed."""

import re
from pathlib import Path
from statistics import median

import duckdb
import pytest

from benchmarks.coverage import BLOCKS, CORRELATIONS, SEEDS, SHARES, coverage, edge
from raysweep.analysis.interval import Hits, interval_of
from raysweep.text import interval_ends
from tests.docs.pages import ROOT, blocks, rows, section
from tests.sweeps import planned, result_with, trials_of, write_sweep

PAGE = ROOT / "docs" / "intervals.md"
REFERENCE = ROOT / "results" / "reference"
COVERAGE = rows(section(PAGE, "Simulated coverage"))
CASES = [["", "1"], *([f"{correlation:g}", str(seeds)] for correlation in CORRELATIONS for seeds in SEEDS)]


def test_the_low_ends_of_cells_that_are_all_right() -> None:
    (seeds, low) = re.findall(
        r"^\| (?:seeds|low end) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    expected = [f"{0.025 ** (1 / (50 * int(number))):.3f}" for number in seeds.split(" | ")]
    assert low.split(" | ") == expected


def test_the_intervals_of_the_examples() -> None:
    examples = [
        cells
        for cells in rows(PAGE.read_text(encoding="utf-8"))
        if re.fullmatch(r"[01]\.\d\d(, [01]\.\d\d)+", cells[0])
    ]
    assert len(examples) == 5
    for shares, shown in examples:
        counts = [round(10_000 * float(share)) for share in shares.split(", ")]
        squares, seeds = sum(count * count for count in counts), len(counts)
        interval = interval_of(Hits(sum(counts), squares, seeds, 10_000, 50 * seeds, "seeds"))
        assert interval is not None
        assert shown == f"`{interval_ends(interval.low, interval.high)}`"


def test_both_tables_of_coverage_are_complete() -> None:
    assert [cells[:2] for cells in COVERAGE] == 2 * CASES
    assert all(len(cells) == 2 + len(SHARES) + 1 for cells in COVERAGE)


@pytest.mark.parametrize("number", [1, 5, 9, 13])
def test_figures_of_coverage_that_take_little_time(number: int) -> None:
    """Those of two seeds, with sequences of one block."""
    correlation, seeds, *figures = COVERAGE[len(CASES) + number]
    assert seeds == "2"
    found = [coverage(share, float(correlation), 2, 1) for share in (*SHARES, edge(2))]
    assert found == pytest.approx([float(figure) for figure in figures], abs=0.01)


def test_the_query_estimates_correlation_and_blocks(tmp_path: Path) -> None:
    axes = {"arch": ["echo"], "mem": [4], "windows": [2], "batch_size": [2], "eval_sequences": [2]}
    content = planned({**axes, "len": [1], "seed": [0, 1]}, {**axes, "len": [2], "seed": [0]})
    first, second, alone = trials_of(content)
    results = [
        result_with(first, [[1], [1], [1], [0]]),
        result_with(second, [[0], [0], [1], [0]]),
        result_with(alone, [[1, 1], [1, 0], [1, 1], [1, 1]]),
    ]
    write_sweep(tmp_path / "s", content, results)
    (query,) = blocks(PAGE, "sql")
    (row,) = duckdb.execute(query.text.replace("results/reference", f"{tmp_path}/s")).fetchall()
    # Shares 3/4 and 1/4; within each seed the sequences' shares have the variance 1/8:
    # (1/8 - 1/8 / 2) / (1/4) = 1/4, and (3/4 · 1/4) / (1/8) = 3/2.
    assert row[:4] == ("echo", 1, 4, 500)
    assert row[4:] == pytest.approx((0.5, 0.25, 1.5))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="results/reference is not trained yet")
def test_the_figures_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    (query,) = blocks(PAGE, "sql")
    found = duckdb.execute(query.text).fetchall()
    ((cells,),) = duckdb.execute(
        "SELECT count(DISTINCT (arch, len, mem, epochs)) FROM 'results/reference/trials/*.parquet'"
    ).fetchall()
    assert f" {len(found)} of the {cells} cells have some windows right and some wrong." in text
    correlations = [row[5] for row in found]
    assert f" is {median(correlations):.3f} in the median and above 0.03 in three of them:" in text
    above = sorted(row for row in found if row[5] > 0.03)
    assert [row[:3] for row in above] == [("echo", 3, 16), ("echo", 4, 16), ("echo", 5, 16)]
    three, four, five = (f"{row[5]:.3f}" for row in above)
    assert f" echo with MEM 16 at LEN 3, 4 and 5, with {three}, {four} and {five}." in text
    assert f" with a correlation of {five} have a coverage of " in text
    assert f" is for p = {above[-1][4]:.3f}, correlation {five[:-1]}, " in text
    worth = {arch: [round(row[6]) for row in found if row[0] == arch] for arch in ("seq2seq", "echo")}
    fewest, most = ({arch: of(worth[arch]) for arch in worth} for of in (min, max))
    assert (
        f" is worth {fewest['seq2seq']} to {most['seq2seq']} blocks in seq2seq, "
        f"and {fewest['echo']} to {most['echo']} in echo"
    ) in text
    assert fewest["echo"] == max(BLOCKS)


def test_the_coverage_of_cells_like_the_least_alike_of_the_reference() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    (shown,) = re.findall(r"correlation of 0\.070 have a coverage of (0\.\d{3})\.", text)
    assert coverage(0.966, 0.07, 3, 4) == pytest.approx(float(shown), abs=0.01)
    assert f"The {shown} above is for p = 0.966, correlation 0.07, three seeds and 4 blocks." in text
