"""Lock of a results folder: one writer across processes and hosts, without trusting any clock.

The writer holds `flock` on `.lock` until its process ends, so that on one host a dead holder is recognised
at once, even if its process id is in use again. The file names the holder, for error messages and for file
systems without locks across hosts, on which the content decides.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from raysweep.errors import LockedError, ResultsError, StorageError
from raysweep.machine import boot_id, process_start
from raysweep.store.atomic_files import read_file, refuse_link
from raysweep.store.storage_errors import storage_errors
from raysweep.store.syncs import sync_file

_LARGEST: Final = 4096
_OPEN_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class Holder(BaseModel):
    """A writing process, identified uniquely across hosts and boots."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pid: int
    host: str
    boot: str
    """The system's id of this boot."""
    started: int
    """The process's start, as `process_start` returns it, to detect a reused process id."""

    @classmethod
    def current(cls) -> "Holder":
        """Return this process as a holder."""
        pid = os.getpid()
        return cls(pid=pid, host=socket.gethostname(), boot=boot_id(), started=process_start(pid) or 0)

    def may_live(self) -> bool:
        """Return whether the process may still run; after a reboot or reuse of its id, it cannot."""
        here = Holder.current()
        if self.boot == here.boot:
            started = process_start(self.pid)
            return psutil.pid_exists(self.pid) if started is None else started == self.started
        return self.host != here.host

    def __str__(self) -> str:
        """Describe the holder for an error; the host is quoted, because it could control a terminal."""
        return f"process {self.pid} on host {self.host!r}"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock file until the block ends, then remove the file.

    Raises:
        LockedError: another process holds the lock, or a process of another host may hold it.
        StorageError: the file cannot be written.
    """
    descriptor = _acquire(path)
    try:
        yield
    finally:
        # Removed while still held: a process that waits for the old file sees that the path has changed.
        with suppress(OSError):
            if _is_at(descriptor, path):
                path.unlink()
        with suppress(OSError):
            os.close(descriptor)


def release(path: Path) -> None:
    """Remove this process's lock file, for a process that is about to exit at once.

    If the folder was moved meanwhile, the path may hold another run's lock file, which is kept.
    """
    with suppress(OSError, ResultsError, StorageError, ValidationError):
        if Holder.model_validate_json(read_file(path) or b"") == Holder.current():
            path.unlink()


def live_holder(path: Path) -> Holder | None:
    """Return the process that is writing, according to the lock file's content; None if there is none."""
    try:
        holder = Holder.model_validate_json(read_file(path) or b"")
    except (ResultsError, StorageError, ValidationError):
        return None
    return holder if holder.may_live() else None


def _acquire(path: Path) -> int:
    while True:
        refuse_link(path)
        with storage_errors("lock", path):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN_FLAGS, 0o666)
            except PermissionError as error:
                if not os.path.lexists(path):
                    raise StorageError(
                        f"cannot write to {path.parent}: Permission denied; let this user write to it (its "
                        "group: chmod -R g+w), or give another folder with --results-dir"
                    ) from error
                with suppress(FileNotFoundError):  # its holder has ended, and removed it
                    _remove_other_users(path)
                continue
            try:
                _take(descriptor, path)
                if _is_at(descriptor, path):
                    _refuse_foreign(descriptor, path)
                    _sign(descriptor, path)
                    return descriptor
            except BaseException:
                with suppress(OSError):
                    os.close(descriptor)
                raise
            os.close(descriptor)


def _remove_other_users(path: Path) -> None:
    """Remove a lock file that a dead run of another user left, as in a folder that a group shares.

    Raises:
        LockedError: its holder may live.
        OSError: the file cannot be read or removed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
    except PermissionError as error:
        raise LockedError(
            f"{path} is another user's, and cannot be read; if no other raysweep process writes to "
            f"{path.parent}, delete {path} and run again"
        ) from error
    try:
        _take(descriptor, path)
        if _is_at(descriptor, path):
            _refuse_foreign(descriptor, path)
            path.unlink()
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    """Take the kernel's lock without waiting."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _locked(path, _content(descriptor)) from error
    except OSError as error:
        # NFS asks for a file that is open for writing, as another user's is not: EBADF.
        if error.errno not in (*_NO_LOCKS, errno.EBADF):
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether the path still names the file, which its holder removes on exit."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _refuse_foreign(descriptor: int, path: Path) -> None:
    """Raise an error for a holder that the kernel's lock cannot show, such as a process on another host."""
    content = _content(descriptor)
    if not content:
        return
    try:
        holder = Holder.model_validate_json(content)
    except ValidationError as error:
        raise LockedError(
            f"{path} does not name its holder; if no other raysweep process writes to {path.parent}, "
            f"delete {path} and run again"
        ) from error
    if holder.may_live():
        raise LockedError(
            f"{path.parent} is locked by {holder}, which may still be running; wait for that process to end, "
            f"or, if it has certainly ended, delete {path} and run again"
        )


def _locked(path: Path, content: bytes) -> LockedError:
    try:
        who = str(Holder.model_validate_json(content))
    except ValidationError:
        who = "another process"
    return LockedError(
        f"{path.parent} is being written by {who}; wait for it to end, or run under another --name"
    )


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, _LARGEST, 0)


def _sign(descriptor: int, path: Path) -> None:
    """Write this process's identity into the file, completely or not at all."""
    text = Holder.current().model_dump_json().encode()
    try:
        os.ftruncate(descriptor, 0)
        if os.pwrite(descriptor, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync_file(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
