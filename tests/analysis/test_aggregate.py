"""The analysis against hand-computed sweeps, plain SQL over the same files, and damaged folders."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv
from scipy.stats import binomtest

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell, StatusCounts, SweepAnalysis, analyse
from raysweep.errors import ResultsError, UsageError
from raysweep.store.ledger import Ledger
from tests.analysis.by_scipy import interval_by_scipy
from tests.sweeps import (
    failure_of,
    planned,
    result_with,
    synthetic_results,
    trials_of,
    write_sweep,
)

TINY = {"arch": ["seq2seq"], "len": [2], "mem": [4], "windows": [2], "batch_size": [2], "eval_sequences": [3]}
"""Six windows a trial: three sequences of two."""

SQL_SETTINGS = [name for name in CELL_SETTINGS if name not in ("network", "options")]
"""Settings that SQL and Python compare alike."""


def cell_of(analysis: SweepAnalysis, **wanted: object) -> Cell:
    found = [cell for cell in analysis.cells if wanted.items() <= dict(cell.settings).items()]
    assert len(found) == 1
    return found[0]


def test_one_seed_by_hand(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [3]})
    right = [(1, 1), (1, 0), (1, 1), (1, 1), (0, 0), (1, 0)]
    ledger = write_sweep(tmp_path / "s", content, [result_with(trials_of(content)[0], right, loss=2.5)])
    analysis = analyse(ledger)
    cell = cell_of(analysis)
    assert analysis.name == "lengths"
    assert analysis.counts == StatusCounts(done=1, diverged=0, failed=0, missing=0)
    assert (cell.seeds, cell.planned, cell.windows) == ((3,), True, 6)
    assert cell.exact_match == 3 / 6
    assert cell.position_accuracy == (5 / 6, 3 / 6)
    assert (cell.loss, cell.accuracy) == (2.5, 0.5)
    # Sequences: 1, 2 and 0 exact of 2; p = 1/2, v = 1/4 / 3, p(1 - p)/v = 3 = n*, x = 3/2.
    assert cell.interval is not None
    assert (cell.interval.over, cell.interval.n) == ("sequences", 3)
    assert cell.interval.n_effective == pytest.approx(3)
    assert cell.interval.low == pytest.approx(betaincinv(1.5, 2.5, 0.025), abs=1e-7)
    assert cell.interval.high == pytest.approx(betaincinv(2.5, 1.5, 0.975), abs=1e-7)


def test_two_seeds_by_hand(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    first, second = trials_of(content)
    results = [
        result_with(first, [(1, 1)] * 3 + [(0, 1)] * 3, loss=1.0),
        result_with(second, [(1, 1)] * 4 + [(1, 0)] * 2, loss=2.0),
    ]
    cell = cell_of(analyse(write_sweep(tmp_path / "s", content, results)))
    assert (cell.seeds, cell.windows, cell.exact_match) == ((0, 1), 12, 7 / 12)
    assert cell.position_accuracy == (9 / 12, 10 / 12)
    assert cell.loss == 1.5
    # Shares 3/6 and 4/6: p = 7/12, v = 1/72 / 2, p(1 - p)/v = 35, S = 6;
    # t(0.975, 5) = 2.5705818, t(0.975, 1) = 12.7062047, so n* = 0.0409290 · 35 = 1.4325151.
    assert cell.interval is not None
    assert (cell.interval.over, cell.interval.n) == ("seeds", 2)
    assert cell.interval.n_effective == pytest.approx(1.4325151, abs=1e-6)
    right, wrong = 1.4325151 * 7 / 12, 1.4325151 * 5 / 12
    assert cell.interval.low == pytest.approx(betaincinv(right, wrong + 1, 0.025), abs=1e-6)
    assert cell.interval.high == pytest.approx(betaincinv(right + 1, wrong, 0.975), abs=1e-6)


def test_seeds_that_agree_are_worth_all_their_sequences(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    results = [result_with(trial, [(1, 1), (0, 1)] * 3) for trial in trials_of(content)]
    cell = cell_of(analyse(write_sweep(tmp_path / "s", content, results)))
    exact = binomtest(3, 6).proportion_ci(method="exact")
    assert cell.interval is not None
    assert (cell.exact_match, cell.interval.over, cell.interval.n_effective) == (0.5, "seeds", 6)
    assert (cell.interval.low, cell.interval.high) == pytest.approx((exact.low, exact.high), abs=1e-7)


def test_one_seed_of_one_sequence_has_no_interval(tmp_path: Path) -> None:
    content = planned({**TINY, "eval_sequences": [1], "seed": [0]})
    results = [result_with(trial, [(1, 1), (0, 1)]) for trial in trials_of(content)]
    cell = cell_of(analyse(write_sweep(tmp_path / "s", content, results)))
    assert (cell.exact_match, cell.interval) == (0.5, None)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_equal_to_plain_sql(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = planned(
        {
            "arch": ["echo", "seq2seq"],
            "len": data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True)),
            "mem": [4],
            "seed": list(range(data.draw(st.integers(1, 3)))),
            "epochs": [10, 20],
            "eval_sequences": [data.draw(st.integers(1, 4))],
        }
    )
    accuracy = data.draw(st.floats(0, 1))
    folder = tmp_path_factory.mktemp("sweep") / "s"
    ledger = write_sweep(folder, content, synthetic_results(trials_of(content), lambda _: accuracy))
    names = ", ".join(SQL_SETTINGS)
    files = f"'{folder}/predictions/*.parquet'"
    exact = duckdb.execute(
        f"SELECT {names}, avg(exact::int), count(*) FROM {files} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    positions = duckdb.execute(
        f"SELECT {names}, position, avg((e = p)::int) FROM ("
        f"  SELECT {names}, generate_subscripts(expected, 1) AS position,"
        f"  unnest(expected) AS e, unnest(predicted) AS p FROM {files}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    cells = analyse(ledger).cells
    assert [tuple(cell.settings[name] for name in SQL_SETTINGS) for cell in cells] == [
        row[:-2] for row in exact
    ]
    assert [cell.exact_match for cell in cells] == pytest.approx([row[-2] for row in exact], abs=1e-9)
    assert [cell.windows for cell in cells] == [row[-1] for row in exact]
    flat = [share for cell in cells for share in cell.position_accuracy]
    assert flat == pytest.approx([row[-1] for row in positions], abs=1e-9)


@pytest.mark.parametrize(
    ("seeds", "sequences", "cluster"),
    [(1, 2, "sequence_index"), (1, 50, "sequence_index"), (2, 1, "seed"), (3, 4, "seed"), (10, 5, "seed")],
)
@pytest.mark.parametrize("accuracy", [0.0, 0.5, 0.97, 0.998, 1.0])
def test_intervals_are_those_of_scipy_for_counts_of_sql(
    tmp_path: Path, seeds: int, sequences: int, cluster: str, accuracy: float
) -> None:
    content = planned(
        {**TINY, "windows": [21], "batch_size": [21], "eval_sequences": [sequences], "seed": [*range(seeds)]}
    )
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content), lambda _: accuracy))
    rows = duckdb.execute(
        f"SELECT sum(exact::int)::int, count(*) FROM '{tmp_path}/s/predictions/*.parquet' GROUP BY {cluster}"
    ).fetchall()
    interval = cell_of(analyse(ledger)).interval
    assert interval is not None
    assert (interval.over, interval.n) == (f"{cluster.removesuffix('_index')}s", len(rows))
    low, high, effective = interval_by_scipy([hits for hits, _ in rows], rows[0][1], seeds * sequences)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-7)
    assert interval.n_effective == pytest.approx(effective)


def test_every_fate_of_a_replicate(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0, 1, 2, 3, 4]})
    trials = trials_of(content)
    results = synthetic_results(trials[:3], diverged=lambda trial: trial.seed == 1)
    analysis = analyse(write_sweep(tmp_path / "s", content, results, [failure_of(trials[3])]))
    cell = cell_of(analysis)
    assert (cell.seeds, cell.diverged, cell.failed, cell.missing) == ((0, 2), (1,), (3,), (4,))
    assert analysis.counts == StatusCounts(done=2, diverged=1, failed=1, missing=1)
    assert [failure.trial_id for failure in analysis.failures] == [trials[3].trial_id]
    assert cell.windows == 12
    assert cell.loss is not None  # the diverged trial's NaN has not reached it


def test_a_cell_of_nothing_but_divergence_has_no_numbers(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0]})
    results = synthetic_results(trials_of(content), diverged=lambda _: True)
    cell = cell_of(analyse(write_sweep(tmp_path / "s", content, results)))
    assert (cell.seeds, cell.diverged, cell.windows) == ((), (0,), 0)
    assert (cell.exact_match, cell.interval, cell.loss, cell.accuracy) == (None,) * 4
    assert cell.position_accuracy == ()


def test_results_that_the_latest_grid_does_not_ask_for(tmp_path: Path) -> None:
    earlier = planned({**TINY, "mem": [4, 8], "seed": [0, 1]})
    latest = planned({**TINY, "mem": [4, 16], "seed": [0]})
    analysis = analyse(write_sweep(tmp_path / "s", latest, synthetic_results(trials_of(earlier))))
    assert analysis.counts == StatusCounts(done=1, diverged=0, failed=0, missing=1)
    kept, former, new = (cell_of(analysis, mem=mem) for mem in (4, 8, 16))
    assert (kept.planned, kept.seeds, kept.unplanned) == (True, (0, 1), (1,))
    assert (former.planned, former.seeds, former.unplanned) == (False, (0, 1), ())
    assert (new.planned, new.seeds, new.missing) == (True, (), (0,))


@pytest.mark.parametrize("torn", [None, b"", b'{"format": 1, "name": "len', b'{"format": 99}'])
def test_without_a_record_what_is_committed_is_still_told(tmp_path: Path, torn: bytes | None) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    first, second = trials_of(content)
    ledger = write_sweep(tmp_path / "s", None, synthetic_results([first]), [failure_of(second)])
    if torn is not None:
        (tmp_path / "s" / "sweep.json").write_bytes(torn)
    analysis = analyse(ledger)
    assert (analysis.name, analysis.plan_known) == ("s", False)
    assert analysis.counts == StatusCounts(done=1, diverged=0, failed=1, missing=0)
    assert cell_of(analysis).planned is False


def test_a_record_of_no_readable_grid_still_names_the_sweep(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0]})
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    (tmp_path / "s" / "sweep.json").write_text(
        '{"format": 1, "name": "lengths", "content": {"grid": {"axis": [1]}}, "runs": []}'
    )
    analysis = analyse(ledger)
    assert (analysis.name, analysis.plan_known) == ("lengths", False)


def test_in_the_middle_of_a_commit_the_trial_does_not_count(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    Path(ledger.files("trials")[0]).unlink()
    analysis = analyse(ledger)
    assert analysis.counts == StatusCounts(done=1, diverged=0, failed=0, missing=1)
    assert cell_of(analysis).windows == 6


def test_before_the_first_trial_is_done(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0]})
    cell = cell_of(analyse(write_sweep(tmp_path / "s", content, [])))
    assert (cell.missing, cell.exact_match) == ((0,), None)


def test_no_sweep_is_a_usage_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sweep has written here; give the folder of one"):
        analyse(Ledger(tmp_path / "nothing"))


@pytest.mark.parametrize("damage", ["gone", "truncated", "empty"])
def test_damaged_predictions_are_named_with_a_remedy(tmp_path: Path, damage: str) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    victim = Path(ledger.files("predictions")[0])
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(b"" if damage == "empty" else victim.read_bytes()[:-20])
    with pytest.raises(ResultsError, match=rf"(?s){victim.stem}.*raysweep verify"):
        analyse(ledger)


def test_a_folder_named_like_a_pattern_is_not_mixed_up_with_one_that_it_matches(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0]})
    (trial,) = trials_of(content)
    write_sweep(tmp_path / "ab1", content, [result_with(trial, [(1, 1)] * 6)])
    ledger = write_sweep(tmp_path / "a[b]*", content, [result_with(trial, [(1, 0)] * 6)])
    assert cell_of(analyse(ledger)).position_accuracy == (1.0, 0.0)


def test_a_report_needs_none_of_the_heavy_packages(tmp_path: Path) -> None:
    content = planned({**TINY, "seed": [0, 1]})
    write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    script = (
        "import sys; from pathlib import Path; from raysweep.analysis.aggregate import analyse;"
        "from raysweep.store.ledger import Ledger; from raysweep.report.sweep_report import report_view;"
        "report_view(analyse(Ledger(Path(sys.argv[1]))));"
        "print({'ray', 'tensorflow', 'keras', 'pyarrow', 'scipy', 'numpy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
