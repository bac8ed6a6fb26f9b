"""A row's counts equal the counts that SQL finds in the trial's files."""

import json
from pathlib import Path

import duckdb
import pytest

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.counts import TrialCounts
from raysweep.store.trial_manifest import read_manifest
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

CONTENT = planned(
    {"arch": ["echo", "seq2seq"], "len": [1, 3, 9], "mem": [4], "seed": [0, 1], "eval_sequences": [1, 4]}
)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_the_counts_equal_the_counts_of_the_files(tmp_path: Path, share: float) -> None:
    results = synthetic_results(
        trials_of(CONTENT), lambda _: share, diverged=lambda trial: trial.seed == 1 and trial.len == 3
    )
    ledger = write_sweep(tmp_path / "s", CONTENT, results)
    manifests = ledger.manifests(ledger.committed())
    assert len(manifests) == 24
    for trial_id, manifest in manifests.items():
        counts = manifest.counts
        files = [str(ledger.paths.table(kind, trial_id)) for kind in ("trials", "predictions")]
        row = duckdb.execute(
            "SELECT * EXCLUDE (loss, started, ended), trace_s + train_s + eval_s AS seconds "
            "FROM read_parquet(?)",
            files[:1],
        )
        names = [column[0] for column in row.description or ()]
        found = dict(zip(names, row.fetchone() or (), strict=True))
        assert {**{name: found[name] for name in counts.settings}, "options": ()} == counts.settings
        assert (found["status"], found["accuracy"]) == (counts.status, counts.accuracy)
        assert found["seconds"] == pytest.approx(counts.seconds, abs=1e-12)
        if counts.status == "done":
            assert counted(files[1], counts) == (
                counts.windows,
                counts.exact_by_sequence,
                counts.evaluations[-1].right,
            )
        else:
            assert counts.exact_by_sequence == ()


def test_a_row_without_counts_is_of_another_raysweep() -> None:
    content = json.dumps({"schema": 1, "trial_id": "echo-len2", "predictions": None, "curves": {}})
    with pytest.raises(UnknownSchemaError, match="use the raysweep that wrote the results"):
        read_manifest(checksum.embed(f"raysweep-receipt:{content}{checksum.SLOT}".encode()))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("settings", "values", "\x1b]0;owned\x1b\\"),
        ("settings", "len", 0),
        ("counts", "status", "\x1b[2J"),
        ("counts", "loss", "a word"),
        ("counts", "evaluations", None),
        ("counts", "evaluations", [[100, 1, 1, [float("inf")]]]),
        ("counts", "evaluations", []),
        ("counts", "evaluations", [[100, 1, 1, []]]),
        ("counts", "evaluations", [[100, 10**9, 1, [1]]]),
        ("counts", "exact_by_sequence", [1, 2, 3]),
        ("manifest", "curves", {"size": 1}),
        ("manifest", "curves", {"size": "x", "sha256": "y"}),
        ("manifest", "predictions", []),
    ],
)
def test_a_row_with_a_valid_checksum_but_invalid_metadata_is_refused(
    tmp_path: Path, part: str, key: str, value: object
) -> None:
    ledger = write_sweep(tmp_path / "s", CONTENT, synthetic_results(trials_of(CONTENT)[:1]))
    (trial_id,) = ledger.committed()
    row = ledger.paths.table("trials", trial_id)
    content = read_manifest(row.read_bytes()).model_dump()
    parts = {"manifest": content, "counts": content["counts"], "settings": content["counts"]["settings"]}
    parts[part][key] = value
    text = f"raysweep-manifest:1:{json.dumps(content)}"
    row.write_bytes(checksum.embed(f"{text}{checksum.SLOT}".encode()))
    with pytest.raises(ResultsError, match="metadata is not valid raysweep data") as raised:
        ledger.manifests([trial_id])
    assert str(raised.value).startswith(f"{row}: ")
    assert "\x1b" not in str(raised.value)
    (damage,) = ledger.verify().damage
    assert damage.path == row


def counted(predictions: str, counts: TrialCounts) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    exact = duckdb.execute(
        "SELECT sequence_index, count_if(exact) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL", [predictions]
    ).fetchall()
    right = duckdb.execute(
        "SELECT position, count_if(e = p), count(*) FROM ("
        "  SELECT generate_subscripts(expected, 1) AS position, unnest(expected) AS e,"
        "  unnest(predicted) AS p FROM read_parquet(?)) GROUP BY ALL ORDER BY ALL",
        [predictions],
    ).fetchall()
    assert [position for position, _, _ in right] == list(range(1, counts.settings["len"] + 1))
    return right[0][2], tuple(hits for _, hits in exact), tuple(hits for _, hits, _ in right)
