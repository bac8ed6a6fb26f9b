"""The temporary folder of one run, and the end of everything that the run started.

Ray's sockets, logs and token live in it, and Tune's own files; nobody reads them after the run.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

PREFIX: Final = "raysweep-"
"""How the names of temporary folders begin."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder that is told from those of dead processes by the kernel's lock on it.

    Those are removed first: a run that was killed could not.
    """
    parent = Path(_short_temporary_folder())
    for left_over in parent.glob(f"{PREFIX}*"):
        _remove_if_dead(left_over)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(FileNotFoundError):  # another run took it for a dead one's, before it was locked
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                break
            os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_if_dead(folder: Path) -> None:
    with suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def abandon(scratch: Path | None) -> None:
    """End every process that this one started, at once, and remove its folder."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)


def _short_temporary_folder() -> str:
    """Name a folder for Ray's sockets, whose paths, 84 bytes below it, may not be longer than 107."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= 20 else "/tmp"
