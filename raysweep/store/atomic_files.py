"""Atomic file operations: a file is complete or absent, whatever happens to process, disk or power.

A folder is held open and its files are opened relative to the folder, never through a symbolic link, so
that an entry planted or moved meanwhile cannot redirect a write.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

from raysweep.errors import ResultsError
from raysweep.store.paths import temporary_name
from raysweep.store.storage_errors import storage_errors
from raysweep.store.syncs import sync_file, sync_folder, sync_folder_at

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

MAX_FILE_BYTES: Final = 2**31
"""Most bytes that are read into memory; every file that raysweep writes is far smaller."""


class Folder:
    """One directory, held open until `close`.

    Raises:
        ResultsError: the path is a symbolic link.
        StorageError: the path is not a directory or cannot be opened.
    """

    def __init__(self, path: Path, action: str = "open") -> None:
        """Open the directory; `action` says in an error what it was wanted for."""
        self.path = path
        with storage_errors(action, path):
            refuse_link(path)
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Open the directory; if it is missing, create it and its parents first."""
        with storage_errors("create", path):
            for missing in _missing(path):
                missing.mkdir(exist_ok=True)
                sync_folder_at(missing.parent)
        return cls(path, "use")

    def close(self) -> None:
        """Close the directory."""
        with suppress(OSError):
            os.close(self._fd)

    def names(self) -> Iterator[str]:
        """Yield the names of all entries, temporary files included, in no particular order.

        Raises:
            ResultsError: an entry is a symbolic link.
        """
        with storage_errors("list", self.path), os.scandir(self._fd) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise _link(self.path / entry.name)
                yield entry.name

    def put(self, name: str, data: bytes) -> None:
        """Write a file, or replace an older one; on return the complete file is on the disk.

        The bytes are written to a temporary file and reach the disk before the file is renamed.

        Raises:
            StorageError: the disk is full, failing or read-only. The old state is kept; if the disk fails
                only while the rename is synced, the new state is in place.
        """
        temporary = temporary_name(name)
        with storage_errors("write", self.path / name):
            try:
                self._write(temporary, data)
                os.replace(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=self._fd)
                raise
            sync_folder(self._fd)

    def remove_link(self, name: str) -> None:
        """Remove an entry if it is a symbolic link; what it refers to stays."""
        with storage_errors("remove", self.path / name), suppress(FileNotFoundError):
            if stat.S_ISLNK(os.lstat(name, dir_fd=self._fd).st_mode):
                os.unlink(name, dir_fd=self._fd)

    def new_file(self, name: str) -> BinaryIO:
        """Open a new, empty file for writing, in the place of any other file, link or special file.

        Raises:
            StorageError: the disk is full, failing or read-only, or a folder has the name.
        """
        temporary = temporary_name(name)
        with storage_errors("write", self.path / name):
            descriptor = os.open(temporary, _CREATE, 0o666, dir_fd=self._fd)
            try:
                os.replace(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except BaseException:
                os.close(descriptor)
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=self._fd)
                raise
            return os.fdopen(descriptor, "wb")

    def get(self, name: str, size: int = -1) -> bytes | None:
        """Read a file, or its first `size` bytes; return None if it does not exist.

        Raises:
            ResultsError: the file is a symbolic link or not a regular file.
            StorageError: the file cannot be read.
        """
        return _read(self.path / name, lambda: os.open(name, _READ, dir_fd=self._fd), size)

    def has(self, name: str) -> bool:
        """Return whether there is an entry of that name, of any kind."""
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that name."""
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mode)
        except OSError:
            return False

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        with storage_errors("remove", self.path / name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def move(self, name: str, target: "Folder", new_name: str) -> None:
        """Move an entry of any kind into another folder of the same file system, if it exists."""
        with storage_errors("move", self.path / name):
            try:
                os.rename(name, new_name, src_dir_fd=self._fd, dst_dir_fd=target._fd)
            except FileNotFoundError:
                return
            sync_folder(target._fd)
            sync_folder(self._fd)

    def require_writable(self) -> None:
        """Create and remove a file, because permissions alone do not reveal a read-only disk."""
        name = temporary_name("probe")
        with storage_errors("write into", self.path):
            os.close(os.open(name, _CREATE, 0o666, dir_fd=self._fd))
            os.unlink(name, dir_fd=self._fd)

    def _write(self, name: str, data: bytes) -> None:
        descriptor = os.open(name, _CREATE, 0o666, dir_fd=self._fd)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            sync_file(descriptor)
        finally:
            os.close(descriptor)


def read_file(path: Path) -> bytes | None:
    """Read a regular file, never through a link; return None if it does not exist.

    Raises:
        ResultsError: the file is a symbolic link or not a regular file.
        StorageError: the file cannot be read.
    """
    return _read(path, lambda: os.open(path, _READ))


def refuse_link(path: Path) -> None:
    """Raise an error for a symbolic link: results are not read or written through links.

    Raises:
        ResultsError: the path is a symbolic link.
        StorageError: a folder on the way cannot be entered.
    """
    with storage_errors("read", path):
        link = path.is_symlink()
    if link:
        raise _link(path)


def exists(path: Path) -> bool:
    """Return whether there is an entry at a path, of any kind.

    Raises:
        StorageError: nobody can tell, because a folder on the way cannot be entered.
    """
    with storage_errors("read", path):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def _missing(path: Path) -> list[Path]:
    """Return the folders that must be made, the outermost first."""
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = path.parent
    return missing[::-1]


def _link(path: Path) -> ResultsError:
    return ResultsError(
        f"{path} is a symbolic link, and results are not written or read through links; "
        "replace the link with the real file or folder, or give the path of the real folder"
    )


def _read(path: Path, open_it: Callable[[], int], size: int = -1) -> bytes | None:
    with storage_errors("read", path):
        try:
            descriptor = open_it()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _link(path) from error
            if error.errno == errno.ENXIO:  # a socket
                raise ResultsError("not a regular file") from error
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ResultsError("not a regular file")
            if status.st_size > MAX_FILE_BYTES:
                raise ResultsError(f"too large to be a result: {status.st_size:,} bytes")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(size)
        finally:
            os.close(descriptor)
