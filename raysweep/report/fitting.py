"""Table that becomes a paragraph per row where a terminal is too narrow for its columns."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from raysweep.report.wrapped import Wrapped
from raysweep.text import TOGETHER

_SHORT: Final = 20
"""Longest part that a line never breaks."""

_INDENT: Final = 4
"""Columns before the second and further lines of a paragraph."""

_NARROWEST: Final = 20
"""Least width of a column of long texts in several lines; of short ones it is half of the longest."""


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
        """Draw the table if it fits, some cells in several lines if need be; else a paragraph per row."""
        wide = options.update(width=10_000)  # the measure would be limited to the console's width
        over = Measurement.get(console, wide, self._table).maximum - options.max_width
        if over <= 0:
            yield self._table
        elif (narrower := self._narrower(over)) is not None:
            yield narrower
        else:
            yield from self._paragraphs(min(_SHORT, options.max_width - _INDENT - 2))

    def _narrower(self, over: int) -> Table | None:
        """Return the table with its widest columns narrower; None if words would break, or cells be tall."""
        columns = [(column, [column.header, *column.cells]) for column in self._table.columns]
        texts = [[_plain(cell) for cell in cells] for _, cells in columns]
        widths = [max(map(cell_len, column)) for column in texts]
        least = [
            width if column.no_wrap else max(min(width // 2, _NARROWEST), *map(_longest_word, cells))
            for (column, _), cells, width in zip(columns, texts, widths, strict=True)
        ]
        for _ in range(over):
            room, place = max((width - least[n] and width, n) for n, width in enumerate(widths))
            if not room:
                return None
            widths[place] -= 1
        table = copy(self._table)
        table.columns = [
            replace(column, width=width) for (column, _), width in zip(columns, widths, strict=True)
        ]
        return table

    def _paragraphs(self, short: int) -> Iterator[Wrapped]:
        heads = [_plain(column.header) for column in self._table.columns]
        for row in zip(*(column.cells for column in self._table.columns), strict=True):
            cells = zip(heads, map(_plain, row), strict=True)
            parts = [f"{head} {cell}".strip() for head, cell in cells if cell]
            parts = [part.replace(" ", TOGETHER) if len(part) <= short else part for part in parts]
            yield Wrapped(f"{TOGETHER}· ".join(parts), 2, _INDENT)


def _plain(cell: RenderableType) -> str:
    return (cell.plain if isinstance(cell, Text) else str(cell)).strip()


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)
