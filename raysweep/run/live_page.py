"""The page of `run --html`, kept up to date while trials are trained.

A process of its own makes each version: Vega's bundle takes seconds in which Python runs no other thread, and
the command must hear signals and commit. That process needs no supervision: it replaces the file in one step,
and ends within seconds whatever becomes of the command.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

EVERY_S: Final = 30.0
"""Seconds between the end of one version and the beginning of the next, at least."""

SHARE: Final = 4
"""Times as long as a version took is the pause after it, at least."""


class LivePage:
    """The page of one run.

    Args:
        folder: the results folder.
        file: the page.
        version: returns another value when the page would be another one.
        clock: returns the seconds since some moment.
    """

    def __init__(
        self,
        folder: Path,
        file: Path,
        version: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the paths; nothing is started."""
        self._command = [*_niced(), sys.executable, "-P", "-m", "raysweep", "report"]
        self._command += [str(folder.absolute()), "--html", str(file.absolute())]
        self._version, self._clock = version, clock
        self._seen: object = None
        self._making: subprocess.Popen[str] | None = None
        self._began = self._next = clock()

    def renew(self) -> str:
        """Begin the next version if it is time and something has changed; return what went wrong before."""
        problem = ""
        if self._making is not None:
            if self._making.poll() is None:
                return ""
            problem = self._ended(self._making)
        if self._clock() >= self._next and (version := self._version()) != self._seen:
            self._seen = version
            self._begin()
        return problem

    def finish(self, *, wait: bool) -> str:
        """Make the last version; return what went wrong, if it is waited for."""
        if self._making is not None:
            self._making.kill()  # or it could be later than the last one
            self._ended(self._making)
        making = self._begin()
        return self._ended(making) if wait else ""

    def _begin(self) -> "subprocess.Popen[str]":
        self._began = self._clock()
        self._making = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is not for it
        )
        return self._making

    def _ended(self, making: "subprocess.Popen[str]") -> str:
        """Wait for the end of a version, and return what went wrong."""
        _, printed = making.communicate()
        self._making = None
        self._next = self._clock() + max(EVERY_S, SHARE * (self._clock() - self._began))
        return printed.strip() if making.returncode > 0 else ""


def _niced() -> list[str]:
    """Return a prefix of a command that gives the trials precedence."""
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice else []
