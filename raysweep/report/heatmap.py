"""Heat map of exact-match over LEN × MEM for one facet: a number in every cell, colour behind it."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.report.footnotes import Footnotes, footnotes
from raysweep.report.palette import heat_style, shows_scale
from raysweep.text import plus_minus, share

_ROW_HEAD = "  LEN │"
_STYLES = {"failed": Style.parse("bold red"), "diverged": Style.parse("bold magenta")}
_QUIET = Style.parse("dim")
_USUAL_WIDTH = 80
"""Columns that a title spreads over; on a wider console, the title's two ends would be too far apart."""


def heat_maps(facets: Sequence[Facet]) -> list["HeatMap"]:
    """Return a heat map per facet, all with the same column width."""
    maps = [HeatMap(facet) for facet in facets]
    width = max((heat_map.width for heat_map in maps), default=0)
    for heat_map in maps:
        heat_map.width = width
    return maps


class HeatMap:
    """Heat map of a facet; MEM columns that exceed the console's width continue below."""

    def __init__(self, facet: Facet) -> None:
        """Prepare the footnotes and the text of every cell."""
        self._facet = facet
        self._footnotes = footnotes(facet)
        marks = self._footnotes.marks
        self._texts = {at: _cell_text(cell, marks.get(at, "")) for at, cell in facet.cells.items()}
        self._heads = {mem: f"{'MEM ' if mem == facet.mems[0] else ''}{mem}" for mem in facet.mems}
        self.width = max(cell_len(text) for text in (*self._texts.values(), *self._heads.values()))
        """Width of a column's text; `heat_maps` may widen the column."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, the cells band by band, and the notes."""
        facet = self._facet
        per_band = max(1, (options.max_width - len(_ROW_HEAD)) // (self.width + 2))
        yield _title(facet, self._footnotes, options.max_width)
        for first in range(0, len(facet.mems), per_band):
            mems = facet.mems[first : first + per_band]
            heads = "".join(f" {self._heads[mem]:<{self.width}} " for mem in mems)
            yield Text((_ROW_HEAD + heads).rstrip(), "bold")
            yield from self._rows(mems, shows_scale(console))
        for note in self._footnotes.notes:
            yield Text(f"  {note}", _QUIET)

    def _rows(self, mems: Sequence[int], scale: bool) -> Iterator[Text]:
        for n_out in self._facet.lens:
            row = Text(f"{n_out:>5} │")
            for at in ((n_out, mem) for mem in mems):
                text = self._texts.get(at, "")
                row.append(f" {text:<{self.width}} ", _style(self._facet.cells.get(at), scale))
            if not scale:
                row.rstrip()
            yield row


def _title(facet: Facet, notes: Footnotes, width: int) -> Text:
    """Draw the title on the left, and the caption on the right or, if both do not fit, below."""
    length = cell_len(facet.title) + cell_len(notes.figure)
    gap = min(width, max(_USUAL_WIDTH, length + 2)) - length
    between = " " * gap if gap >= 2 else "\n  "
    return Text.assemble((facet.title, "bold"), between, notes.figure)


def _cell_text(cell: Cell, mark: str) -> str:
    if cell.exact_match is None:
        return f"{cell.state}{mark}"
    interval = f" {plus_minus(cell.interval.half_width)}" if cell.interval else ""
    return f"{share(cell.exact_match)}{interval}{mark}"


def _style(cell: Cell | None, scale: bool) -> Style:
    if cell is None or (cell.exact_match is not None and not scale):
        return Style.null()
    if cell.exact_match is None:
        return _STYLES.get(cell.state, _QUIET)
    return heat_style(round(cell.exact_match * 100))
