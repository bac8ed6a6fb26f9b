"""A row's tally says what the trial's predictions say, counted in the files by SQL."""

import json
from dataclasses import asdict
from pathlib import Path

import duckdb
import pytest

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.counts import Tally
from raysweep.store.manifest import read_receipt
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

CONTENT = planned(
    {"arch": ["echo", "seq2seq"], "len": [1, 3, 9], "mem": [4], "seed": [0, 1], "eval_sequences": [1, 4]}
)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_a_tally_says_what_the_files_say(tmp_path: Path, share: float) -> None:
    results = synthetic_results(
        trials_of(CONTENT), lambda _: share, diverged=lambda trial: trial.seed == 1 and trial.len == 3
    )
    ledger = write_sweep(tmp_path / "s", CONTENT, results)
    receipts = ledger.receipts(ledger.committed())
    assert len(receipts) == 24
    for trial_id, receipt in receipts.items():
        tally = receipt.tally
        files = [str(ledger.paths.table(kind, trial_id)) for kind in ("trials", "predictions")]
        row = duckdb.execute(
            "SELECT * EXCLUDE (loss, started, ended), trace_s + train_s + eval_s AS seconds "
            "FROM read_parquet(?)",
            files[:1],
        )
        names = [column[0] for column in row.description or ()]
        told = dict(zip(names, row.fetchone() or (), strict=True))
        assert {name: told[name] for name in tally.settings} == tally.settings
        assert (told["status"], told["accuracy"]) == (tally.status, tally.accuracy)
        assert told["seconds"] == pytest.approx(tally.seconds, abs=1e-12)
        assert counted(files[1], tally) == (tally.windows, tally.exact_by_sequence, tally.right)


def test_a_row_without_a_tally_is_of_another_raysweep() -> None:
    content = json.dumps({"schema": 1, "trial_id": "echo-len2", "predictions": None, "curves": {}})
    with pytest.raises(UnknownSchemaError, match="use the raysweep that wrote the results"):
        read_receipt(checksum.seal(f"raysweep-receipt:{content}{checksum.SLOT}".encode()))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("settings", "values", "\x1b]0;owned\x1b\\"),
        ("settings", "len", 0),
        ("tally", "status", "\x1b[2J"),
        ("tally", "loss", "a word"),
        ("tally", "right", None),
        ("tally", "right", [float("inf")]),
        ("tally", "right", []),
        ("receipt", "curves", {"size": 1}),
        ("receipt", "curves", {"size": "x", "sha256": "y"}),
        ("receipt", "predictions", []),
    ],
)
def test_a_row_that_somebody_else_sealed_is_refused(
    tmp_path: Path, part: str, key: str, value: object
) -> None:
    ledger = write_sweep(tmp_path / "s", CONTENT, synthetic_results(trials_of(CONTENT)[:1]))
    (trial_id,) = ledger.committed()
    row = ledger.paths.table("trials", trial_id)
    content = asdict(read_receipt(row.read_bytes()))
    parts = {"receipt": content, "tally": content["tally"], "settings": content["tally"]["settings"]}
    parts[part][key] = value
    text = json.dumps({"schema": 1, **content})
    row.write_bytes(checksum.seal(f"raysweep-receipt:{text}{checksum.SLOT}".encode()))
    with pytest.raises(ResultsError, match="vouches for what no trial") as told:
        ledger.receipts([trial_id])
    assert str(told.value).startswith(f"{row}: ")
    assert "\x1b" not in str(told.value)
    (damage,) = ledger.verify().damage
    assert damage.path == row


def counted(predictions: str, tally: Tally) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Count in the file; a diverged trial has none."""
    if tally.status == "diverged":
        return 0, (), ()
    exact = duckdb.execute(
        "SELECT sequence, count_if(exact) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL", [predictions]
    ).fetchall()
    right = duckdb.execute(
        "SELECT position, count_if(e = p), count(*) FROM ("
        "  SELECT generate_subscripts(expected, 1) AS position, unnest(expected) AS e,"
        "  unnest(predicted) AS p FROM read_parquet(?)) GROUP BY ALL ORDER BY ALL",
        [predictions],
    ).fetchall()
    assert [position for position, _, _ in right] == list(range(1, tally.settings["len"] + 1))
    return right[0][2], tuple(hits for _, hits in exact), tuple(hits for _, hits, _ in right)
