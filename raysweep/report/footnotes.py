"""Footnotes of a facet: the replicates, sequences and windows behind its numbers, and every exception."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.text import count, ranges

NOT_REPRODUCIBLE: Final = "not reproducible: the network draws from a source without a seed"

At = tuple[int, int]
"""LEN and MEM of a cell."""

_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Footnotes:
    """Caption and notes of a heat map."""

    caption: str
    """Kind of the numbers: exact-match as the mean over some seeds, or of one run."""
    marks: Mapping[At, str]
    """Mark of each exceptional cell, by (LEN, MEM)."""
    notes: tuple[str, ...]
    """Number of seeds, sequences and windows of a usual cell, then the meaning of each mark."""


def footnotes(facet: Facet) -> Footnotes:
    """Describe the usual cell and mark every exception; equal exceptions share one mark."""
    seeds = _usual_seeds(facet)
    exceptions = {at: text for at, cell in facet.cells.items() if (text := _exception(cell, seeds))}
    notes = [_basis(facet, seeds)] if seeds else []
    if len(set(exceptions.values())) == 1 and len(exceptions) == len(facet.cells):
        (common,) = set(exceptions.values())
        return Footnotes(_figure(facet, seeds), {}, (*notes, f"every cell: {common}"))
    marks, legend = marked(exceptions)
    return Footnotes(_figure(facet, seeds), marks, (*notes, *legend))


def marked(exceptions: Mapping[At, str]) -> tuple[dict[At, str], tuple[str, ...]]:
    """Return a mark for each exceptional cell, and the notes that say what the marks mean."""
    meanings = list(dict.fromkeys(exceptions.values()))
    marks = {at: _mark(meanings.index(text)) for at, text in exceptions.items()}
    return marks, tuple(f"{_mark(number)} {text}" for number, text in enumerate(meanings))


def _usual_seeds(facet: Facet) -> int:
    """Return the most frequent number of seeds per evaluated cell; the largest if several are as frequent."""
    numbers = Counter(len(cell.seeds) for cell in facet.evaluated)
    return max(numbers, key=lambda seeds: (numbers[seeds], seeds), default=0)


def _figure(facet: Facet, seeds: int) -> str:
    if seeds > 1:
        return f"exact-match, mean over {seeds} seeds, 95 %"
    if not seeds:
        return "exact-match"
    return "exact-match, one run" + (
        ", 95 % over its sequences" if any(cell.interval for cell in facet.evaluated) else ""
    )


def _basis(facet: Facet, seeds: int) -> str:
    settings = facet.any_cell.settings
    sequences = count(settings["eval_sequences"], "sequence")
    return f"each cell: {count(seeds, 'seed')} × {sequences} × {count(settings['windows'], 'window')}"


def _exception(cell: Cell, seeds: int) -> str:
    """Describe how a cell departs from the planned replicates; return an empty text if it does not."""
    lacking = [
        f"{len(replicates)} {word}"
        for word, replicates in (
            ("diverged", cell.diverged),
            ("failed", cell.failed),
            ("not run", cell.missing),
        )
        if replicates
    ]
    if not cell.seeds:
        return ", ".join(lacking) if len(lacking) > 1 else ""
    parts = [NOT_REPRODUCIBLE] if cell.deterministic is False else []
    if lacking:
        parts.append(f"{len(cell.seeds)} of {count(cell.replicates, 'seed')} ({', '.join(lacking)})")
    elif len(cell.seeds) != seeds:
        parts.append(count(len(cell.seeds), "seed"))
    if cell.unplanned:
        word = "seed" if len(cell.unplanned) == 1 else "seeds"
        parts.append(f"with {word} {ranges(cell.unplanned)}, no longer in the grid")
    if cell.interval and (len(cell.seeds) == 1) != (seeds == 1):
        parts.append("95 % over seeds" if seeds == 1 else "95 % over its sequences")
    return "; ".join(parts)


def _mark(number: int) -> str:
    """Return the mark of an exception by its number, from 0."""
    return str(number + 1).translate(_SUPERSCRIPT)
