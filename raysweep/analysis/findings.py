"""One sentence per facet: with how much memory exact-match is reached at each LEN, and where it is not."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.text import TOGETHER, count, ranges

REACHED: Final = 0.99
"""Mean exact-match from which a length counts as learned."""

_FEW: Final = {1: "in one run", 2: "in two runs"}
"""How to say that fewer than three seeds stand behind a statement."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one LEN came to; equal outcomes of several LENs are told together."""

    mem: int | None
    """The smallest MEM that reaches it; None where none does."""
    seeds: int
    """Replicates at that MEM, or else at the one that comes nearest; 0 where there is no result at all."""
    above: tuple[int, ...]
    """Larger MEMs that do not reach it."""
    pending: tuple[int, ...]
    """MEMs whose first result is waited for, and could change the outcome."""
    failed: tuple[int, ...]
    """MEMs whose trials failed, so that a result that could change the outcome is not waited for."""
    fate: str
    """What came of every trial; empty where there is a result, or one is waited for."""


def finding(facet: Facet) -> str:
    """Condense a facet to a sentence."""
    lens_of: dict[_Outcome, list[int]] = defaultdict(list)
    for n_out in facet.lens:
        lens_of[_outcome(facet, n_out)].append(n_out)
    behind = {outcome.seeds for outcome in lens_of if outcome.seeds}
    if not behind:
        waiting = any(outcome.pending for outcome in lens_of)
        return f"{facet.label}: {'no results yet' if waiting else _fate(facet.cells.values())}."
    told_once = _FEW.get(min(behind), "") if len(behind) == 1 else None
    where = {outcome: _where(lens, outcome, facet, told_once) for outcome, lens in lens_of.items()}
    return _sentence(facet, where, f" {told_once}" if told_once else "")


def _outcome(facet: Facet, n_out: int) -> _Outcome:
    cells = {mem: facet.cells[n_out, mem] for mem in facet.mems if (n_out, mem) in facet.cells}
    shares = {mem: cell.exact_match for mem, cell in cells.items() if cell.exact_match is not None}
    reached = [mem for mem, share in shares.items() if share >= REACHED]
    smallest = min(reached, default=None)
    telling = smallest if smallest is not None else max(shares, key=shares.__getitem__, default=None)
    wanted = {
        mem: cell for mem, cell in cells.items() if not cell.seeds and (smallest is None or mem < smallest)
    }
    pending = tuple(mem for mem, cell in wanted.items() if cell.missing)
    return _Outcome(
        mem=smallest,
        seeds=len(cells[telling].seeds) if telling is not None else 0,
        above=tuple(
            mem
            for mem, cell in cells.items()
            if smallest is not None and mem > smallest and mem not in reached and _has_ended(cell)
        ),
        pending=pending,
        failed=tuple(mem for mem, cell in wanted.items() if shares and cell.failed and not cell.missing),
        fate="" if shares or pending else _fate(cells.values()),
    )


def _has_ended(cell: Cell) -> bool:
    """Whether there is a result to tell of: an average, or a divergence of every replicate."""
    return bool(cell.seeds) or not (cell.missing or cell.failed)


def _fate(cells: Collection[Cell]) -> str:
    """Say what came of every trial, where none has a result and none is waited for."""
    fates = {"diverged": any(cell.diverged for cell in cells), "failed": any(cell.failed for cell in cells)}
    return f"every trial {' or '.join(fate for fate, befell in fates.items() if befell)}"


def _where(lens: Sequence[int], outcome: _Outcome, facet: Facet, told_once: str | None) -> str:
    """Name the lengths, the memory and the reservations of one outcome."""
    quantifier = "any" if outcome.mem is None else "every"
    all_lens = facet.whole and len(lens) == len(facet.lens) > 1
    words = f"{quantifier}{TOGETHER}LEN" if all_lens else f"LEN{TOGETHER}{ranges(lens)}"
    if outcome.mem is not None:
        words += f" with MEM{TOGETHER}{outcome.mem}"
    reservations = []
    if told_once is None and outcome.seeds in _FEW:
        reservations.append(_FEW[outcome.seeds])
    if outcome.above:
        reservations.append(f"but not with MEM{TOGETHER}{_listed(outcome.above)}")
    if outcome.pending and outcome.seeds:
        reservations.append(f"no result with MEM{TOGETHER}{_listed(outcome.pending)} yet")
    if outcome.failed:
        reservations.append(f"no result with MEM{TOGETHER}{_listed(outcome.failed)}: trials failed")
    return f"{words} ({'; '.join(reservations)})" if reservations else words


def _sentence(facet: Facet, where: Mapping[_Outcome, str], runs: str) -> str:
    reached = ", ".join(words for outcome, words in where.items() if outcome.mem is not None)
    fallen_short = ", ".join(
        words for outcome, words in where.items() if outcome.mem is None and outcome.seeds
    )
    unknown = ", ".join(words for outcome, words in where.items() if not outcome.seeds and outcome.pending)
    lost = [f"{outcome.fate} at {words}" for outcome, words in where.items() if outcome.fate]
    budget = f"in {count(facet.any_cell.settings['epochs'], 'epoch')}"
    clauses = []
    if reached:
        clauses.append(f"{facet.label} reaches exact-match {REACHED}{runs} at {reached}")
    if fallen_short and reached:
        clauses.append(f"not at {fallen_short} {budget}")
    elif fallen_short:
        clauses.append(f"{facet.label} does not reach exact-match {REACHED}{runs} at {fallen_short} {budget}")
    if unknown:
        clauses.append(f"no results yet at {unknown}")
    return "; ".join([*clauses, *lost]) + "."


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
