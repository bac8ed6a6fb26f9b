"""Table that becomes a paragraph per row where a terminal is too narrow for its columns."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from raysweep.report.wrapped import Wrapped
from raysweep.text import TOGETHER

_SHORT: Final = 20
"""Longest part that a line never breaks."""


class Fitting:
    """Table of clean texts; nothing of it is cut off, however narrow the terminal.

    >>> table = Table("arch", "trials", "epochs", box=None)
    >>> table.add_row("seq2seq", "28", "500")
    >>> Console(width=18, color_system=None).print(Fitting(table))
      arch seq2seq ·
        trials 28 ·
        epochs 500
    """

    def __init__(self, table: Table) -> None:
        """Keep the table."""
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table if its words fit side by side, else a paragraph per row."""
        wide = options.update(width=10_000)  # the measure would be limited to the console's width
        if Measurement.get(console, wide, self._table).minimum <= options.max_width:
            yield self._table
        else:
            yield from self._paragraphs()

    def _paragraphs(self) -> Iterator[Wrapped]:
        heads = [_plain(column.header) for column in self._table.columns]
        for row in zip(*(column.cells for column in self._table.columns), strict=True):
            cells = zip(heads, map(_plain, row), strict=True)
            parts = [f"{head} {cell}".strip() for head, cell in cells if cell]
            parts = [part.replace(" ", TOGETHER) if len(part) <= _SHORT else part for part in parts]
            yield Wrapped(f"{TOGETHER}· ".join(parts), 2, 4)


def _plain(cell: RenderableType) -> str:
    return (cell.plain if isinstance(cell, Text) else str(cell)).strip()
