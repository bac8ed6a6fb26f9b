"""Syncs: what is written reaches the disk, as far as the file system can promise it."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_NO_FOLDER_SYNC: Final = {
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EISDIR,
    errno.EBADF,
    errno.EACCES,
    errno.EPERM,
}
"""With these, vboxsf, CIFS and FUSE say that a folder cannot be synced; a disk that fails says EIO."""


def sync_file(descriptor: int) -> None:
    """Bring a file to the disk; on a Mac `fsync` alone would leave it in the disk's cache."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):  # the file system has no such sync
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def sync_folder(descriptor: int) -> None:
    """Bring a folder's entries to the disk, if the file system can sync folders; SQLite does so, too."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def sync_folder_at(path: Path) -> None:
    """Sync a folder by its path; this user may not be allowed to open it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FOLDER_SYNC:
            return
        raise
    try:
        sync_folder(descriptor)
    finally:
        os.close(descriptor)
