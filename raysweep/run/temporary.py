"""Temporary folders of runs: their names, and the removal of those of killed runs.

Such a folder holds Ray's sockets, logs and token, and Tune's own files; nobody reads them after the run. The
keeper makes the folder of its run, and removes it.
"""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from raysweep.driver import keeper
from raysweep.errors import StorageError

PREFIX: Final = "raysweep-"
"""How the names of temporary folders begin."""

LONGEST_PATH: Final = 20
"""Bytes of a folder's path below which Ray's sockets still fit."""


def temporary_folder() -> Path:
    """Return a path that does not exist yet, short enough for Ray's sockets.

    A socket's path adds 84 bytes to the folder's, and may have 107 at most.

    Raises:
        StorageError: there is no temporary folder that can be written.
    """
    return _parent() / (PREFIX + secrets.token_hex(4))


def temporary_folder_error(folder: Path, reason: str) -> StorageError:
    """Return the error for a temporary folder that cannot be used."""
    return StorageError(
        f"{folder}: a run needs a temporary folder, but cannot write there ({reason}); "
        f"free some space, or set TMPDIR to a folder of at most {LONGEST_PATH} characters"
    )


def remove_left_overs() -> None:
    """Remove the folders of runs whose command and keeper were killed, and end their processes."""
    for folder in _parent().glob(f"{PREFIX}*"):
        _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    with suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (mark := folder / keeper.MARK).is_file():
                if (session := mark.read_text().strip()).isdecimal():
                    keeper.kill(list(_processes_of(folder, int(session))))
                keeper.remove(folder)
            elif stat.S_IMODE(status.st_mode) == stat.S_IRWXU:  # as a keeper makes it; killed at once
                folder.rmdir()  # if it is empty
        finally:
            os.close(descriptor)


def _processes_of(folder: Path, session: int) -> Iterator[int]:
    """Find the processes of a dead run: the session's number may be another one's by now."""
    for pid in keeper.members(session):
        with suppress(psutil.Error):
            if Path(psutil.Process(pid).cwd()) == folder.resolve():
                yield pid


def _parent() -> Path:
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        raise temporary_folder_error(
            Path(os.environ.get("TMPDIR", "/tmp")), error.strerror or str(error)
        ) from error
    return Path(folder if len(os.fsencode(folder)) <= LONGEST_PATH else "/tmp")
