"""Symbolic links in a results folder are refused, and their targets are not touched."""

from pathlib import Path
from typing import Literal

import pytest

from raysweep.errors import ResultsError, StorageError
from raysweep.store.ledger import Ledger
from tests.ledgers import entries


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


@pytest.mark.parametrize("kind", ["predictions", "curves"])
def test_a_trial_with_a_link_is_refused_and_the_path_is_named_once(
    filled: Ledger, tmp_path: Path, kind: Literal["predictions", "curves"]
) -> None:
    trial_id = min(filled.committed())
    path = filled.paths.table(kind, trial_id)
    path.rename(tmp_path / "target")
    path.symlink_to(tmp_path / "target")
    with pytest.raises(ResultsError, match="symbolic link") as raised:
        filled.trial(trial_id)
    assert str(raised.value).count(str(path)) == 1


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


def test_the_folder_must_be_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(StorageError, match="Not a directory"), Ledger(path).open_for_writing():
        pass
