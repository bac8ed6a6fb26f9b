"""What every command does with a results folder and with what it prints."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from raysweep.errors import StorageError, UsageError

if TYPE_CHECKING:
    from raysweep.store.ledger import Ledger


def ledger_of(folder: Path) -> "Ledger":
    """Open a sweep's results for reading.

    Raises:
        UsageError: there is no such folder.
        StorageError: it cannot be read.
    """
    from raysweep.store.ledger import Ledger
    from raysweep.store.listing import in_results
    from raysweep.store.storage_errors import storage_errors

    with storage_errors("read", folder):
        if folder.is_dir():
            os.scandir(folder).close()
            folder.joinpath(".").stat()  # which needs the right to enter it
            return Ledger(folder)
    if folder.is_file():
        raise UsageError(f"{folder}: a file; give the sweep's results folder, such as results/{folder.stem}")
    if meant := in_results(folder):
        raise UsageError(f"{folder}: no such results folder; did you mean {meant}?")
    raise UsageError(f"{folder}: no such results folder; `raysweep run GRID` creates one in `results`")


def print_view(renderable: RenderableType) -> None:
    """Print for people."""
    with output():
        Console().print(renderable)


@contextmanager
def output() -> Iterator[None]:
    """Let the body print; a closed pipe ends the command silently, as it ends other Unix commands.

    Raises:
        StorageError: standard output is a file on a full disk.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing the rest of the buffer would fail again
        raise StorageError(f"the output cannot be written: {error.strerror or error}") from error
