"""One writer per results folder, across processes and hosts, without trusting any clock.

The writer holds `flock` on `.lock` for as long as it lives, so that on one host a dead holder is known
at once, whatever it died of and whoever has its process id now. The file says who that is, for the one
who is refused, and for file systems whose locks do not reach other hosts: there the content decides.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from raysweep.errors import LockedError, ResultsError, StorageError
from raysweep.store.files import read_file, refuse_link, storage_errors

_LARGEST: Final = 4096
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Holder(BaseModel):
    """A process that writes, told apart from every other of any host and boot."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pid: int
    host: str
    boot: str
    """The kernel's id of this boot."""
    started: int
    """The process's start in clock ticks since boot: tells a reused process id."""

    @classmethod
    def current(cls) -> "Holder":
        """This process."""
        pid = os.getpid()
        return cls(pid=pid, host=socket.gethostname(), boot=_boot_id(), started=_start_ticks(pid) or 0)

    def may_live(self) -> bool:
        """Whether the process may still run: surely not after a reboot, or under a reused process id."""
        here = Holder.current()
        if self.boot == here.boot:
            return _start_ticks(self.pid) == self.started
        return self.host != here.host

    def __str__(self) -> str:
        """Words for an error; quoted where a file's content could steer a terminal."""
        return f"process {self.pid} on host {self.host!r}"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock file until the block ends; the file is gone afterwards.

    Raises:
        LockedError: another process holds it, or one of another host may.
        StorageError: the file cannot be written.
    """
    descriptor = _acquire(path)
    try:
        yield
    finally:
        # Removed while still held: whoever waits for the old file sees that it is no longer the one.
        with suppress(OSError):
            if _is_at(descriptor, path):
                path.unlink()
        with suppress(OSError):
            os.close(descriptor)


def release(path: Path) -> None:
    """Remove the lock file of this process, if it still is at that path, before the process ends at once.

    Where the folder was moved meanwhile, another run's may be there.
    """
    with suppress(OSError, ResultsError, StorageError, ValidationError):
        if Holder.model_validate_json(read_file(path) or b"") == Holder.current():
            path.unlink()


def live_holder(path: Path) -> Holder | None:
    """The process that writes now, as far as the lock file's content tells."""
    try:
        holder = Holder.model_validate_json(read_file(path) or b"")
    except (ResultsError, StorageError, ValidationError):
        return None
    return holder if holder.may_live() else None


def _acquire(path: Path) -> int:
    while True:
        refuse_link(path)
        with storage_errors("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
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


def _take(descriptor: int, path: Path) -> None:
    """Take the kernel's lock, at once or not at all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _locked(path, _content(descriptor)) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the path still names the file: a holder that ends removes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _refuse_foreign(descriptor: int, path: Path) -> None:
    """Refuse what the kernel's lock cannot tell: a holder on a host that this one's locks do not reach."""
    content = _content(descriptor)
    if not content:
        return
    try:
        holder = Holder.model_validate_json(content)
    except ValidationError as error:
        raise LockedError(
            f"{path} does not say who holds it; if no other raysweep writes to {path.parent}, "
            f"delete {path} and run again"
        ) from error
    if holder.may_live():
        raise LockedError(
            f"{path.parent} is held by {holder}, and whether that still runs cannot be told from here; "
            f"wait for it to end, or, if it surely has ended, delete {path} and run again"
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
    """Write this process into the file: whole, or not at all."""
    text = Holder.current().model_dump_json().encode()
    try:
        os.ftruncate(descriptor, 0)
        if os.pwrite(descriptor, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """When a process started, in ticks since boot (proc(5), field 22); None where there is none.

    The command's name, field 2, may hold anything, so the fields are counted from behind it.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[19])
