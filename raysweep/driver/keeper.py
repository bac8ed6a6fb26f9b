"""A process between the command and the driver that ends what Ray started, however either of them ends.

Standard library only, and run by its path: it is up in some 20 ms, and needs nothing that may break. It leads
a session of its own, in which the driver and every process of a private cluster live: so no signal that goes
to the command's process group reaches them, and all of them can be found. Its standard input is a socket
that the command holds the other end of.
"""

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

MARK = ".raysweep-run"
"""A file that only the temporary folders of runs have; it holds the session's id."""

KILLED_S = 5.0
"""Seconds that killed processes may take to disappear before their folder is removed under them."""

NO_FOLDER = 73
"""Exit code: the temporary folder cannot be made (EX_CANTCREAT of sysexits.h)."""


def main() -> int:
    """Run the driver in a new temporary folder until it or the command ends; return the driver's exit code.

    The arguments are the folder, the descriptor of the driver's connection, and the driver's command line.
    """
    folder, connection, *command = sys.argv[1:]
    try:
        _make(Path(folder))
    except OSError as error:
        os.write(0, (error.strerror or str(error)).encode())
        return NO_FOLDER
    try:
        return _run(folder, int(connection), command)
    finally:
        clear(Path(folder), os.getpid())


def _run(folder: str, connection: int, command: Sequence[str]) -> int:
    """Run the driver until it or the command ends; return its exit code."""
    ended, report = os.pipe()
    driver = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, pass_fds=[connection])
    os.close(connection)
    waiting = threading.Thread(target=_wait, args=[driver, report], daemon=True)
    waiting.start()
    select.select([0, ended], [], [])
    clear(Path(folder), os.getpid())
    waiting.join()
    return driver.returncode if driver.returncode >= 0 else 128 - driver.returncode


def _wait(driver: "subprocess.Popen[bytes]", report: int) -> None:
    driver.wait()
    os.close(report)


def _make(folder: Path) -> None:
    """Make the folder, locked as long as this process lives: no other run takes it for a dead one's."""
    while True:
        folder.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # another run removed it before it was locked
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                break
            os.close(descriptor)
    (folder / MARK).write_text(f"{os.getpid()}\n")


def clear(folder: Path, session: int) -> None:
    """Kill every other process of a session, then remove the folder.

    A process may start another one in the moment in which it is killed: look again until there is none.
    """
    end = time.monotonic() + KILLED_S
    while (pids := list(members(session))) and time.monotonic() < end:
        kill(pids)
        time.sleep(0.02)
    remove(folder)


def members(session: int) -> Iterator[int]:
    """Find the living processes of a session, this one left out; zombies hold nothing any more."""
    found = _sessions_of_proc() if Path("/proc/self/stat").exists() else _sessions_of_ps()
    for pid, its_session, state in found:
        if its_session == session and state not in "ZX" and pid != os.getpid():
            yield pid


def _sessions_of_proc() -> Iterator[tuple[int, int, str]]:
    """Yield every process's id, session and state."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text(errors="replace")
            # The second field of proc(5), a name in parentheses, may hold anything.
            state, _, _, session = stat.rpartition(")")[2].split()[:4]
            yield int(folder.name), int(session), state


def _sessions_of_ps() -> Iterator[tuple[int, int, str]]:
    """Yield the same where there is no `/proc`; ps(1) itself has ended when its output is read."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        pid, state = line.split()[:2]
        with suppress(OSError):  # gone, or on some systems of another session, and so none of ours
            yield int(pid), os.getsid(int(pid)), state[0]


def kill(pids: Sequence[int]) -> None:
    """Send SIGKILL to processes, some of which may be gone."""
    for pid in pids:
        with suppress(OSError):  # gone, or of another user
            os.kill(pid, signal.SIGKILL)


def remove(folder: Path) -> None:
    """Remove a folder, its mark last: by that the next run recognises what could not be removed."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != MARK:
                Path(entry.path).unlink(missing_ok=True)
        if {entry.name for entry in os.scandir(folder)} <= {MARK}:
            shutil.rmtree(folder)


if __name__ == "__main__":
    os._exit(main())
