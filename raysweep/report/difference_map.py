"""Tables of differences over LEN × MEM: in each cell a number, its interval, and a mark if beyond noise."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor
from typing import Final

from rich.style import Style

from raysweep.analysis.comparison import ComparedGroup, Pair
from raysweep.analysis.difference import Difference
from raysweep.analysis.facets import Facet, facets
from raysweep.report.footnotes import At, Footnotes, marked
from raysweep.report.heatmap import HeatMap, Shown, of_equal_width
from raysweep.text import ROUNDING, count, ranges

_UP: Final = Style.parse("black on #56b4e9")
_DOWN: Final = Style.parse("black on #e69f00")
"""Sky blue and orange of M. Okabe and K. Ito's palette, which colour-blind eyes tell apart."""
MARKS: Final = {"up": "▲", "down": "▼"}
_STYLES: Final = {"up": _UP, "down": _DOWN}
_QUIET: Final = Style.parse("dim")


def difference_maps(groups: Sequence[ComparedGroup], names: tuple[str, str]) -> list[HeatMap]:
    """Return a table per facet of the matched cells, all with the same column width.

    Args:
        groups: the architectures.
        names: of the two sweeps, for notes.
    """
    return of_equal_width(_table(facet, pairs, names) for group in groups for facet, pairs in _facets(group))


def _facets(group: ComparedGroup) -> Iterator[tuple[Facet, dict[At, Pair]]]:
    """Yield the facets of A's matched cells, each with its pairs by (LEN, MEM)."""
    pairs = {id(pair.a): pair for pair in group.pairs}
    for facet in facets(pair.a for pair in group.pairs):
        yield facet, {at: pairs[id(cell)] for at, cell in facet.cells.items()}


def _table(facet: Facet, pairs: Mapping[At, Pair], names: tuple[str, str]) -> HeatMap:
    found = [pair.difference for pair in pairs.values() if pair.difference]
    usual = usual_basis(found) if found else ""
    marks, notes = marked({at: note for at in sorted(pairs) if (note := _note(pairs[at], usual, names))})
    caption = f"change of exact-match, 95 %, {usual}" if usual else "change of exact-match"
    return HeatMap(
        facet.label, facet, Footnotes(caption, marks, notes), {at: _shown(pair) for at, pair in pairs.items()}
    )


def usual_basis(found: Sequence[Difference]) -> str:
    """Describe the seeds behind most of the differences, of which there is at least one."""
    return Counter(map(_basis, found)).most_common(1)[0][0]


def _basis(found: Difference) -> str:
    """Name the seeds behind a difference: `3 paired seeds`, `1 and 3 seeds, not paired`."""
    of_a, of_b = len(found.seeds_a), len(found.seeds_b)
    if found.method == "paired":
        return f"{of_a} paired seeds"
    if of_a == of_b == 1:
        return "1 seed each, over its sequences"
    return (
        f"{count(of_a, 'seed')} each, not paired" if of_a == of_b else f"{of_a} and {of_b} seeds, not paired"
    )


def _note(pair: Pair, usual: str, names: tuple[str, str]) -> str:
    """Say how a cell departs from the usual ones; empty if it does not."""
    if pair.difference is None:
        return ", ".join(
            f"{cell.state} in {name}"
            for cell, name in zip((pair.a, pair.b), names, strict=True)
            if not cell.seeds
        )
    parts = [] if (basis := _basis(pair.difference)) == usual else [basis]
    parts += [
        f"{name} without {'seed' if len(cell.diverged) == 1 else 'seeds'} {ranges(cell.diverged)}, diverged"
        for cell, name in zip((pair.a, pair.b), names, strict=True)
        if cell.diverged
    ]
    return "; ".join(parts)


def _shown(pair: Pair) -> Shown:
    """Show `+0.21 .14–.28 ▲`; a cell beyond noise has a mark and a colour."""
    found = pair.difference
    if found is None:
        return Shown("no result", None, _QUIET)
    text = f"{_signed(found.value)} {_ends(found.low, found.high)}"
    if found.flagged is None:
        return Shown(text, None)
    return Shown(f"{text} {MARKS[found.flagged]}", None, _STYLES[found.flagged])


def _signed(value: float) -> str:
    """Round a difference to two places.

    >>> _signed(0.205), _signed(-0.05), _signed(-0.001)
    ('+0.20', '-0.05', ' 0.00')
    """
    text = f"{value:+.2f}"
    return " 0.00" if text in ("+0.00", "-0.00") else text


def _ends(low: float, high: float) -> str:
    """Format the ends of a difference's interval, rounded outwards.

    >>> _ends(0.141, 0.28), _ends(-0.205, 1.0), _ends(-1.0, -0.004)
    ('.14–.28', '-.21–1', '-1–.00')
    """
    hundredths = floor(100 * low + ROUNDING), ceil(100 * high - ROUNDING)
    return "–".join(
        ("-" if one < 0 else "") + ("1" if abs(one) == 100 else f".{abs(one):02}") for one in hundredths
    )
