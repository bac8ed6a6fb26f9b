"""Displays of a run in progress.

`LiveDisplay` redraws the scoreboard in place on a terminal, `PlainDisplay` prints one line per finished
trial. If a display can no longer write (a closed pipe), `Muted` drops the display, and the run goes on.
"""

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.text import Text

from raysweep.report.reflow import ReflowedLive, draws_in_place
from raysweep.report.scoreboard import FinishedTrial, Scoreboard, Snapshot


def display_on(take: Callable[[], Snapshot], *, plain: bool) -> "Muted":
    """Return the display that suits standard output: live on a terminal, plain lines otherwise.

    Args:
        take: returns the current state of the run.
        plain: print plain lines even on a terminal.
    """
    console = Screen()
    live = draws_in_place(console) and not plain
    return Muted(LiveDisplay(take, console) if live else PlainDisplay(take, console))


class Screen(Console):
    """Console that raises `BrokenPipeError` if its pipe is closed; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Raise the error instead of ending the process."""
        raise BrokenPipeError


class Display(Protocol):
    """Protocol of a run's display; every method is called from the run's own thread."""

    def __enter__(self) -> "Display":
        """Start showing the run."""

    def __exit__(self, *_: object) -> None:
        """Stop showing the run, and restore the terminal."""

    def finished(self, trial: FinishedTrial) -> None:
        """Show that a trial was committed."""

    def tell(self, line: str, style: str = "") -> None:
        """Print a line that stays."""


class LiveDisplay:
    """Scoreboard that is redrawn in place four times a second."""

    def __init__(self, take: Callable[[], Snapshot], console: Console) -> None:
        """Draw on a terminal; `take` returns the state of the run."""
        self._live = ReflowedLive(Scoreboard(take), console, refresh_per_second=4)

    def __enter__(self) -> "LiveDisplay":
        """Hide the cursor and draw."""
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the display and show the cursor."""
        self._live.stop()

    def finished(self, trial: FinishedTrial) -> None:
        """Do nothing; the next redraw shows the trial."""

    def tell(self, line: str, style: str = "") -> None:
        """Print a line that stays above the scoreboard."""
        self._live.console.print(Text(line, style=style))


class PlainDisplay:
    """Printed lines, one per finished trial; for logs, pipes and `--plain`."""

    def __init__(self, take: Callable[[], Snapshot], console: Console) -> None:
        """Print to a stream; `take` returns the state of the run."""
        self._take = take
        self._console = console

    def __enter__(self) -> "PlainDisplay":
        """Print how many trials are done and how many are missing."""
        run = self._take()
        self._print(f"{run.name}: {run.done} of {run.total} trials are done, {run.total - run.done} to train")
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing; printed lines stay."""

    def finished(self, trial: FinishedTrial) -> None:
        """Print the trial's line."""
        run = self._take()
        self._print(f"[{run.done}/{run.total}] {trial.label}: {trial.outcome}, {trial.seconds:.1f} s")

    def tell(self, line: str, style: str = "") -> None:
        """Print a line."""
        self._print(line)

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


class Muted:
    """Wrapper that drops its display as soon as the display can no longer write."""

    def __init__(self, display: Display) -> None:
        """Wrap a display whose reader may disappear."""
        self._display: Display | None = display

    def __enter__(self) -> "Muted":
        """Start showing the run."""
        self._try(lambda display: display.__enter__())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing the run."""
        self._try(lambda display: display.__exit__())

    def finished(self, trial: FinishedTrial) -> None:
        """Show that a trial was committed."""
        self._try(lambda display: display.finished(trial))

    def tell(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self._try(lambda display: display.tell(line, style))

    def _try(self, show: Callable[[Display], object]) -> None:
        if self._display is None:
            return
        try:
            show(self._display)
        except (OSError, ValueError):  # a closed pipe or terminal
            self._display = None
