"""Accuracy per position at one MEM: a row per LEN with a number and a small bar for each position."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Panel
from raysweep.errors import UsageError
from raysweep.report.palette import heat_style, shows_scale
from raysweep.report.wrapped import Wrapped
from raysweep.text import bar, share

_NUMBER: Final = 6
"""Columns of one position: a share with a space on either side."""


def position_table(
    current: Sequence[Panel], former: Sequence[Panel], mem: int | None
) -> "PositionTable | None":
    """The table at the MEM asked for, of the latest grid's panels or else of the former ones.

    By default at the largest MEM of the latest grid that has results; None where none has.

    Raises:
        UsageError: no cell has the MEM that was asked for.
    """
    known = sorted({number for panel in (*current, *former) for number in panel.mems})
    if mem is None:
        mem = max((cell.settings["mem"] for panel in current for cell in panel.evaluated), default=None)
    elif mem not in known:
        raise UsageError(f"--mem {mem}: no MEM of this sweep; use one of {', '.join(map(str, known))}")
    if mem is None:
        return None
    asked = any(mem in panel.mems for panel in current)
    return PositionTable(current if asked else former, mem, known, former=not asked)


class PositionTable:
    """Every panel's rows at one MEM, drawn for the console's width.

    Where a row is too long for it, only every second, third, … number is shown, as the head of the
    table tells, and in the end as few bars.
    """

    def __init__(self, panels: Sequence[Panel], mem: int, known: Sequence[int], *, former: bool) -> None:
        """Keep the cells of this MEM that have results; `known` is every MEM that could be chosen."""
        self._title = f" · MEM {mem}{', no longer in the grid' if former else ''}"
        self._others = [number for number in known if number != mem]
        self._groups = [(panel, cells) for panel in panels if (cells := _evaluated(panel, mem))]
        self._headed = any(panel.label != panel.arch for panel in panels)
        """Whether labels are too long for a column, and stand above their rows instead."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the positions' numbers, and a line per LEN."""
        title = Text.assemble(("position accuracy", "bold"), self._title)
        choice = f"(choose with --mem: {', '.join(map(str, self._others))})" if self._others else ""
        if title.cell_len + 1 + cell_len(choice) <= options.max_width:
            yield title.append(f" {choice}".rstrip())
        else:
            yield title
            yield Wrapped(choice, 2, 3)
        if not self._groups:
            yield Text("  no results with this MEM yet", "dim")
            return
        column = 0 if self._headed else max(cell_len(panel.label) for panel, _ in self._groups) + 2
        longest = max(len(cell.position_accuracy) for _, cells in self._groups for cell in cells)
        room = max(options.max_width - column - len("  LEN │") - 1, 1)
        bar_step = -(-longest * 2 // room) if longest * 2 > room else 1
        bars = -(-longest // bar_step)
        step = next(
            n
            for n in range(1, longest + 1)
            if len(range(0, longest, n)) * _NUMBER + bars <= room or n == longest
        )
        positions = range(0, longest, step)
        head = "".join(f"{position + 1:>5} " for position in positions).rstrip()
        yield Text(f"{'':{column}}  LEN │{head}", "bold")
        for panel, cells in self._groups:
            if self._headed:
                yield Text(f"  {panel.label}")
            for cell in cells:
                line = Text(
                    f"{'' if self._headed else '  ' + panel.label:<{column}}{cell.settings['len']:>5} │"
                )
                _append_numbers(line, cell, positions, shows_scale(console))
                yield line.append(f" {bar(cell.position_accuracy[::bar_step])}")


def _evaluated(panel: Panel, mem: int) -> list[Cell]:
    """The panel's cells of this MEM that have results, by LEN."""
    return [
        cell for n_out in panel.lens if (cell := panel.cells.get((n_out, mem))) and cell.position_accuracy
    ]


def _append_numbers(line: Text, cell: Cell, positions: range, scale: bool) -> None:
    for position in positions:
        if position >= len(cell.position_accuracy):
            line.append(" " * _NUMBER)
            continue
        accuracy = cell.position_accuracy[position]
        line.append(f" {share(accuracy)} ", heat_style(round(accuracy * 100)) if scale else "")
