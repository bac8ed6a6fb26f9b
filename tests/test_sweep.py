"""Arrow, DuckDB, Polars and pandas read the same files."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import raysweep
from raysweep.errors import ResultsError, UsageError
from raysweep.store import columns
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from raysweep.trial.result import TrialResult
from tests.make_results import MOMENT, PROVENANCE, synthetic_result, synthetic_settings
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

BY_CELL = "SELECT arch, len, mem, epochs, avg(exact::int) AS exact_match FROM {} GROUP BY ALL ORDER BY ALL"


def trials() -> list[TrialResult]:
    settings = [
        synthetic_settings(arch="echo", len=3),
        synthetic_settings(len=2),
        synthetic_settings(len=2, seed=1),
        synthetic_settings(len=4, mem=300, learning_rate=1e-4),
    ]
    results = [synthetic_result(one, np.random.default_rng(i)) for i, one in enumerate(settings)]
    return [*results, synthetic_result(synthetic_settings(len=5), np.random.default_rng(9), diverged=True)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "it's [a] sweep")
    with ledger.open_for_writing() as writer:
        for result in trials():
            writer.commit(encode(result, PROVENANCE))
    return ledger


def expected_by_cell() -> list[tuple[object, ...]]:
    cells: dict[tuple[object, ...], list[np.ndarray]] = {}
    for result in trials():
        one = result.settings
        if result.predictions is not None:
            cells.setdefault((one.arch, one.len, one.mem, one.epochs), []).append(result.predictions.exact)
    return sorted((*cell, float(np.concatenate(exact).mean())) for cell, exact in cells.items())


def test_the_datasets_have_every_committed_row_and_the_columns_of_the_schema(ledger: Ledger) -> None:
    sweep = raysweep.load(ledger.paths.folder)
    assert sweep.trials.schema == columns.TRIALS
    assert sweep.predictions.schema == columns.PREDICTIONS
    assert sweep.curves.schema == columns.CURVES
    rows = sweep.trials.to_table().to_pylist()
    assert {row["trial_id"] for row in rows} == {result.settings.trial_id for result in trials()}
    assert sorted(row["status"] for row in rows) == ["diverged", "done", "done", "done", "done"]
    windows = [len(r.predictions.exact) for r in trials() if r.predictions is not None]
    assert sweep.predictions.count_rows() == sum(windows)
    assert sweep.curves.count_rows() == sum(len(result.curve.epoch) for result in trials())


def test_the_state_of_a_trial_is_read_and_its_absence_told(tmp_path: Path) -> None:
    results = synthetic_results(trials_of(planned({"arch": ["echo"], "len": [2], "mem": [4]})))
    ledger = write_sweep(tmp_path / "s", None, results)
    (trial_id,) = ledger.committed()
    with pytest.raises(ResultsError, match="no such state; only trials of a grid with keep_state"):
        raysweep.load(ledger.paths.folder).state(trial_id)
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial_id, b"a state")
    assert raysweep.load(ledger.paths.folder).state(trial_id) == b"a state"
    ledger.paths.state(trial_id).write_bytes(b"torn")
    with pytest.raises(ResultsError, match="do not match their checksum"):
        raysweep.load(ledger.paths.folder).state(trial_id)


@pytest.mark.parametrize("level", [-0.1, 1.5])
def test_a_level_that_is_no_share_is_refused(ledger: Ledger, level: float) -> None:
    with pytest.raises(UsageError, match=f"found the level {level}"):
        raysweep.load(ledger.paths.folder).epochs_to_reach(level)


REACHED = """
WITH looks AS (
    SELECT trial_id, epoch, exact_match >= $reach AS there, lead(exact_match >= $reach) OVER (
        PARTITION BY trial_id ORDER BY epoch) AS next
    FROM curves WHERE exact_match IS NOT NULL
)
SELECT len, median(coalesce(first, 1e9)) AS median, count(first) AS reached, count(*) AS of
FROM trials LEFT JOIN (
    SELECT trial_id, min(epoch) AS first FROM looks WHERE there AND coalesce(next, true) GROUP BY ALL
) USING (trial_id) GROUP BY ALL ORDER BY len
"""


@pytest.mark.parametrize("reach", [0.3, 0.5, 0.99])
def test_the_epochs_to_a_level_are_those_that_sql_finds_in_the_curves(tmp_path: Path, reach: float) -> None:
    content = planned(
        {"arch": ["echo"], "len": [2, 3, 5], "mem": [4], "seed": [0, 1, 2], "eval_sequences": [2]},
        defaults={"curve_every": 25, "eval_every": 25},
    )
    results = synthetic_results(trials_of(content), lambda trial: (0.2, 0.9, 0.99)[trial.seed] ** 0.5)
    sweep = raysweep.load(write_sweep(tmp_path / "s", content, results).paths.folder)
    found = sweep.epochs_to_reach(reach)
    assert {"arch", "len", "mem", "eval_every"} <= set(found.column_names)
    rows = [(row["len"], row["epochs_to_reach"], row["reached"], row["of"]) for row in found.to_pylist()]
    expected = [
        (n_out, None if median > 1e8 else median, reached, of)
        for n_out, median, reached, of in duckdb_rows(sweep, reach)
    ]
    assert rows == expected
    assert {of for *_, of in rows} == {3}


def duckdb_rows(sweep: raysweep.Sweep, reach: float) -> list[tuple[int, float, int, int]]:
    return sweep.sql(REACHED.replace("$reach", str(reach))).fetchall()


def test_sql_sees_the_three_tables(ledger: Ledger) -> None:
    sweep = raysweep.load(ledger.paths.folder)
    assert sweep.sql(BY_CELL.format("predictions")).fetchall() == expected_by_cell()
    joined = sweep.sql("SELECT count(*) FROM trials JOIN curves USING (trial_id)").fetchall()
    assert joined == [(sweep.curves.count_rows(),)]
    with pytest.raises(duckdb.Error):
        sweep.sql("DELETE FROM trials")


def test_a_folder_without_trials_has_empty_tables(tmp_path: Path) -> None:
    sweep = raysweep.load(tmp_path)
    assert sweep.predictions.to_table().num_rows == 0
    assert sweep.sql("SELECT trial_id, exact FROM predictions").fetchall() == []
    assert sweep.sql("SELECT count(*) FROM trials").fetchall() == [(0,)]
    with pytest.raises(ResultsError, match="no such folder"):
        raysweep.load(tmp_path / "nothing")


def test_a_trial_that_is_not_committed_is_in_no_table(ledger: Ledger) -> None:
    result = synthetic_result(synthetic_settings(seed=50), np.random.default_rng(0))
    late = encode(result, PROVENANCE)
    assert late.predictions is not None
    ledger.paths.table("predictions", late.trial_id).write_bytes(late.predictions)
    ledger.paths.table("curves", late.trial_id).write_bytes(late.curves)
    sweep = raysweep.load(ledger.paths.folder)
    for name in ("trials", "predictions", "curves"):
        found = sweep.sql(f"SELECT count(*) FROM {name} WHERE seed = 50").fetchall()
        assert found == [(0,)]


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    """The same results under a name that needs no quoting in SQL or a glob."""
    return ledger.paths.folder.rename(tmp_path / "lengths")


def test_duckdb_reads_the_files_by_a_glob(folder: Path) -> None:
    (folder / "predictions" / ".x.parquet.1234abcd.tmp").write_bytes(b"half")
    found = duckdb.execute(BY_CELL.format(f"'{folder}/predictions/*.parquet'")).fetchall()
    assert found == expected_by_cell()
    started = round(MOMENT.timestamp() * 1e6)
    query = f"SELECT versions['keras'], layers[1].shape, epoch_us(started) FROM '{folder}/trials/*.parquet'"
    assert {(row[0], *row[1], row[2]) for row in duckdb.execute(query).fetchall()} == {
        ("3.15.0", 100, 64, started),
        ("3.15.0", 100, 1200, started),
    }


def test_polars_reads_the_files_by_a_glob(folder: Path) -> None:
    frame = pl.read_parquet(folder / "predictions" / "*.parquet")
    by = ["arch", "len", "mem", "epochs"]
    found = frame.group_by(by).agg(pl.col("exact").mean()).sort(by).rows()
    assert found == expected_by_cell()
    assert frame.schema["input"] == pl.List(pl.Int32)
    assert frame.schema["confidence"] == pl.List(pl.Float32)
    assert pl.read_parquet(folder / "curves" / "*.parquet").height > 0
    rows = pl.read_parquet(folder / "trials" / "*.parquet")
    assert rows.schema["started"] == pl.Datetime("us", "UTC")
    assert rows["exact_match"].null_count() == 1


def test_pandas_reads_the_folder(folder: Path) -> None:
    frame = pd.read_parquet(folder / "predictions")
    by = ["arch", "len", "mem", "epochs"]
    found = list(frame.groupby(by)["exact"].mean().reset_index().itertuples(index=False, name=None))
    assert found == expected_by_cell()
    assert len(pd.read_parquet(folder / "trials")) == 5
    assert str(pd.read_parquet(folder / "trials")["started"].dtype) == "datetime64[us, UTC]"
