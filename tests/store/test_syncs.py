"""Folders that cannot be synced, and what may lie in the place of a log."""

import errno
import os
import stat
from pathlib import Path

import pytest

from raysweep.errors import StorageError
from raysweep.store.atomic_files import Folder
from raysweep.store.ledger import Ledger
from raysweep.store.syncs import sync_file


def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the sync of a folder fail, and no other."""
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    "name", ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF", "EISDIR", "EACCES", "EPERM"]
)
def test_a_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    failing(monkeypatch, getattr(errno, name))
    with Ledger(tmp_path / "a" / "b").open_for_writing():
        folder = Folder.create(tmp_path / "a" / "b" / "c")
        folder.put("one", b"1")
        folder.move("one", folder, "two")
        assert folder.get("two") == b"1"
        folder.close()


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT"])
def test_a_disk_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    failing(monkeypatch, getattr(errno, name))
    folder = Folder(tmp_path)
    with pytest.raises(StorageError, match=os.strerror(getattr(errno, name))):
        folder.put("one", b"1")
    folder.close()


def test_a_file_that_cannot_be_synced_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fsync)
    folder = Folder(tmp_path)
    with pytest.raises(StorageError, match="Invalid argument"):
        folder.put("one", b"1")
    assert list(tmp_path.iterdir()) == []
    folder.close()


def test_a_mac_is_asked_for_more_than_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("fcntl.F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr("fcntl.fcntl", lambda descriptor, command: asked.append(command))
    sync_file(-1)
    assert asked == [51]

    def without(descriptor: int, command: int) -> None:
        raise OSError(errno.ENOTSUP, "no such sync")

    monkeypatch.setattr("fcntl.fcntl", without)
    with (tmp_path / "file").open("wb") as file:
        sync_file(file.fileno())


@pytest.mark.parametrize("what", ["nothing", "file", "link", "dangling", "fifo", "folder", "full folder"])
def test_the_log_takes_the_place_of_anything(tmp_path: Path, what: str) -> None:
    ledger = Ledger(tmp_path / "results")
    tmp_path.joinpath("results").mkdir()
    log, other = ledger.paths.log, tmp_path / "other"
    other.write_text("of somebody else")
    if what == "file":
        log.write_text("of the run before")
    elif what == "link":
        log.symlink_to(other)
    elif what == "dangling":
        log.symlink_to(tmp_path / "nowhere")
    elif what == "fifo":
        os.mkfifo(log)
    elif what != "nothing":
        log.mkdir()
        if what == "full folder":
            log.joinpath("note").touch()
    with ledger.open_for_writing() as writer:
        for _ in range(2):
            with writer.open_log() as file:
                file.write(b"of this run")
    assert log.is_file()
    assert not log.is_symlink()
    assert log.read_text() == "of this run"
    assert other.read_text() == "of somebody else"
    assert len(list(ledger.paths.damaged.glob("folder-*/run.log"))) == ("folder" in what)
