"""Signals that end a run: the first is a request, the second an order.

The handlers are in place from the first moment of the process on, before anything slow is imported. While
trials are trained, the first signal is only noted: what has come back is committed and the run ends in order.
A second one, or a run that has not ended `GRACE_S` seconds after the first, leaves at once, as does a signal
that comes before or after the training, when nothing is under way.

SIGUSR1 and SIGUSR2, with which a batch system announces its SIGTERM, count as one. Standard library only.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_S = 7.5
"""Seconds that an orderly end may take; with what follows, the command exits within 10."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The signals that end a run."""

ANNOUNCED = (signal.SIGUSR1, signal.SIGUSR2)
"""Those that announce a SIGTERM."""


class Signals:
    """The handlers of this process.

    Attributes:
        leave: called with the exit code to exit at once; it does not return.
        orderly: whether an end in order is worth waiting for.
        first: the number of the first signal that came, or None.
    """

    def __init__(self) -> None:
        """Begin without a signal; `install` puts the handlers in place."""
        self.leave: Callable[[int], None] = os._exit
        self.orderly = False
        self.first: int | None = None
        self._deadline: threading.Timer | None = None
        self._arrived, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._arrived, False)

    def install(self) -> None:
        """Put the handlers in place; a SIGHUP, SIGUSR1 or SIGUSR2 that is ignored stays so (`nohup`, `trap`).

        A SIGINT does not: shells ignore it for whatever they start in the background.

        The interpreter itself writes to the pipe: a signal may come to any thread, and Python's handler runs
        only when the main thread gets back to Python.
        """
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for signum in ENDING:
            if signum in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._handle)

    def fileno(self) -> int:
        """Return a descriptor that can be read from once a signal has come, for `select`."""
        return self._arrived

    @property
    def pending(self) -> bool:
        """Whether the run was asked to end."""
        return self.first is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that a signal ended."""
        signum = signal.SIGTERM if self.first in ANNOUNCED else self.first
        return 128 + (signum or 0)

    def wait(self, seconds: float) -> bool:
        """Wait for a signal; return whether one has come."""
        select.select([self._arrived], [], [], seconds)
        return self.pending

    def _handle(self, signum: int, _: object) -> None:
        """Run in the main thread, between two of its instructions."""
        at_once = self.pending or not self.orderly
        self.first = self.first or signum
        if at_once:
            self.leave(self.exit_code)
        else:
            self._deadline = threading.Timer(GRACE_S, self.leave, [self.exit_code])
            self._deadline.daemon = True
            self._deadline.start()

    def stop_waiting(self) -> None:
        """End the wait for an end in order: the training is over."""
        self.orderly = False
        if self._deadline is not None:
            self._deadline.cancel()


@contextmanager
def blocked() -> Iterator[None]:
    """Let the signals that end a run wait for the end of the block; processes started there inherit it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let the signals that end a run come, whoever started this process.

    The first process of a container ignores what comes before it has handlers. If signals are blocked when
    it starts, as by `env --block-signal`, they wait until here.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


THIS_PROCESS = Signals()
"""A process has one set of handlers."""
