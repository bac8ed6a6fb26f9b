"""Damage in a results folder: found by readers and the writer, quarantined by the writer."""

import random
import shutil
import socket

import pytest

from raysweep.store.ledger import Damage, Ledger
from tests.ledgers import checkpoint_of, damage_of, encoded
from tests.sweeps import ENVIRONMENT


@pytest.mark.parametrize("kind", ["trials", "predictions", "curves"])
@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "append", "delete", "folder", "swap"])
def test_damage_is_found_and_quarantined_and_only_that_trial_is_missing(
    filled: Ledger, kind: str, harm: str
) -> None:
    done = sorted(filled.committed() - {encoded(3, diverged=True).trial_id})
    hit = done[1]
    path = filled.paths.folder / kind / f"{hit}.parquet"
    data = path.read_bytes()
    match harm:
        case "truncate":
            path.write_bytes(data[:-1])
        case "empty":
            path.write_bytes(b"")
        case "flip":
            place = random.Random(5).randrange(len(data))
            path.write_bytes(data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :])
        case "append":
            path.write_bytes(data + b"\0")
        case "swap":
            shutil.copyfile(filled.paths.folder / kind / f"{done[0]}.parquet", path)
        case "delete" | "folder":
            path.unlink()
    if harm == "folder":
        path.mkdir()
    found = damage_of(filled)
    assert any(hit in name for name in found)
    assert not any(other in name for name in found for other in filled.committed() - {hit})
    in_place = kind != "trials" and path.is_file() and path.stat().st_size == len(data)
    assert filled.committed_with_expected_sizes() == filled.committed() - (set() if in_place else {hit})
    others = filled.committed() - {hit}
    with filled.open_for_writing() as writer:
        report = writer.check()
        assert all(hit in str(one.path) for one in report)
        assert bool(report) is not (kind == "trials" and harm == "delete")
        assert filled.committed() == others
        writer.commit(encoded(next(seed for seed in range(3) if encoded(seed).trial_id == hit)))
        assert writer.check() == []
    assert damage_of(filled) == {}
    if report:
        (quarantined,) = filled.paths.damaged.iterdir()
        assert {one.name for one in quarantined.iterdir()} | {f"{kind}.parquet"} == {
            "trials.parquet",
            "predictions.parquet",
            "curves.parquet",
        }


def test_a_diverged_trial_with_predictions_is_damage(filled: Ledger) -> None:
    trial = encoded(3, diverged=True)
    filled.paths.table("predictions", trial.trial_id).write_bytes(b"PAR1")
    assert list(damage_of(filled)) == [f"predictions/{trial.trial_id}.parquet"]


def test_tables_without_a_row_are_reported(filled: Ledger) -> None:
    lost = min(filled.committed() - {encoded(3, diverged=True).trial_id})
    filled.paths.table("trials", lost).unlink()
    assert sorted(damage_of(filled)) == [f"curves/{lost}.parquet", f"predictions/{lost}.parquet"]
    with filled.open_for_writing():  # a commit in progress is not damage
        filled.paths.table("curves", lost).write_bytes(b"")
        assert damage_of(filled) == {}


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff", b"[" * 100_000])
def test_a_torn_record_or_failure_or_checkpoint_is_reported_and_hinders_nothing(
    filled: Ledger, content: bytes
) -> None:
    trial_id = encoded(7).trial_id
    filled.paths.record.write_bytes(content)
    filled.paths.failure(trial_id).write_bytes(content)
    filled.paths.checkpoint(trial_id).write_bytes(content)
    assert filled.record() is None
    assert filled.failures() == {}
    assert set(damage_of(filled)) == {
        "sweep.json",
        f"failures/{trial_id}.json",
        f"checkpoints/{trial_id}.checkpoint",
    }
    assert len(filled.committed()) == 4
    with filled.open_for_writing() as writer:
        writer.put_checkpoint(trial_id, b"new")
        assert checkpoint_of(filled, trial_id) == b"new"


def test_a_record_changed_in_any_byte_is_reported(filled: Ledger) -> None:
    with filled.open_for_writing() as writer:
        writer.begin_run("lengths", {"grid": {"arch": ["echo"], "mem": [11]}}, ENVIRONMENT)
    written = filled.paths.record.read_bytes()
    assert damage_of(filled) == {}
    for at in range(len(written)):
        filled.paths.record.write_bytes(written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :])
        assert filled.record() is None, at
    assert list(damage_of(filled)) == ["sweep.json"]


@pytest.mark.parametrize("kind", ["folder", "socket", "torn"])
def test_any_entry_in_the_place_of_a_file_is_quarantined(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    missing = encoded(7)
    row = filled.paths.table("trials", min(filled.committed()))
    row.unlink()
    monkeypatch.chdir(filled.paths.folder)  # the paths of sockets are short
    for path in (row, filled.paths.failure(missing.trial_id), filled.paths.checkpoint(missing.trial_id)):
        if kind == "folder":
            path.mkdir()
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path.relative_to(filled.paths.folder)))
        else:
            path.write_bytes(b"{")
    assert len(damage_of(filled)) == 3
    with filled.open_for_writing() as writer:
        assert len(writer.check()) == 2
        damaged: list[Damage] = []
        writer.saved.find(None, damaged)
        assert [one.path for one in damaged] == [filled.paths.checkpoint(missing.trial_id)]
        assert row.stem not in writer.committed
        writer.commit(missing)
    assert filled.verify().damage == ()
    assert {path.name for path in filled.paths.damaged.glob("*/*")} == {
        "trials.parquet",
        "predictions.parquet",
        "curves.parquet",
        f"{missing.trial_id}.json",
        f"{missing.trial_id}.checkpoint",
    }


def test_damage_has_a_path_and_a_description(filled: Ledger) -> None:
    hit = filled.paths.table("curves", min(filled.committed()))
    hit.unlink()
    assert filled.verify().damage == (Damage(hit, "the file is missing"),)


def test_a_renamed_copy_is_reported_because_patterns_would_count_it(filled: Ledger) -> None:
    row = next(filled.paths.trials.iterdir())
    copy = filled.paths.trials / f"{row.stem} (copy).parquet"
    copy.write_bytes(row.read_bytes())
    assert damage_of(filled) == {f"trials/{copy.name}": "no trial's file; move it elsewhere"}


def test_a_folder_in_the_place_of_a_file_to_clean_up_is_quarantined(filled: Ledger) -> None:
    trial_id = next(iter(filled.committed()))
    for path in (filled.paths.checkpoint(trial_id), filled.paths.failure(trial_id)):
        path.mkdir()
        (path / "somebody's").touch()
    with filled.open_for_writing():
        pass
    assert filled.verify().damage == ()
    assert len(list(filled.paths.damaged.glob("*/*/somebody's"))) == 2
