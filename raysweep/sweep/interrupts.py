"""Signals that end a run: the first is a request, the second an order.

While trials are trained, the first of SIGINT, SIGTERM and SIGHUP only sets a flag, which the round's stopper
reads: what came back is committed and the run ends in order. A second one, a run that has not ended `GRACE_S`
seconds after the first, or one that comes before or after the training leaves at once: nothing is under way,
and where it went to Ray's processes too, Ray's C++ would soon end this process without a word.

A thread does all that. Python runs a handler only when the main thread gets back to Python, and that may be
waiting within Ray's C++ for a cluster that the same signal has ended; but the signal's number is written to
a pipe (`signal.set_wakeup_fd`) at once.
"""

import os
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

GRACE_S: Final = 8.5
"""Seconds that an orderly end may take; with what follows, the command is gone within 10."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Installs the handlers for the length of a `with` block.

    Attributes:
        leave: called with the exit code to leave at once; it does not return.
        training: whether a trial has reported, so that an orderly end is worth waiting for.
        signum: the first signal that came, or None.
    """

    def __init__(self) -> None:
        """Begin without a signal."""
        self.leave: Callable[[int], None] = os._exit
        self.training = False
        self.signum: int | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._deadline: threading.Timer | None = None
        self._arriving, self._written = os.pipe()
        os.set_blocking(self._written, False)

    def __enter__(self) -> Self:
        """Install the handlers."""
        self._previous = {signum: signal.getsignal(signum) for signum in SIGNALS}
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        signal.set_wakeup_fd(self._written, warn_on_full_buffer=False)
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there."""
        if self._deadline is not None:
            self._deadline.cancel()
        signal.set_wakeup_fd(-1)
        os.close(self._written)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def install(self) -> None:
        """Install the handlers, again where a library replaced them."""
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN or signum != signal.SIGHUP:  # nohup stays
                signal.signal(signum, lambda *_: None)  # the thread does the rest

    @property
    def pending(self) -> bool:
        """Whether the run was asked to end."""
        return self.signum is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that a signal ended."""
        return 128 + (self.signum or 0)

    def _watch(self) -> None:
        while number := os.read(self._arriving, 1):
            if number[0] in SIGNALS:
                self._handle(number[0])
        os.close(self._arriving)

    def _handle(self, signum: int) -> None:
        disarm()
        at_once = self.pending or not self.training
        self.signum = signum
        if at_once:
            self.leave(self.exit_code)
        self._deadline = threading.Timer(GRACE_S, self.leave, [self.exit_code])
        self._deadline.daemon = True
        self._deadline.start()


def disarm() -> None:
    """Call off the abort that Ray's C++ core sets for three seconds after a SIGTERM that it saw first."""
    signal.alarm(0)
