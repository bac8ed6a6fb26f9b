"""Accuracy per position: a row per LEN with a number and a small bar for each position."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.errors import UsageError
from raysweep.report.palette import heat_style, shows_scale
from raysweep.report.wrapped import Wrapped
from raysweep.text import bar, share

_NUMBER: Final = 6
"""Columns of one position: a share with a space on either side."""

_FEW: Final = 3
"""Positions that a row has room for, or labels are drawn above the rows."""

_ROW_HEAD: Final = "  LEN │"


@dataclass(frozen=True)
class Shown:
    """Cells of one facet at the MEM that it is shown at."""

    label: str
    cells: Sequence[Cell]
    """With results, by LEN."""
    plain: bool
    """Whether the label is the architecture's name alone."""


def position_table(
    current: Sequence[Facet], former: Sequence[Facet], mem: int | None
) -> "PositionTable | None":
    """Return the table at one MEM, of the latest grid's facets or else of former ones.

    By default each facet of the latest grid is shown at its largest MEM that has results; without results,
    return None.

    Raises:
        UsageError: no cell has this MEM.
    """
    known = sorted({number for facet in (*current, *former) for number in facet.mems})
    if mem is None:
        chosen = {id(facet): largest for facet in current if (largest := _largest(facet)) is not None}
        return _table(current, chosen, known, former=False) if chosen else None
    if mem not in known:
        raise UsageError(f"--mem {mem}: not a MEM of this sweep; use one of {', '.join(map(str, known))}")
    planned = any(mem in facet.mems for facet in current)
    listed = current if planned else former
    return _table(listed, {id(facet): mem for facet in listed}, known, former=not planned)


def _largest(facet: Facet) -> int | None:
    return max((cell.settings["mem"] for cell in facet.evaluated), default=None)


def _table(
    facets: Sequence[Facet], mems: Mapping[int, int], known: Sequence[int], *, former: bool
) -> "PositionTable":
    """Select the cells to show; `mems` has the MEM of each facet, by its identity."""
    shown = {*mems.values()}
    one = next(iter(shown)) if len(shown) == 1 else None
    title = " · each network's largest MEM" if one is None else f" · MEM {one}"
    groups = [
        Shown(
            facet.label if one is not None else f"{facet.label}, MEM {mem}",
            cells,
            plain=facet.label == facet.arch,
        )
        for facet in facets
        if (mem := mems.get(id(facet))) is not None and (cells := _cells_at(facet, mem))
    ]
    others = [number for number in known if number != one]
    return PositionTable(f"{title}{', no longer in the grid' if former else ''}", groups, others)


class PositionTable:
    """Rows of every facet at its MEM; positions that exceed the console's width continue below."""

    def __init__(self, title: str, groups: Sequence[Shown], others: Sequence[int]) -> None:
        """Keep what is shown; `others` lists every other MEM that can be chosen."""
        self.title, self.groups = title, groups
        self._others = others
        self._headed = not all(group.plain for group in groups)
        """True if labels are too long for a column, and are drawn above their rows instead."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the positions' numbers, and a line per LEN."""
        title = Text.assemble(("position accuracy", "bold"), self.title)
        choice = f"(choose with --mem: {', '.join(map(str, self._others))})" if self._others else ""
        if title.cell_len + 1 + cell_len(choice) <= options.max_width:
            yield title.append(f" {choice}".rstrip())
        else:
            yield title
            yield Wrapped(choice, 2, 3)
        if not self.groups:
            yield Text("  no results with this MEM yet", "dim")
            return
        yield from self._bands(options.max_width, shows_scale(console))

    def _bands(self, width: int, scale: bool) -> Iterator[Text]:
        """Draw a line per LEN; positions that exceed the width continue below."""
        column = 0 if self._headed else max(cell_len(group.label) for group in self.groups) + 2
        longest = max(len(cell.position_accuracy) for group in self.groups for cell in group.cells)
        room = width - len(_ROW_HEAD) - 1
        headed = self._headed or room - column < min(longest, _FEW) * (_NUMBER + 1)
        column = 0 if headed else column
        per_band = max((room - column) // (_NUMBER + 1), 1)
        for first in range(0, longest, per_band):
            positions = range(first, min(first + per_band, longest))
            head = "".join(f"{position + 1:>5} " for position in positions).rstrip()
            yield Text(f"{'':{column}}{_ROW_HEAD}{head}", "bold")
            for group in self.groups:
                longer = [cell for cell in group.cells if len(cell.position_accuracy) > first]
                if headed and longer:
                    yield Text(f"  {group.label}")
                for cell in longer:
                    label = "" if headed else f"  {group.label}"
                    line = Text(f"{label:<{column}}{cell.settings['len']:>5} │")
                    _append_numbers(line, cell, positions, scale)
                    yield line.append(f" {bar(cell.position_accuracy[first : positions.stop])}")


def _cells_at(facet: Facet, mem: int) -> list[Cell]:
    """Return the facet's cells at this MEM that have results, by LEN."""
    return [
        cell for n_out in facet.lens if (cell := facet.cells.get((n_out, mem))) and cell.position_accuracy
    ]


def _append_numbers(line: Text, cell: Cell, positions: range, scale: bool) -> None:
    for position in positions:
        if position >= len(cell.position_accuracy):
            line.append(" " * _NUMBER)
            continue
        accuracy = cell.position_accuracy[position]
        line.append(f" {share(accuracy)} ", heat_style(round(accuracy * 100)) if scale else "")
