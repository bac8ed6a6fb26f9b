"""What `raysweep reproduce` shows: its progress, and how the trial trained again compares."""

import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raysweep.report.reflow import ReflowedLive, draws_in_place
from raysweep.report.scoreboard import clock
from raysweep.report.wrapped import Wrapped
from raysweep.store.differences import Difference, Reproduction
from raysweep.text import clean_text, duration, share

NO_PROMISE: Final = "no equality is promised: the network draws from a source without a seed"
NO_CHANGE: Final = (
    "Versions, processor, device and threads are those of the trial's row, so the cause is another one: a "
    "processor of the same name with other instructions, changed source, or a defect of raysweep."
)
_NAME_WIDTH: Final = 13


class TrialProgress:
    """One line on a terminal, renewed in place; nothing elsewhere.

    Args:
        label: the trial.
        console: the terminal.
    """

    def __init__(self, label: str, console: Console) -> None:
        """Keep what to show."""
        self._label = label
        self._epoch, self._epochs = 0, 1
        self._figures = "starting TensorFlow"
        self._began = time.monotonic()
        shown = draws_in_place(console)
        self._live = ReflowedLive(self, console, refresh_per_second=4) if shown else None

    def __enter__(self) -> "TrialProgress":
        """Draw the line."""
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the line."""
        if self._live is not None:
            self._live.stop()

    def show(self, epoch: int, epochs: int, loss: float, accuracy: float) -> None:
        """Take how far the training is, for the next drawing."""
        self._epoch, self._epochs, self._figures = epoch, epochs, f"loss {loss:4.2f} acc {share(accuracy)}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the line."""
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True, max_width=max(options.max_width - 60, 12), overflow="ellipsis")
        line.add_column(ratio=1)
        line.add_column(no_wrap=True, justify="right")
        line.add_column(no_wrap=True, min_width=19)
        line.add_column(no_wrap=True)
        bar = ProgressBar(total=self._epochs, completed=self._epoch, width=None)
        epochs = f"{self._epoch:,}/{self._epochs:,}" if self._epoch else ""
        line.add_row(self._label, bar, epochs, self._figures, clock(time.monotonic() - self._began))
        yield line


CLASSES_NEEDED: Final = (
    "Keras loads it only with the classes of its networks file: import that file first, and register its "
    "classes with @keras.saving.register_keras_serializable()"
)


def reproduction_view(outcome: Reproduction) -> RenderableType:
    """Lay out how a trial trained again compares with its committed files."""
    trial, took = outcome.trial_id, duration(outcome.seconds)
    if not outcome.differences:
        though = "" if outcome.promised else f" ({NO_PROMISE})"
        lines: list[RenderableType] = [_line(f"{trial}: reproduced, every byte is equal; {took}{though}")]
    else:
        tables = " and ".join(one.table for one in outcome.differences)
        lines = [_line(f"{trial}: not reproduced, {tables} differ; {took}"), *_differences(outcome)]
    if outcome.model_asked:
        kept = outcome.model is not None
        lines.append(_line(f"network kept in {outcome.model}" if kept else "the network was not kept"))
        if kept and not outcome.model_loads:
            lines.append(_paragraph(CLASSES_NEEDED))
    return Group(*lines)


def _differences(outcome: Reproduction) -> Iterator[RenderableType]:
    for one in outcome.differences:
        yield from map(_paragraph, _described(one))
    if not outcome.promised:
        yield _line(NO_PROMISE)
        return
    yield _line("Not as in the trial's row:" if outcome.changes else NO_CHANGE)
    for change in outcome.changes:
        yield _paragraph(f"{change.what}: {change.committed} committed, {change.here} here")


def _line(text: str) -> Text:
    return Text(clean_text(text))


def _paragraph(text: str) -> Wrapped:
    return Wrapped(clean_text(text), 2, 2 + _NAME_WIDTH)


def _described(one: Difference) -> Iterator[str]:
    """Say where two files differ first, and how much."""
    name = f"{one.table:{_NAME_WIDTH}}"
    both = f"{one.committed} committed, {one.again} here"
    if not one.place:
        yield f"{name}every value is equal, but their encoding is not: {both}"
        return
    yield f"{name}first at {one.place}: {both}"
    if one.different:
        columns = ", ".join(f"{column} {rows:,}" for column, rows in one.different.items())
        yield f"{'':{_NAME_WIDTH}}rows that differ, of {one.rows:,}: {columns}"
