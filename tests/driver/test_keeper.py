"""The keeper, with a driver that is a shell: whatever ends, everything of its session and its folder go."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from raysweep.driver import keeper
from raysweep.run.temporary import remove_left_overs

GRANDCHILD = "sleep 600 & "


class Kept:
    """A keeper with a shell as its driver, and this process as its command."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        self.end, keepers = socket.socketpair()
        drivers, _ = os.pipe()
        command = [sys.executable, "-I", "-S", keeper.__file__, str(folder), str(drivers), "sh", "-c", script]
        with keepers:
            self.process = subprocess.Popen(
                command,
                stdin=keepers.fileno(),
                pass_fds=[drivers],
                start_new_session=True,
                stderr=subprocess.PIPE,
            )
        os.close(drivers)

    def wait_for_session(self, members: int) -> list[psutil.Process]:
        end = time.monotonic() + 20
        while len(pids := list(keeper.members(self.process.pid))) < members + 1:  # and the keeper itself
            assert time.monotonic() < end
            time.sleep(0.01)
        found = []
        for pid in pids:
            with suppress(psutil.NoSuchProcess):  # a short sleep of the shell's loop
                found.append(psutil.Process(pid))
        return found

    def close(self) -> None:
        self.end.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "raysweep-0123abcd"


@pytest.fixture
def started() -> Iterator[list[Kept]]:
    """What a test starts, to be ended with it."""
    found: list[Kept] = []
    yield found
    for one in found:
        one.close()


def gone(processes: list[psutil.Process]) -> bool:
    _, left = psutil.wait_procs(processes, timeout=10)
    return not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 7", 7), ("kill -ABRT $$", 128 + signal.SIGABRT), ("exit 0", 0)]
)
def test_when_the_driver_ends_all_ends_with_its_exit_code(
    folder: Path, started: list[Kept], script: str, exit_code: int
) -> None:
    wait = "while ! test -e go; do sleep 0.02; done;"
    started.append(kept := Kept(folder, GRANDCHILD + wait + script))
    session = kept.wait_for_session(2)
    (folder / "go").touch()
    assert kept.process.wait(timeout=20) == exit_code
    assert gone(session)
    assert not folder.exists()


def test_when_the_command_ends_all_ends(folder: Path, started: list[Kept]) -> None:
    started.append(kept := Kept(folder, GRANDCHILD + "sleep 600"))
    session = kept.wait_for_session(3)
    assert (folder / keeper.MARK).read_text() == f"{kept.process.pid}\n"
    kept.end.close()
    assert kept.process.wait(timeout=20) == 128 + signal.SIGKILL
    assert gone(session)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, started: list[Kept]) -> None:
    started.append(kept := Kept(tmp_path / "missing" / "folder", "exit 0"))
    assert kept.process.wait(timeout=20) == keeper.NO_FOLDER
    assert kept.end.recv(100) == b"No such file or directory"


def test_the_next_run_ends_what_a_killed_keeper_left(
    tmp_path: Path, folder: Path, started: list[Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysweep.run.temporary.tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("raysweep.run.temporary.LONGEST_PATH", 1000)
    started.append(kept := Kept(folder, GRANDCHILD + "sleep 600"))
    session = kept.wait_for_session(3)
    remove_left_overs()  # a keeper that lives keeps its folder
    assert (folder / keeper.MARK).is_file()
    assert all(process.is_running() for process in session)
    kept.process.kill()
    kept.process.wait()
    remove_left_overs()
    assert gone(session)
    assert not folder.exists()


def test_a_session_of_that_number_elsewhere_is_left_alone(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysweep.run.temporary.tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("raysweep.run.temporary.LONGEST_PATH", 1000)
    folder.mkdir()
    with subprocess.Popen(["sleep", "600"], start_new_session=True, cwd="/") as other:
        (folder / keeper.MARK).write_text(f"{other.pid}\n")
        remove_left_overs()
        assert not folder.exists()
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("content", ["", "no number", "1"])
def test_a_mark_that_says_nothing_useful_ends_nobody(
    tmp_path: Path, folder: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysweep.run.temporary.tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("raysweep.run.temporary.LONGEST_PATH", 1000)
    folder.mkdir()
    (folder / keeper.MARK).write_text(content)
    (folder / "r").mkdir()
    remove_left_overs()
    assert not folder.exists()
