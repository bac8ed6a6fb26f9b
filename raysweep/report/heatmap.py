"""Heat map over LEN × MEM for one facet: a number in every cell, colour behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.report.footnotes import At, Footnotes, footnotes
from raysweep.report.palette import heat_style, shows_scale
from raysweep.text import interval_ends, share

_ROW_HEAD: Final = "  LEN │"
_STYLES: Final = {"failed": Style.parse("bold red"), "diverged": Style.parse("bold magenta")}
_QUIET: Final = Style.parse("dim")
_NONE: Final = Style.null()
_USUAL_WIDTH: Final = 80
"""Columns that a title spreads over; on a wider console, the title's two ends would be too far apart."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a heat map shows of one cell."""

    text: str
    brightness: int | None
    """0 dark to 100 bright; None for a cell without a figure."""
    style: Style = _NONE
    """Style of a cell without a figure."""


class HeatMap:
    """Heat map of a facet; MEM columns that exceed the console's width continue below."""

    def __init__(self, title: str, facet: Facet, notes: Footnotes, shown: Mapping[At, Shown]) -> None:
        """Prepare the text of every cell.

        Args:
            title: drawn on the left, beside the notes' caption.
            facet: the cells.
            notes: caption, marks and notes.
            shown: what to show of each cell of the facet.
        """
        self._title, self._facet, self._notes, self._shown = title, facet, notes, shown
        self._texts = {at: f"{one.text} {notes.marks.get(at, '')}".rstrip() for at, one in shown.items()}
        self._heads = {mem: f"{'MEM ' if mem == facet.mems[0] else ''}{mem}" for mem in facet.mems}
        self.width = max(cell_len(text) for text in (*self._texts.values(), *self._heads.values()))
        """Width of a column's text; `of_equal_width` may widen the column."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the cells band by band, and the notes."""
        facet = self._facet
        per_band = max(1, (options.max_width - len(_ROW_HEAD)) // (self.width + 2))
        yield self._headline(options.max_width)
        for first in range(0, len(facet.mems), per_band):
            mems = facet.mems[first : first + per_band]
            heads = "".join(f" {self._heads[mem]:<{self.width}} " for mem in mems)
            yield Text((_ROW_HEAD + heads).rstrip(), "bold")
            yield from self._rows(mems, shows_scale(console))
        for note in self._notes.notes:
            yield Text(f"  {note}", _QUIET)

    def _headline(self, width: int) -> Text:
        """Draw the title on the left, and the caption on the right or, if both do not fit, below."""
        length = cell_len(self._title) + cell_len(self._notes.caption)
        gap = min(width, max(_USUAL_WIDTH, length + 2)) - length
        between = " " * gap if gap >= 2 else "\n  "
        return Text.assemble((self._title, "bold"), between, self._notes.caption)

    def _rows(self, mems: Sequence[int], scale: bool) -> Iterator[Text]:
        for n_out in self._facet.lens:
            row = Text(f"{n_out:>5} │")
            for at in ((n_out, mem) for mem in mems):
                row.append(f" {self._texts.get(at, ''):<{self.width}} ", self._style(at, scale))
            if not scale:
                row.rstrip()
            yield row

    def _style(self, at: At, scale: bool) -> Style:
        shown = self._shown.get(at)
        if shown is None or shown.brightness is None:
            return shown.style if shown else _NONE
        return heat_style(shown.brightness) if scale else _NONE


def heat_maps(facets: Sequence[Facet]) -> list[HeatMap]:
    """Return a heat map of exact-match per facet, all with the same column width."""
    return of_equal_width(
        HeatMap(facet.title, facet, footnotes(facet), {at: _shown(cell) for at, cell in facet.cells.items()})
        for facet in facets
    )


def of_equal_width(maps: Iterator[HeatMap]) -> list[HeatMap]:
    """Give all maps the width of the widest."""
    listed = list(maps)
    width = max((heat_map.width for heat_map in listed), default=0)
    for heat_map in listed:
        heat_map.width = width
    return listed


def without_result(cell: Cell) -> Shown:
    """Show the state of a cell that has no figure."""
    return Shown(cell.state, None, _STYLES.get(cell.state, _QUIET))


def _shown(cell: Cell) -> Shown:
    if cell.exact_match is None:
        return without_result(cell)
    interval = f" {interval_ends(cell.interval.low, cell.interval.high)}" if cell.interval else ""
    return Shown(share(cell.exact_match) + interval, round(cell.exact_match * 100))
