"""The report of a sweep that runs elsewhere, renewed on the terminal's alternate screen.

Where and how the sweep is read, and what ends the watch early, the caller says: no file is opened here.
"""

import time
from collections.abc import Callable, Hashable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.errors import RaysweepError
from raysweep.text import clean_text

POLL_S: Final = 2.0
"""Seconds between two looks at the folder; more if reading it takes long."""

LOOK_S: Final = 0.25
"""Seconds between two looks at the terminal's size."""

SHARE: Final = 5
"""Times as long as a reading took is the pause after it, at least."""


class Frame:
    """As many lines of a report as the screen has room for, and a line of status below them."""

    def __init__(self, report: RenderableType, status: str) -> None:
        """Keep what to draw."""
        self._report, self._status = report, status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many lines as fit."""
        lines = console.render_lines(self._report, options.update(height=None), pad=False)
        room = max(options.size.height - 1, 0)
        hidden = len(lines) - room
        for line in lines[:room]:
            yield from line
            yield Segment.line()
        for _ in range(-hidden):
            yield Segment.line()
        more = f" · {hidden} more lines, printed at the end" if hidden > 0 else ""
        yield Text(clean_text(f"{self._status}{more}"), "dim", no_wrap=True, overflow="ellipsis", end="")


class Watch:
    """A report that is drawn anew when the sweep or the terminal's size changes.

    Args:
        read: reads and aggregates the sweep.
        mark: returns another value whenever the sweep has changed; cheap.
        view: lays out the report.
        wait: waits so many seconds; returns True if the watch is to end.
        console: the terminal.

    Raises:
        RaysweepError: the sweep cannot be read; later on, that is shown, and tried again.
    """

    def __init__(
        self,
        read: Callable[[], SweepAnalysis],
        mark: Callable[[], Hashable],
        view: Callable[[SweepAnalysis], RenderableType],
        wait: Callable[[float], bool],
        console: Console,
    ) -> None:
        """Read the sweep for the first time."""
        self._read, self._mark, self._view, self._wait = read, mark, view, wait
        self._console = console
        self._trouble = ""
        self._next_look = 0.0
        self._take()

    @property
    def complete(self) -> bool:
        """Return whether every trial of the latest grid is committed."""
        counts = self._analysis.counts
        return self._analysis.plan_known and counts.failed + counts.missing == 0

    def run(self) -> None:
        """Watch until the sweep is complete or `wait` ends it; then print the newest report, whole."""
        if not self.complete:
            with Live(self._frame(), screen=True, auto_refresh=False, console=self._console) as live:
                self._run(live)
        self._console.print(self._view(self._analysis))

    def _run(self, live: Live) -> None:
        drawn = self._state
        while not self._wait(LOOK_S):
            if time.monotonic() >= self._next_look:
                self._look()
            if self.complete:
                return
            if drawn != self._state:
                drawn = self._state
                live.update(self._frame(), refresh=True)

    @property
    def _state(self) -> tuple[object, ...]:
        """Return what a drawing depends on."""
        return self._console.size, self._seen, self._trouble

    def _frame(self) -> Frame:
        return Frame(self._view(self._analysis), self._trouble or self._status)

    def _look(self) -> None:
        """Read the sweep again if it has changed."""
        self._next_look = time.monotonic() + POLL_S
        if self._mark() != self._seen:
            try:
                self._take()
            except RaysweepError as error:  # a run that sets a damaged file aside, say
                self._trouble = str(error).partition("\n")[0]

    def _take(self) -> None:
        """Read the sweep; the next look comes after a pause that is long beside the reading."""
        began = time.monotonic()
        seen = self._mark()  # before: what changes during the reading is read again
        self._analysis = self._read()
        self._seen, self._trouble = seen, ""
        ended = time.monotonic()
        self._next_look = ended + max(POLL_S, SHARE * (ended - began))
        self._status = f"as of {time.strftime('%H:%M:%S')} · Ctrl-C ends"
