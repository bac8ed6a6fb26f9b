"""Comparison of two sweeps as a rich renderable; no file is read here.

From top to bottom: a summary, a table of differences per facet, how many cells differ beyond noise,
cells that cannot be matched, what is in one of the sweeps only, and whether bytes agree where settings do.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from raysweep.analysis.comparison import Bytes, ComparedGroup, Comparison
from raysweep.analysis.difference import Difference
from raysweep.analysis.matching import Change
from raysweep.report.difference_map import MARKS, difference_maps, usual_basis
from raysweep.report.wrapped import Wrapped
from raysweep.text import TOGETHER, clean_text, count, number

_MANY: Final = 5
"""Most values of a setting, and most trials, that a line lists."""


def compare_view(comparison: Comparison) -> RenderableType:
    """Lay out the comparison; the layout adapts to the console's width."""
    names = _names(comparison)
    parts: list[RenderableType] = [Wrapped(_headline(comparison, names), 0, 2)]
    parts += difference_maps(comparison.groups, names)
    parts.append(Group(*(Wrapped(text, 0, 2) for text in _summary(comparison, names))))
    if comparison.compared:
        parts.append(Group(*(Text(text, "dim") for text in _remarks(comparison.compared))))
    return Group(*[line for part in parts for line in (part, Text(""))][:-1])


def _names(comparison: Comparison) -> tuple[str, str]:
    """Return what the sweeps are called; sweeps of the same name are called A and B."""
    names = clean_text(comparison.a.name), clean_text(comparison.b.name)
    return ("A", "B") if names[0] == names[1] else names


def _headline(comparison: Comparison, names: tuple[str, str]) -> str:
    """Return `lengths → lengths-lr3 · 28 cells in both, learning_rate 0.001 → 0.003 · 3 paired seeds`."""
    parts = [" → ".join(clean_text(one.name) for one in (comparison.a, comparison.b))]
    parts.append(f"{count(len(comparison.pairs), 'cell')} in both, {_changes(comparison.groups)}")
    if comparison.compared:
        parts.append(usual_basis(comparison.compared))
    return " · ".join(parts)


def _changes(groups: Iterable[ComparedGroup]) -> str:
    """Say which settings differ as a whole, by architecture unless all changed alike."""
    by_arch = {
        group.matching.arch: ", ".join(_change(change) for change in group.matching.changes)
        for group in groups
        if group.pairs
    }
    if not by_arch:
        return "so nothing to compare"
    distinct = {*by_arch.values()}
    if len(distinct) == 1:
        return distinct.pop() or "with the same settings"
    return "; ".join(f"{arch}: {changes or 'the same settings'}" for arch, changes in by_arch.items())


def _change(change: Change) -> str:
    return clean_text(f"{change.name} {_values(change.a)} → {_values(change.b)}").replace(" ", TOGETHER)


def _values(values: Sequence[Any], between: str = ", ") -> str:
    shown = [
        "–"
        if one is None
        else f"{one:,}"
        if type(one) is int
        else str(one).lower()
        if type(one) is bool
        else str(one)
        for one in values[:_MANY]
    ]
    return between.join([*shown, "…"] if len(values) > _MANY else shown)


def _summary(comparison: Comparison, names: tuple[str, str]) -> Iterator[str]:
    yield from _beyond_noise(comparison)
    for group in comparison.groups:
        if text := _ambiguous(group, names):
            yield text
    only = [*_only(comparison.groups, names)]
    if only:
        yield f"In one of them only: {'; '.join(only)}."
    yield _bytes(comparison.bytes)


def _beyond_noise(comparison: Comparison) -> Iterator[str]:
    found = comparison.compared
    if not found:
        return
    flagged = Counter(one.flagged for one in found if one.flagged)
    total = flagged.total()
    which = ", ".join(f"{MARKS[way]} {flagged[way]} {way}" for way in ("up", "down") if flagged[way])
    of = count(len(found), "cell")
    yield f"Beyond noise: {total} of {of}{f' ({which})' if which else ''}."
    chance = comparison.by_chance
    expected = number(chance) if chance >= 1 else f"{chance:.2f}"
    yield f"If nothing differed, chance alone would flag up to about {expected} of {of} (5{TOGETHER}%)."


def _only(groups: Iterable[ComparedGroup], names: tuple[str, str]) -> Iterator[str]:
    for group in groups:
        for cells, name in zip((group.matching.only_in_a, group.matching.only_in_b), names, strict=True):
            for arch, cell_count in Counter(cell.settings["arch"] for cell in cells).items():
                yield f"{arch}, {count(cell_count, 'cell')} ({name})"


def _ambiguous(group: ComparedGroup, names: tuple[str, str]) -> str:
    """Say which cells fit several, why, and what to do; empty if there are none."""
    matching = group.matching
    sides = matching.ambiguous_a, matching.ambiguous_b
    if not any(sides):
        return ""
    where = " and ".join(
        f"{count(len(cells), 'cell')} of {name}" for cells, name in zip(sides, names, strict=True)
    )
    several = [change for change in matching.changes if max(len(change.a), len(change.b)) > 1]
    why = "; ".join(
        f"{one.name} is {_values(one.a, ' or ')} in {names[0]}, {_values(one.b, ' or ')} in {names[1]}"
        for one in several
    )
    choices = " ".join(
        f"--only{TOGETHER}{shlex.quote(f'{change.name}={_plain(values[0])}')}"
        for change in several
        for side in (change.a, change.b)
        if len(side) > 1 and (values := [one for one in side if one is not None])
    )
    return clean_text(
        f"Not compared: {matching.arch}, {where}, because several cells fit one: {why}. "
        f"Choose one value of each, such as {choices}."
    )


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bytes(same: Bytes) -> str:
    if not same.trials and not same.exempt:
        return "No trial has the same settings in both, seed included, so no bytes are compared."
    text = f"Bytes agree where settings do: {same.agree:,} of {count(same.trials, 'trial')}"
    if same.exempt:
        text += f"; {same.exempt:,} not reproducible, so not compared"
    if same.differ:
        more = ", …" if len(same.differ) > _MANY else ""
        text += f". Other bytes: {', '.join(map(clean_text, same.differ[:_MANY]))}{more}"
    return text + "."


def _remarks(found: Sequence[Difference]) -> Iterator[str]:
    yield "Ranges are 95 % intervals, rounded outwards; ▲ ▼: the interval excludes 0."
    if any(one.method == "paired" for one in found):
        yield "Paired: Student's t over seeds, never narrower than the sequences allow."
    if any(one.method == "independent" for one in found):
        yield "Not paired: MOVER (Newcombe) from the intervals of the two cells."
    if any(min(len(one.seeds_a), len(one.seeds_b)) == 1 for one in found):
        yield "One seed: for this network and other sequences, not for other seeds."
