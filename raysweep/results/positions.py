"""Accuracy per position at one MEM: a row per LEN with a number and a small bar for each position."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from raysweep.errors import UsageError
from raysweep.results.analysis import Cell
from raysweep.results.palette import heat_style, shows_scale
from raysweep.results.panels import Panel
from raysweep.results.wording import bar, share

_NUMBER = 6  # columns of one position: ' 0.95 '


def choose_mem(panels: Sequence[Panel], mem: int | None) -> int | None:
    """The MEM to show: the one asked for, or else the largest that has results; None where none has.

    Raises:
        UsageError: no cell has the MEM that was asked for.
    """
    known = sorted({number for panel in panels for number in panel.mems})
    if mem is None:
        return max((cell.settings["mem"] for panel in panels for cell in panel.evaluated), default=None)
    if mem not in known:
        raise UsageError(f"--mem {mem}: no trial has this MEM; use one of {', '.join(map(str, known))}")
    return mem


class PositionTable:
    """Every panel's rows at one MEM, drawn for the console's width.

    Where a row is too long for the width, every second, third, … position is left out, as the row of
    position numbers shows; the bars have them all where there is room.
    """

    def __init__(self, panels: Sequence[Panel], mem: int) -> None:
        """Keep the cells of this MEM that have results."""
        self._mem = mem
        self._others = sorted({number for panel in panels for number in panel.mems} - {mem})
        self._rows = [
            (panel.label, cell)
            for panel in panels
            for n_out in panel.lens
            if (cell := panel.cells.get((n_out, mem))) and cell.position_accuracy
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the positions' numbers, and a line per LEN."""
        choice = f" (choose with --mem: {', '.join(map(str, self._others))})" if self._others else ""
        yield Text.assemble(("position accuracy", "bold"), f" · MEM {self._mem}{choice}")
        if not self._rows:
            yield Text("  no results at this MEM yet", "dim")
            return
        labels = max(cell_len(label) for label, _ in self._rows)
        longest = max(len(cell.position_accuracy) for _, cell in self._rows)
        room = options.max_width - (labels + 10)
        step = next(s for s in range(1, longest + 1) if _fits(longest, s, room) or s == longest)
        positions = range(0, longest, step)
        bars = len(positions) * _NUMBER + 1 + longest <= room
        head = "".join(f"{position + 1:>5} " for position in positions)
        yield Text(f"  {'':{labels}}  {'LEN':>4} │{head}".rstrip(), "bold")
        yield from self._lines(labels, positions, bars, shows_scale(console))

    def _lines(self, labels: int, positions: range, bars: bool, scale: bool) -> Iterator[Text]:
        for label, cell in self._rows:
            line = Text(f"  {label:<{labels}}  {cell.settings['len']:>4} │")
            _append_numbers(line, cell, positions, scale)
            shown = cell.position_accuracy if bars else cell.position_accuracy[:: positions.step]
            line.append(f" {bar(shown)}")
            yield line


def _fits(longest: int, step: int, room: int) -> bool:
    """Whether every `step`-th number and its bar fit."""
    shown = len(range(0, longest, step))
    return shown * (_NUMBER + 1) + 1 <= room


def _append_numbers(line: Text, cell: Cell, positions: range, scale: bool) -> None:
    for position in positions:
        if position >= len(cell.position_accuracy):
            line.append(" " * _NUMBER)
            continue
        accuracy = cell.position_accuracy[position]
        line.append(f" {share(accuracy)} ", heat_style(round(accuracy * 100)) if scale else "")
