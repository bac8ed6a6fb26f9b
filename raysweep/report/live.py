"""The two ways to show a run under way, and what happens when nobody can look any more.

`LiveDisplay` redraws the scoreboard in place on a terminal, `PlainDisplay` prints one line for each
finished trial. A display that cannot write any more (a closed pipe) falls silent: the run goes on.
"""

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.text import Text

from raysweep.report.reflow import ReflowedLive
from raysweep.report.scoreboard import FinishedTrial, Scoreboard, Snapshot


def display_on(take: Callable[[], Snapshot], *, plain: bool) -> "Muted":
    """Return the display that suits standard output: live on a terminal, else lines.

    Args:
        take: gives the state of the run at this moment.
        plain: lines in any case.
    """
    console = Screen()
    live = console.is_terminal and not console.is_dumb_terminal and not plain
    return Muted(LiveDisplay(take, console) if live else PlainDisplay(take, console))


class Screen(Console):
    """A console that treats a closed pipe as any error of a file; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Let the error through."""
        raise BrokenPipeError


class Display(Protocol):
    """How a run is shown; called from the run's own thread."""

    def __enter__(self) -> "Display":
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Stop showing, and leave the terminal as it was found."""

    def finished(self, trial: FinishedTrial) -> None:
        """Show that a trial was committed."""

    def failed(self, line: str) -> None:
        """Show that an attempt failed."""


class LiveDisplay:
    """Redraws the scoreboard in place, four times a second."""

    def __init__(self, take: Callable[[], Snapshot], console: Console) -> None:
        """Take what gives the state of the run, and the terminal to draw on."""
        self._live = ReflowedLive(Scoreboard(take), console, refresh_per_second=4)

    def __enter__(self) -> "LiveDisplay":
        """Hide the cursor and draw."""
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the display and show the cursor."""
        self._live.stop()

    def finished(self, trial: FinishedTrial) -> None:
        """Do nothing: the board shows it at its next drawing."""

    def failed(self, line: str) -> None:
        """Print the failure above the board, where it stays."""
        self._live.console.print(Text(f"failed: {line}", style="red"))


class PlainDisplay:
    """Prints one line for each finished trial; for logs, pipes and `--plain`."""

    def __init__(self, take: Callable[[], Snapshot], console: Console) -> None:
        """Take what gives the state of the run, and the stream to print to."""
        self._take = take
        self._console = console

    def __enter__(self) -> "PlainDisplay":
        """Say what is going to happen."""
        run = self._take()
        self._print(f"{run.name}: {run.done} of {run.total} trials are done, {run.total - run.done} to train")
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: lines stay."""

    def finished(self, trial: FinishedTrial) -> None:
        """Print the trial's line."""
        run = self._take()
        self._print(f"[{run.done}/{run.total}] {trial.label}: {trial.outcome}, {trial.seconds:.1f} s")

    def failed(self, line: str) -> None:
        """Print the failure's line."""
        self._print(f"failed: {line}")

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


class Muted:
    """Shows through another display until that cannot write any more, then falls silent."""

    def __init__(self, display: Display) -> None:
        """Take the display that may lose its reader."""
        self._display: Display | None = display

    def __enter__(self) -> "Muted":
        """Begin to show."""
        self._try(lambda display: display.__enter__())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        self._try(lambda display: display.__exit__())

    def finished(self, trial: FinishedTrial) -> None:
        """Show that a trial was committed."""
        self._try(lambda display: display.finished(trial))

    def failed(self, line: str) -> None:
        """Show that an attempt failed."""
        self._try(lambda display: display.failed(line))

    def _try(self, show: Callable[[Display], object]) -> None:
        if self._display is None:
            return
        try:
            show(self._display)
        except (OSError, ValueError):  # a closed pipe, a terminal that went away
            self._display = None
