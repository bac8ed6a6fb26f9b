"""A terminal that a display has changed, restored even if a signal ends the command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from raysweep.run.signals import THIS_PROCESS

SHOW_CURSOR: Final = "\x1b[?25h"
LEAVE_SCREEN: Final = "\x1b[?1049l"
"""Leave the alternate screen."""


@contextmanager
def restored(descriptor: int, sequence: str) -> Iterator[None]:
    """Write a sequence to a terminal if a signal ends the command within the block."""
    before = THIS_PROCESS.leave

    def leave(exit_code: int) -> None:
        with suppress(OSError):
            if os.isatty(descriptor):
                os.write(descriptor, sequence.encode())
        before(exit_code)

    THIS_PROCESS.leave = leave
    try:
        yield
    finally:
        THIS_PROCESS.leave = before
