"""What wrong positions say instead, a row per LEN with the shares of the wrong positions."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.slips import PooledSlips
from raysweep.report.positions import Shown
from raysweep.report.wrapped import Wrapped
from raysweep.text import TOGETHER, ranges, share

_HEAD: Final = " wrong  of answer  of window  neither  most often"
_WIDEST_LABEL: Final = 15
"""Longest label that stands in a column of its own; a longer one is drawn above its rows."""

_LEGEND: Final = "  answer: the other expected integers; window: the input behind the answer"


def slips_table(title: str, groups: Sequence[Shown]) -> "SlipsTable | None":
    """Return the table of the cells that the positions' table shows; None if no position is wrong."""
    table = SlipsTable(title, groups)
    return table if table.has_rows else None


class SlipsTable:
    """Rows of every facet; cells without a wrong position are listed below."""

    def __init__(self, title: str, groups: Sequence[Shown]) -> None:
        """Separate the cells in which something is wrong."""
        self._title = title
        self._groups = [(group.label, [cell for cell in group.cells if _wrong(cell)]) for group in groups]
        self._right = [(group.label, [cell for cell in group.cells if not _wrong(cell)]) for group in groups]
        longest = max((len(label) for label, cells in self._groups if cells), default=0)
        self._headed = longest > _WIDEST_LABEL or not all(group.plain for group in groups)
        self._column = 0 if self._headed else longest + 2

    @property
    def has_rows(self) -> bool:
        """Return whether any position is wrong."""
        return any(cells for _, cells in self._groups)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the title, a line per LEN, and the cells in which nothing is wrong."""
        yield Text.assemble(("what wrong positions say instead", "bold"), self._title)
        rows = [*self._rows()]
        if max(cell_len(row.plain) for row in rows) <= options.max_width:
            yield from rows
        else:
            yield from self._sentences()
        if right := "; ".join(self._all_right()):
            yield Wrapped(f"nothing wrong: {right}", 2, 4)
        yield Text(_LEGEND, "dim")

    def _rows(self) -> Iterator[Text]:
        yield Text(f"{'':{self._column}}  LEN │{_HEAD}", "bold")
        for label, cells in self._groups:
            if self._headed and cells:
                yield Text(f"  {label}")
            for cell in cells:
                head = "" if self._headed else f"  {label}"
                yield Text(f"{head:<{self._column}}{cell.settings['len']:>5} │{_line(cell)}")

    def _sentences(self) -> Iterator[Wrapped]:
        """Say the same where the rows are too long."""
        for label, cells in self._groups:
            for cell in cells:
                numbers = zip(("wrong", "of answer", "of window", "neither"), _numbers(cell), strict=True)
                parts = [f"{name} {number}".replace(" ", TOGETHER) for name, number in numbers]
                if often := _most_often(cell.slips) if cell.slips else "":
                    parts.append(f"most often {often}".replace(" ", TOGETHER))
                yield Wrapped(f"{label} LEN{TOGETHER}{cell.settings['len']}: {', '.join(parts)}", 2, 4)

    def _all_right(self) -> Iterator[str]:
        for label, cells in self._right:
            if cells:
                yield f"{label} LEN{TOGETHER}{ranges(cell.settings['len'] for cell in cells)}"


def _wrong(cell: Cell) -> bool:
    return cell.slips is not None and cell.slips.wrong > 0


def _line(cell: Cell) -> str:
    """Draw the numbers of a cell."""
    if cell.slips is None:
        return ""
    wrong, answer, window, none = _numbers(cell)
    return f"{wrong:>6}{answer:>11}{window:>11}{none:>9}  {_most_often(cell.slips)}".rstrip()


def _numbers(cell: Cell) -> tuple[str, str, str, str]:
    """Return the shares of a cell; `–` where a slip of that kind is impossible."""
    slips, settings = cell.slips, cell.settings
    if slips is None:
        return "–", "–", "–", "–"
    wrong = slips.wrong / (cell.windows * settings["len"])
    answer, window, none = map(share, slips.shares())
    return (
        share(wrong) if wrong >= 0.01 else "< .01",
        answer if settings["len"] > 1 else "–",
        window if settings["n_in"] > settings["len"] else "–",
        none,
    )


def _most_often(slips: PooledSlips) -> str:
    """Say which distance is the most frequent.

    >>> _most_often(PooledSlips({-1: 3, 1: 1}, {}, 4))
    '1 before (0.37)'
    """
    if (found := slips.most_often()) is None:
        return ""
    distance, part = found
    return f"{abs(distance)} {'before' if distance < 0 else 'after'} ({share(part)})"
