"""Map of the epochs until a level of exact-match is reached, per architecture, from the longest trials."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.evaluations import EpochsToReach
from raysweep.analysis.facets import Facet, longest_facets
from raysweep.report.footnotes import Footnotes, marked
from raysweep.report.heatmap import HeatMap, Shown, of_equal_width, without_result
from raysweep.text import count, level, number

_DARK: Final = 0


def epochs_facets(cells: Iterable[Cell], changed: Collection[str] = ()) -> list[Facet]:
    """Return the facets of the longest trials that were evaluated during their training."""
    return [facet for facet in longest_facets(cells, changed) if any(map(_was_evaluated, facet.evaluated))]


def _was_evaluated(cell: Cell) -> bool:
    return len(cell.counts[0].evaluations) > 1


def epochs_maps(facets: Iterable[Facet], reach: float) -> list[HeatMap]:
    """Return a map per facet: each cell shows after how many epochs exact-match has the level `reach`."""
    return of_equal_width(_epochs_map(facet, reach) for facet in facets)


def _epochs_map(facet: Facet, reach: float) -> HeatMap:
    found = {at: facet.cells[at].epochs_to_reach(reach) for at in sorted(facet.cells)}
    seeds = Counter(one.of for one in found.values() if one.of)
    usual = max(seeds, key=lambda of: (seeds[of], of))
    looked = f"looked at every {facet.any_cell.settings['eval_every']:,}"
    caption = f"median of {usual} seeds, {looked}" if usual > 1 else f"one run, {looked}"
    marks, notes = marked({at: note for at, one in found.items() if (note := _note(one, usual))})
    shown = {at: _shown(facet.cells[at], one) for at, one in found.items()}
    title = f"{facet.label} · epochs until exact-match {level(reach)}"
    return HeatMap(title, facet, Footnotes(caption, marks, notes), shown)


def _shown(cell: Cell, found: EpochsToReach) -> Shown:
    if not cell.counts:
        return without_result(cell)
    if found.median is not None:
        return Shown(number(found.median), round(100 * (1 - found.median / found.limit) ** 0.5))
    return Shown("never" if found.above is None else f"> {number(found.above)}", _DARK)


def _note(found: EpochsToReach, usual: int) -> str:
    """Say how many seeds reached the level, unless all or none of the usual number did, and none diverged."""
    seeds, reached = count(found.of, "seed"), len(found.epochs)
    if found.diverged in (0, found.of) and reached in (0, found.of):
        return seeds if 0 < found.of != usual else ""
    after = f", after {', '.join(map(number, found.epochs))}" if reached else ""
    diverged = f"; {found.diverged} diverged" if found.diverged else ""
    return f"{reached} of {seeds} reached it{after}{diverged}"
