"""The ledger as readers and the writer see it, with real files."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.store.encoding import EncodedTrial, encode
from raysweep.store.ledger import Ledger
from raysweep.store.sweep_record import Failure
from tests.ledgers import checkpoint_of, encoded, entries
from tests.make_results import MOMENT, PROVENANCE, synthetic_result, synthetic_settings


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


def test_a_ledger_of_no_folder_is_empty_and_makes_none(ledger: Ledger) -> None:
    assert ledger.committed() == set()
    assert ledger.files("predictions") == []
    assert ledger.failures() == {}
    assert ledger.record() is None
    with pytest.raises(UsageError, match="no sweep has written here"):
        ledger.verify()
    assert not ledger.paths.folder.exists()


def test_a_commit_writes_its_bytes_and_nothing_else(ledger: Ledger) -> None:
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


def test_the_first_commit_of_a_trial_is_kept(ledger: Ledger) -> None:
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
    """Including output that is not UTF-8, and a very long traceback."""
    trial_id = encoded().trial_id
    with ledger.open_for_writing() as writer:
        writer.record_failure(failure(trial_id, "caf\udce9" + "x" * 200_000 + "the end"))
    kept = ledger.failures()[trial_id].message
    assert kept.endswith("the end")
    assert len(kept) == 100_000


def test_a_checkpoint_is_kept_until_the_trial_succeeds(ledger: Ledger) -> None:
    trial = encoded()
    with ledger.open_for_writing() as writer:
        assert checkpoint_of(ledger, trial.trial_id) is None
        writer.put_checkpoint(trial.trial_id, b"one")
        writer.put_checkpoint(trial.trial_id, b"two")
    with ledger.open_for_writing() as writer:
        assert checkpoint_of(ledger, trial.trial_id) == b"two"
        writer.commit(trial)
        assert checkpoint_of(ledger, trial.trial_id) is None
        writer.put_checkpoint(trial.trial_id, b"late")
        assert checkpoint_of(ledger, trial.trial_id) is None
    assert not any("checkpoints" in name for name in entries(ledger.paths.folder))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".", "a/b-c", "a-UPPER", "a-b\n"])
def test_an_id_that_could_escape_the_folder_is_refused(ledger: Ledger, name: str) -> None:
    with ledger.open_for_writing() as writer:
        for act in (
            lambda: writer.put_checkpoint(name, b""),
            lambda: writer.saved.put_state(name, b""),
            lambda: writer.record_failure(failure(name)),
        ):
            with pytest.raises((ResultsError, ZeroDivisionError)):
                act()
        assert entries(ledger.paths.folder) == [".lock"]


def test_opening_cleans_up_after_an_earlier_writer(filled: Ledger) -> None:
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
    own = {"trials/notes.txt", "notes.tmp"}
    for name in own:
        (filled.paths.folder / name).write_text("a person's own")
    with filled.open_for_writing():
        pass
    assert set(entries(filled.paths.folder)) == {*before, *kept, *own}


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


def test_a_commit_that_fails_half_way_is_rolled_back(filled: Ledger) -> None:
    trial = encoded(7)
    with filled.open_for_writing() as writer:
        filled.paths.table("curves", trial.trial_id).mkdir()
        with pytest.raises(StorageError, match="Is a directory"):
            writer.commit(trial)
        assert not filled.paths.table("predictions", trial.trial_id).exists()
        filled.paths.table("curves", trial.trial_id).rmdir()
        writer.commit(trial)
    assert trial.trial_id in filled.committed()
    assert filled.verify().damage == ()
