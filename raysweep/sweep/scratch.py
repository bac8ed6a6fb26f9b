"""The temporary folder of one run, and the end of everything that the run started.

Ray's sockets, logs and token live in it, and Tune's own files; nobody reads them after the run.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from raysweep.errors import StorageError

PREFIX: Final = "raysweep-"
"""How the names of temporary folders begin."""

MARK: Final = ".raysweep-scratch"
"""The file that tells a run's temporary folder from somebody's own of such a name."""

LONGEST_PATH: Final = 20
"""Bytes of a folder's path below which Ray's sockets still fit."""

GONE_S: Final = 5.0
"""Seconds that killed processes have to be gone before their folder is removed under them."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder that is told from those of dead processes by the kernel's lock on it."""
    parent = _short_temporary_folder()
    while True:
        with scratch_errors(parent):
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(FileNotFoundError):  # another run took it for a dead one's, before it was locked
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                with scratch_errors(parent):
                    (folder / MARK).touch()
                break
            os.close(descriptor)
    try:
        yield folder
    finally:
        clear(folder)
        os.close(descriptor)


def remove_left_overs() -> None:
    """Remove the temporary folders, and end the processes, of runs that were killed and could not."""
    for left_over in _short_temporary_folder().glob(f"{PREFIX}*"):
        _remove_if_dead(left_over)


def _remove_if_dead(folder: Path) -> None:
    with suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (folder / MARK).is_file():
                clear(folder)
            elif stat.S_IMODE(status.st_mode) == stat.S_IRWXU:  # as `mkdtemp` makes it; killed at once
                folder.rmdir()  # if it is empty
        finally:
            os.close(descriptor)


def token_path(scratch: Path) -> Path:
    """Name the file of the private cluster's token."""
    return scratch / "token"


def clear(scratch: Path) -> None:
    """End every process of a private cluster at once, and remove its folder when they are gone.

    A worker whose raylet died is no longer this process's descendant. One that is dying may still write, and
    one may just be starting another: look again until there is none.
    """
    end = time.monotonic() + GONE_S
    while (left := _processes_of(scratch)) and time.monotonic() < end:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        with suppress(psutil.Error, OSError):
            psutil.wait_procs(left, timeout=0.5)
    _remove(scratch)


def _remove(scratch: Path) -> None:
    """Remove a folder, its mark last: by that the next run knows what could not be removed."""
    with suppress(OSError):
        for entry in list(os.scandir(scratch)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != MARK:
                Path(entry.path).unlink(missing_ok=True)
        if {entry.name for entry in os.scandir(scratch)} <= {MARK}:
            shutil.rmtree(scratch)


def _processes_of(scratch: Path) -> list[psutil.Process]:
    """Find the other processes that were told of the token there, or append to a log there.

    The titles that Ray's agents give themselves wipe their environment, and their parent, raylet, ends before
    them.
    """
    token, found = str(token_path(scratch)), []
    command = (os.getpid(), os.getppid())  # this process, or the one that it guards: its Ray appends, too
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            told = process.environ().get("RAY_AUTH_TOKEN_PATH") == token
            if process.pid not in command and (told or _appends_below(scratch, process)):
                found.append(process)
    return found


def _appends_below(folder: Path, process: psutil.Process) -> bool:
    return any(file.mode == "a" and Path(file.path).is_relative_to(folder) for file in process.open_files())


@contextmanager
def scratch_errors(folder: Path) -> Iterator[None]:
    """Say which temporary folder cannot be used, and what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{folder}: a run needs a temporary folder, and cannot write here ({error.strerror or error}); "
            f"free some space, or set TMPDIR to a folder of at most {LONGEST_PATH} characters"
        ) from error


def _short_temporary_folder() -> Path:
    """Name a folder for Ray's sockets, whose paths, 84 bytes below it, may not be longer than 107.

    Raises:
        StorageError: there is none that can be written.
    """
    with scratch_errors(Path(os.environ.get("TMPDIR", "/tmp"))):
        folder = tempfile.gettempdir()
    return Path(folder if len(os.fsencode(folder)) <= LONGEST_PATH else "/tmp")
