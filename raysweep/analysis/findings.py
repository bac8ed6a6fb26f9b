"""Sentences on a facet: which MEM reaches a level of exact-match at each LEN, and in how many epochs."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import Facet
from raysweep.text import TOGETHER, count, level, number, ranges

_FEW: Final = {1: "in one run", 2: "in two runs"}
"""Phrases for a statement that is based on fewer than three seeds."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Outcome of one LEN; equal outcomes of several LENs are reported together."""

    mem: int | None
    """Smallest MEM that reaches the level; None if no MEM does."""
    seeds: int
    """Replicates at `mem`, or else at the MEM that comes nearest; 0 if there is no result at all."""
    above: tuple[int, ...]
    """Larger MEMs that do not reach the level."""
    pending: tuple[int, ...]
    """MEMs whose first result is pending and could change the outcome."""
    failed: tuple[int, ...]
    """MEMs whose result could change the outcome, but whose trials failed."""
    fate: str
    """Fate of every trial; empty if a result exists or is pending."""


def finding(facet: Facet, reach: float) -> str:
    """Summarise in one sentence with which memory a facet's cells reach a level of mean exact-match."""
    lens_of: dict[_Outcome, list[int]] = defaultdict(list)
    for n_out in facet.lens:
        lens_of[_outcome(facet, n_out, reach)].append(n_out)
    seeds = {outcome.seeds for outcome in lens_of if outcome.seeds}
    if not seeds:
        pending = any(outcome.pending for outcome in lens_of)
        return f"{facet.label}: {'no results yet' if pending else _fate(facet.cells.values())}."
    common_runs = _FEW.get(min(seeds), "") if len(seeds) == 1 else None
    where = {outcome: _where(lens, outcome, facet, common_runs) for outcome, lens in lens_of.items()}
    return _sentence(facet, where, f" {common_runs}" if common_runs else "", reach)


def _outcome(facet: Facet, n_out: int, reach: float) -> _Outcome:
    cells = {mem: facet.cells[n_out, mem] for mem in facet.mems if (n_out, mem) in facet.cells}
    shares = {mem: cell.exact_match for mem, cell in cells.items() if cell.exact_match is not None}
    reached = [mem for mem, share in shares.items() if share >= reach]
    smallest = min(reached, default=None)
    decisive = smallest if smallest is not None else max(shares, key=shares.__getitem__, default=None)
    wanted = {
        mem: cell for mem, cell in cells.items() if not cell.seeds and (smallest is None or mem < smallest)
    }
    pending = tuple(mem for mem, cell in wanted.items() if cell.missing)
    return _Outcome(
        mem=smallest,
        seeds=len(cells[decisive].seeds) if decisive is not None else 0,
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
    """Return whether the cell has a final result: an average, or divergence of every replicate."""
    return bool(cell.seeds) or not (cell.missing or cell.failed)


def _fate(cells: Collection[Cell]) -> str:
    """Describe the fate of a group of trials in which no result exists or is pending."""
    fates = {"diverged": any(cell.diverged for cell in cells), "failed": any(cell.failed for cell in cells)}
    return f"every trial {' or '.join(fate for fate, befell in fates.items() if befell)}"


def _where(lens: Sequence[int], outcome: _Outcome, facet: Facet, common_runs: str | None) -> str:
    """Name the lengths, the memory and the reservations of one outcome."""
    quantifier = "any" if outcome.mem is None else "every"
    all_lens = facet.whole and len(lens) == len(facet.lens) > 1
    text = f"{quantifier}{TOGETHER}LEN" if all_lens else f"LEN{TOGETHER}{ranges(lens)}"
    if outcome.mem is not None:
        text += f" with MEM{TOGETHER}{outcome.mem}"
    reservations = []
    if common_runs is None and outcome.seeds in _FEW:
        reservations.append(_FEW[outcome.seeds])
    if outcome.above:
        reservations.append(f"but not with MEM{TOGETHER}{_listed(outcome.above)}")
    if outcome.pending and outcome.seeds:
        reservations.append(f"no result with MEM{TOGETHER}{_listed(outcome.pending)} yet")
    if outcome.failed:
        reservations.append(f"no result with MEM{TOGETHER}{_listed(outcome.failed)}: trials failed")
    return f"{text} ({'; '.join(reservations)})" if reservations else text


def _sentence(facet: Facet, where: Mapping[_Outcome, str], runs: str, reach: float) -> str:
    reached = ", ".join(text for outcome, text in where.items() if outcome.mem is not None)
    fallen_short = ", ".join(text for outcome, text in where.items() if outcome.mem is None and outcome.seeds)
    unknown = ", ".join(text for outcome, text in where.items() if not outcome.seeds and outcome.pending)
    lost = [f"{outcome.fate} at {text}" for outcome, text in where.items() if outcome.fate]
    budget = f"in {count(facet.any_cell.settings['epochs'], 'epoch')}"
    clauses = []
    if reached:
        clauses.append(f"{facet.label} reaches exact-match {level(reach)}{runs} at {reached}")
    if fallen_short and reached:
        clauses.append(f"not at {fallen_short} {budget}")
    elif fallen_short:
        clauses.append(
            f"{facet.label} does not reach exact-match {level(reach)}{runs} at {fallen_short} {budget}"
        )
    if unknown:
        clauses.append(f"no results yet at {unknown}")
    return "; ".join([*clauses, *lost]) + "."


def epochs_finding(facet: Facet, reach: float) -> str:
    """Summarise after how many epochs, at the best MEM, each length holds a level; empty if none does."""
    found: dict[tuple[float, int, str], list[int]] = defaultdict(list)
    for n_out in facet.lens:
        reached = {at[1]: cell.epochs_to_reach(reach) for at, cell in facet.cells.items() if at[0] == n_out}
        medians = {mem: one.median for mem, one in reached.items() if one.median is not None}
        if medians:
            mem = min(medians, key=lambda mem: (medians[mem], mem))
            found[medians[mem], mem, _FEW.get(reached[mem].of, "")].append(n_out)
    parts = [
        f"after {number(median) if place else count(median, 'epoch')} "
        f"at LEN{TOGETHER}{ranges(lens)} with MEM{TOGETHER}{mem}{f' ({runs})' if runs else ''}"
        for place, ((median, mem, runs), lens) in enumerate(found.items())
    ]
    return f"{facet.label} first holds exact-match {level(reach)} {'; '.join(parts)}." if parts else ""


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
