"""Report on a sweep as a rich renderable; no file is read here.

From top to bottom: a summary, a heat map of exact-match per facet, a map of the epochs that it takes,
accuracy per position, what wrong positions say, cells that are no longer in the grid, findings, failures,
and notes on the intervals.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.analysis.evaluations import REACH
from raysweep.analysis.facets import facets
from raysweep.analysis.findings import epochs_finding, finding
from raysweep.report.epochs_map import epochs_facets, epochs_maps
from raysweep.report.heatmap import heat_maps
from raysweep.report.positions import position_table
from raysweep.report.slips_table import slips_table
from raysweep.report.wrapped import Wrapped
from raysweep.text import clean_text, count, ranges

PLAN_UNKNOWN: Final = "sweep.json is missing or unreadable, so the planned trials are unknown."
"""Warning that every form of the report on such a folder must carry."""

_SHOWN_FAILURES = 5
EPOCHS_NOTE: Final = "Epochs: until two held-out evaluations in a row, or the last, have the level."


def report_view(analysis: SweepAnalysis, *, mem: int | None = None, reach: float = REACH) -> RenderableType:
    """Lay out the report; the layout adapts to the console's width, from 80 columns on.

    Args:
        analysis: result of `analyse`.
        mem: the MEM whose accuracy per position is shown, of the latest grid's cells or else of former
            ones; default: of each network, the latest grid's largest MEM that has results.
        reach: level of exact-match at which a length counts as learned.

    Raises:
        UsageError: no cell has this MEM.
    """
    planned = analysis.current
    changed = analysis.changed_networks
    current = facets(planned, changed)
    former = facets(analysis.former, changed)
    positions = position_table(current, former, mem)
    timed = epochs_facets(planned, changed)
    parts: list[RenderableType] = [Group(*_header(analysis)), *heat_maps(current)]
    parts.extend(epochs_maps(timed, reach))
    if positions is not None:
        parts.append(positions)
        if (slips := slips_table(positions.title, positions.groups)) is not None:
            parts.append(slips)
    if former:
        parts.append(Text("no longer in the grid, results kept", "bold"))
        parts.extend(heat_maps(former))
    findings = [finding(facet, reach) for facet in current]
    findings += filter(None, (epochs_finding(facet, reach) for facet in timed))
    parts.append(Group(Text("findings", "bold"), *(Wrapped(text, 2, 4) for text in findings)))
    if analysis.failures:
        parts.append(Group(*_failures(analysis)))
    if lines := [*remarks(analysis), *([EPOCHS_NOTE] if timed else [])]:
        parts.append(Group(*map(_remark, lines)))
    return Group(*_spaced(parts))


def _spaced(parts: Sequence[RenderableType]) -> Iterator[RenderableType]:
    for number, part in enumerate(parts):
        if number:
            yield Text("")
        yield part


def _remark(text: str) -> RenderableType:
    return Text(text, "dim")


def summary(analysis: SweepAnalysis) -> str:
    """Return `168 of 168 trials · seeds 0, 1, 2 · 50 sequences a trial`."""
    counts = analysis.counts
    parts = [f"{counts.done + counts.diverged:,} of {count(counts.total, 'trial')}"]
    seeds = sorted({seed for cell in analysis.cells for seed in (*cell.seeds, *cell.diverged)})
    if seeds:
        listed = ranges(seeds) if len(seeds) > 5 else ", ".join(map(str, seeds))
        parts.append(f"{'seed' if len(seeds) == 1 else 'seeds'} {listed}")
    if sequences := sorted({cell.settings["eval_sequences"] for cell in analysis.cells}):
        noun = "sequence" if sequences == [1] else "sequences"
        parts.append(f"{' or '.join(map(str, sequences))} {noun} a trial")
    return " · ".join(parts)


def _header(analysis: SweepAnalysis) -> Iterator[Text]:
    """Yield the sweep's name and summary, then any exceptions."""
    yield Text.assemble((clean_text(analysis.name), "bold"), f" · {summary(analysis)}")
    counts = analysis.counts
    sums = {"diverged": counts.diverged, "failed": counts.failed, "missing": counts.missing}
    if any(sums.values()):
        yield Text(", ".join(f"{number:,} {word}" for word, number in sums.items() if number))


def _failures(analysis: SweepAnalysis) -> Iterator[RenderableType]:
    """List some failures, each with its kind, its first line and a trial, and how many are alike."""
    yield Text("failed", "bold")
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for failure in analysis.failures:
        first_line = clean_text(failure.message).strip().partition("\n")[0]
        arch = failure.trial_id.partition("-")[0]
        alike[arch, failure.kind_in_words, first_line].append(clean_text(failure.trial_id))
    for (_, kind, first_line), trials in [*alike.items()][:_SHOWN_FAILURES]:
        others = f" and {len(trials) - 1:,} more" if len(trials) > 1 else ""
        yield Wrapped(f"{trials[0]}{others}  {kind}: {first_line}", 2, 4)
    if (left := sum(map(len, [*alike.values()][_SHOWN_FAILURES:]))) > 0:
        yield Text(f"  and {left:,} more")


def remarks(analysis: SweepAnalysis) -> Iterator[str]:
    """Yield how to read the numbers of a sweep."""
    over = {cell.interval.over for cell in analysis.cells if cell.interval}
    if over:
        yield "Ranges are 95 % intervals (Korn & Graubard), rounded outwards."
    if "seeds" in over:
        yield "Over seeds: for other weights and other data."
    if "sequences" in over:
        yield "Over sequences: for this network and other sequences, not for other seeds."
    if any(cell.seeds for cell in analysis.cells):
        yield "Shares are rounded down: 0.99 means at least 0.99, 1.00 every window."
    if any(cell.diverged for cell in analysis.cells):
        yield "Diverged trials are results, but averages exclude them."
    if not analysis.plan_known:
        yield PLAN_UNKNOWN
