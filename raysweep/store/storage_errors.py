"""Errors of files and folders: what cannot be done with a path, why, and what to do."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from raysweep.errors import StorageError

_PERMISSION: Final = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Convert an OSError to a StorageError that names the path and what to do.

    Args:
        action: what cannot be done with the path; opening, listing and reading have remedies of their own,
            because a command that only reads cannot choose another folder.
        path: the file or folder; if a folder on the way to it cannot be entered, the error names that.
    """
    try:
        yield
    except OSError as error:
        reads = action in ("open", "list", "read")
        remedy = _read_remedy if reads else _remedy
        if reads and error.errno == errno.EACCES:
            path = next((one for one in reversed(path.parents) if not os.access(one, os.X_OK)), path)
        space = _free_space(path) if error.errno not in _PERMISSION else ""
        raise StorageError(
            f"cannot {action} {path}: {error.strerror or error}{space}; {remedy(error.errno)}"
        ) from error


def is_denied(error: StorageError) -> bool:
    """Return whether a file is not for this user: it may be valid, and is no damage."""
    return isinstance(error.__cause__, PermissionError)


def _free_space(path: Path) -> str:
    """Describe the free space on the file system of a path; return an empty text if unknown."""
    for folder in path.parents:
        with suppress(OSError):
            free = shutil.disk_usage(folder).free
            return f" ({free / 1e6:,.1f} MB free on the file system of {folder})"
    return ""


def _read_remedy(number: int | None) -> str:
    if number in _PERMISSION:
        return "let this user read it, as its owner: chmod -R u+rX (its group: g+rX, all: a+rX)"
    if number == errno.ENOTDIR:
        return "a file is in the place of a folder; move the file elsewhere"
    if number == errno.ENOENT:
        return "it was removed meanwhile; run the same command again"
    return "check the disk and run the same command again"


def _remedy(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some space and run the same command again; committed trials are kept"
    if number == errno.EFBIG:
        return "raise the limit on file sizes (ulimit -f) and run the same command again"
    if number == errno.EPERM:
        return "it belongs to another user; give a folder of your own with --results-dir"
    if number in _PERMISSION:
        return "give a writable folder with --results-dir"
    if number in (errno.ENOTDIR, errno.EEXIST):
        return "a file is in the place of the results folder; give another --results-dir or --name"
    if number == errno.ENOENT:
        return "it was removed meanwhile; run the same command again to train what is missing"
    return "check the disk and run the same command again; committed trials are kept"
