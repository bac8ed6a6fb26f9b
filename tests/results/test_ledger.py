"""The ledger as readers and the writer see it, with real files."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysweep.errors import ResultsError, StorageError
from raysweep.results.ledger import Damage, Ledger
from raysweep.results.record import Failure
from raysweep.results.schema import EncodedTrial, encode
from tests.make_results import MOMENT, PROVENANCE, synthetic_result, synthetic_settings


def encoded(seed: int = 0, *, diverged: bool = False) -> EncodedTrial:
    settings = synthetic_settings(seed=seed)
    return encode(synthetic_result(settings, np.random.default_rng(seed), diverged=diverged), PROVENANCE)


def failure(trial_id: str, message: str = "no luck") -> Failure:
    return Failure(
        trial_id=trial_id,
        kind="error",
        message=message,
        traceback="Traceback …",
        attempts=3,
        host="node-1",
        time=MOMENT,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "results" / "lengths")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.open_for_writing() as writer:
        for seed in range(3):
            writer.commit(encoded(seed))
        writer.commit(encoded(3, diverged=True))
    return ledger


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def damage_of(ledger: Ledger) -> dict[str, str]:
    return {str(one.path.relative_to(ledger.paths.folder)): one.what for one in ledger.verify().damage}


def test_a_ledger_of_no_folder_is_empty_and_makes_none(ledger: Ledger) -> None:
    assert ledger.committed() == set()
    assert ledger.files("predictions") == []
    assert ledger.failures() == {}
    assert ledger.record() is None
    with pytest.raises(ResultsError, match="no such folder"):
        ledger.verify()
    assert not ledger.paths.folder.exists()


def test_what_is_committed_is_there_in_its_bytes_and_nothing_else(ledger: Ledger) -> None:
    trial = encoded()
    with ledger.open_for_writing() as writer:
        writer.commit(trial)
        assert ledger.committed() == {trial.trial_id}
    name = f"{trial.trial_id}.parquet"
    assert entries(ledger.paths.folder) == [f"curves/{name}", f"predictions/{name}", f"trials/{name}"]
    assert ledger.paths.table("trials", trial.trial_id).read_bytes() == trial.trials
    assert ledger.paths.table("predictions", trial.trial_id).read_bytes() == trial.predictions
    assert ledger.paths.table("curves", trial.trial_id).read_bytes() == trial.curves
    assert ledger.verify().damage == ()
    assert ledger.verify().trials == 1


def test_a_diverged_trial_is_committed_without_predictions(ledger: Ledger) -> None:
    trial = encoded(diverged=True)
    with ledger.open_for_writing() as writer:
        writer.commit(trial)
        assert writer.check() == []
    assert ledger.committed() == {trial.trial_id}
    assert ledger.files("predictions") == []
    assert len(ledger.files("curves")) == 1


def test_the_first_commit_of_a_trial_stays(ledger: Ledger) -> None:
    first = encoded(0)
    second = encode(synthetic_result(synthetic_settings(seed=0), np.random.default_rng(99)), PROVENANCE)
    assert second.trial_id == first.trial_id
    for trial in (first, second):
        with ledger.open_for_writing() as writer:
            writer.commit(trial)
    with ledger.open_for_writing() as writer:
        writer.commit(second)
    assert ledger.paths.table("predictions", first.trial_id).read_bytes() == first.predictions
    assert ledger.verify().damage == ()


def test_bytes_that_do_not_belong_together_are_refused(ledger: Ledger) -> None:
    one, other = encoded(0), encoded(1)
    assert one.predictions is not None
    wrong = [
        EncodedTrial(other.trial_id, one.trials, one.predictions, one.curves),
        EncodedTrial("../../x", one.trials, one.predictions, one.curves),
        EncodedTrial(one.trial_id, one.trials, other.predictions, one.curves),
        EncodedTrial(one.trial_id, one.trials, None, one.curves),
        EncodedTrial(one.trial_id, one.trials, one.predictions, other.curves),
        EncodedTrial(one.trial_id, one.trials[:-1], one.predictions, one.curves),
        EncodedTrial(one.trial_id, b"", one.predictions, one.curves),
    ]
    with ledger.open_for_writing() as writer:
        for trial in wrong:
            with pytest.raises(ResultsError):
                writer.commit(trial)
        assert entries(ledger.paths.folder) == [".lock"]


def test_only_files_of_committed_trials_count(filled: Ledger) -> None:
    trial = encoded(7)
    filled.paths.table("curves", trial.trial_id).write_bytes(trial.curves)
    assert trial.predictions is not None
    filled.paths.table("predictions", trial.trial_id).write_bytes(trial.predictions)
    assert len(filled.files("trials")) == len(filled.files("curves")) == 4
    assert len(filled.files("predictions")) == 3
    assert not any(trial.trial_id in name for name in filled.files("predictions"))


def test_a_failure_is_kept_until_the_trial_succeeds(ledger: Ledger) -> None:
    trial = encoded()
    with ledger.open_for_writing() as writer:
        writer.record_failure(failure(trial.trial_id, "first"))
        writer.record_failure(failure(trial.trial_id, "second"))
        assert ledger.failures() == {trial.trial_id: failure(trial.trial_id, "second")}
        writer.commit(trial)
        assert ledger.failures() == {}
        writer.record_failure(failure(trial.trial_id, "late"))
    assert not any("failures" in name for name in entries(ledger.paths.folder))


def test_any_text_of_a_failure_can_be_kept(ledger: Ledger) -> None:
    """Also what a worker printed that is no UTF-8, and a traceback without end."""
    trial_id = encoded().trial_id
    with ledger.open_for_writing() as writer:
        writer.record_failure(failure(trial_id, "caf\udce9" + "x" * 200_000 + "the end"))
    kept = ledger.failures()[trial_id].message
    assert kept.endswith("the end")
    assert len(kept) == 100_000


def test_a_checkpoint_comes_back_until_the_trial_succeeds(ledger: Ledger) -> None:
    trial = encoded()
    with ledger.open_for_writing() as writer:
        assert writer.checkpoint(trial.trial_id) is None
        writer.put_checkpoint(trial.trial_id, b"one")
        writer.put_checkpoint(trial.trial_id, b"two")
    with ledger.open_for_writing() as writer:
        assert writer.checkpoint(trial.trial_id) == b"two"
        writer.commit(trial)
        assert writer.checkpoint(trial.trial_id) is None
        writer.put_checkpoint(trial.trial_id, b"late")
        assert writer.checkpoint(trial.trial_id) is None
    assert not any("checkpoints" in name for name in entries(ledger.paths.folder))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".", "a/b-c", "UPPER-x", "a-b\n"])
def test_an_id_that_could_leave_the_folder_is_refused(ledger: Ledger, name: str) -> None:
    with ledger.open_for_writing() as writer:
        for act in (
            lambda: writer.put_checkpoint(name, b""),
            lambda: writer.checkpoint(name) or 1 / 0,
            lambda: writer.record_failure(failure(name)),
        ):
            with pytest.raises((ResultsError, ZeroDivisionError)):
                act()
        assert entries(ledger.paths.folder) == [".lock"]


def test_opening_removes_what_an_earlier_writer_left(filled: Ledger) -> None:
    before = entries(filled.paths.folder)
    committed, orphan = min(filled.committed()), encoded(7)
    with filled.open_for_writing() as writer:
        writer.put_checkpoint(orphan.trial_id, b"to be kept")
        writer.record_failure(failure(orphan.trial_id))
    kept = {f"checkpoints/{orphan.trial_id}.checkpoint", f"failures/{orphan.trial_id}.json"}
    filled.paths.table("curves", orphan.trial_id).write_bytes(orphan.curves)
    filled.paths.table("predictions", orphan.trial_id).write_bytes(b"half")
    filled.paths.checkpoint(committed).write_bytes(b"cut")
    filled.paths.failure(committed).write_bytes(b"{")
    for folder in (*filled.paths.subfolders[:5], filled.paths.folder):
        (folder / ".x.parquet.12ab34cd.tmp").write_bytes(b"half")
    (filled.paths.trials / "notes.txt").write_text("a person's own")
    with filled.open_for_writing():
        pass
    assert set(entries(filled.paths.folder)) == {*before, *kept, "trials/notes.txt"}


@pytest.mark.parametrize("kind", ["trials", "predictions", "curves"])
@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "append", "delete", "folder", "swap"])
def test_damage_is_found_set_aside_and_only_that_trial_is_missing(
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
    assert filled.plausible() == filled.committed() - (set() if in_place else {hit})
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
        (aside,) = filled.paths.damaged.iterdir()
        assert {one.name for one in aside.iterdir()} | {f"{kind}.parquet"} == {
            "trials.parquet",
            "predictions.parquet",
            "curves.parquet",
        }


def test_a_diverged_trial_with_predictions_is_damage(filled: Ledger) -> None:
    trial = encoded(3, diverged=True)
    filled.paths.table("predictions", trial.trial_id).write_bytes(b"PAR1")
    assert list(damage_of(filled)) == [f"predictions/{trial.trial_id}.parquet"]


def test_a_lost_row_is_told_by_the_tables_that_it_leaves(filled: Ledger) -> None:
    lost = min(filled.committed() - {encoded(3, diverged=True).trial_id})
    filled.paths.table("trials", lost).unlink()
    assert sorted(damage_of(filled)) == [f"curves/{lost}.parquet", f"predictions/{lost}.parquet"]
    with filled.open_for_writing():  # a commit under way is none
        filled.paths.table("curves", lost).write_bytes(b"")
        assert damage_of(filled) == {}


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff", b"[" * 100_000])
def test_a_torn_record_or_failure_or_checkpoint_is_told_and_hinders_nothing(
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
        assert writer.checkpoint(trial_id) is None
        writer.put_checkpoint(trial_id, b"new")
        assert writer.checkpoint(trial_id) == b"new"


@pytest.mark.parametrize("which", ["folder", "trials", "predictions", "damaged"])
def test_a_folder_that_is_a_link_is_refused(filled: Ledger, tmp_path: Path, which: str) -> None:
    path = filled.paths.folder if which == "folder" else filled.paths.folder / which
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = entries(elsewhere)
    with pytest.raises(ResultsError, match="symbolic link"), filled.open_for_writing():
        pass
    if which in ("folder", "trials"):
        with pytest.raises(ResultsError, match="symbolic link"):
            filled.committed()
    assert entries(elsewhere) == before


@pytest.mark.parametrize("kind", ["trials", "predictions", "curves", "failures", "checkpoints"])
def test_a_file_that_is_a_link_is_refused(filled: Ledger, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (filled.paths.folder / kind / "x-y.parquet").symlink_to(target)
    with pytest.raises(ResultsError, match="symbolic link"), filled.open_for_writing():
        pass
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("name", [".lock", "sweep.json"])
def test_a_linked_lock_or_record_is_never_followed(filled: Ledger, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (filled.paths.folder / name).symlink_to(target)
    if name == ".lock":
        with pytest.raises(ResultsError, match="symbolic link"), filled.open_for_writing():
            pass
    else:
        assert filled.record() is None
    assert target.read_bytes() == b"precious"


def test_the_folder_must_be_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(StorageError, match="Not a directory"), Ledger(path).open_for_writing():
        pass


def test_the_cost_of_a_commit_does_not_grow(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    trials = [encoded(seed) for seed in range(5)]

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        return call

    with ledger.open_for_writing() as writer:
        for name in ("open", "write", "fsync", "replace", "unlink", "scandir", "stat"):
            monkeypatch.setattr(os, name, counted(name))
        counts = []
        for trial in trials:
            calls.clear()
            writer.commit(trial)
            counts.append(sorted(calls))
        monkeypatch.undo()
    assert all(count == counts[0] for count in counts)
    assert "scandir" not in counts[0]
    assert counts[0].count("fsync") == 6


def test_damage_has_its_path_and_words(filled: Ledger) -> None:
    hit = filled.paths.table("curves", min(filled.committed()))
    hit.unlink()
    assert filled.verify().damage == (Damage(hit, "the file is missing"),)


def test_a_copy_under_another_name_is_told_for_patterns_would_count_it(filled: Ledger) -> None:
    row = next(filled.paths.trials.iterdir())
    copy = filled.paths.trials / f"{row.stem} (copy).parquet"
    copy.write_bytes(row.read_bytes())
    assert damage_of(filled) == {f"trials/{copy.name}": "no trial's file; move it elsewhere"}


def test_a_folder_where_a_left_over_would_be_is_moved_aside(filled: Ledger) -> None:
    trial_id = next(iter(filled.committed()))
    for path in (filled.paths.checkpoint(trial_id), filled.paths.failure(trial_id)):
        path.mkdir()
        (path / "somebody's").touch()
    with filled.open_for_writing():
        pass
    assert filled.verify().damage == ()
    assert len(list(filled.paths.damaged.glob("*/*/somebody's"))) == 2
