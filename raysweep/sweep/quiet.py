"""Keeps the terminal for raysweep: what Ray, Tune and TensorFlow print goes to one log file.

They print from C++ and from loggers of their own, so the file descriptors themselves are turned round.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from raysweep.errors import StorageError


@dataclass(frozen=True)
class Streams:
    """Where standard output and standard error go, whatever is done to those."""

    out: TextIO
    err: TextIO


@contextmanager
def streams_of_its_own() -> Iterator[Streams]:
    """Give twins of standard output and standard error."""
    with _twin(1) as out, _twin(2) as err:
        yield Streams(out, err)


@contextmanager
def output_to(log: Path, streams: Streams) -> Iterator[None]:
    """Send what this process prints to `log`, but for what it prints to `streams`.

    Raises:
        StorageError: the log cannot be opened.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(log, "w", encoding="utf-8", opener=_open_regular))
        except OSError as error:
            raise StorageError(f"{log}: {error.strerror}; the log of the run cannot be written") from error
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            _flush()
            os.dup2(streams.out.fileno(), 1)
            os.dup2(streams.err.fileno(), 2)


def _open_regular(path: str, flags: int) -> int:
    """Open for writing what is a file, or nothing yet: a FIFO would wait for its reader."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file")
    return descriptor


@contextmanager
def _twin(descriptor: int) -> Iterator[TextIO]:
    stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="replace")
    try:
        yield stream
    finally:
        with suppress(OSError):  # its reader may be gone
            stream.close()


def _flush() -> None:
    """Bring to the log what is still to be written; what a full disk refuses must not go to the terminal."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)
                stream.flush()
