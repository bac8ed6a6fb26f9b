"""Comparison of two sweeps: the difference of exact-match in matched cells, and cells without a counterpart.

`comparison_json` returns one object; `a` and `b` are the two results folders, in the command's order:

- `a`, `b`: `{"sweep": name, "trials": counts by status}`.
- `changes`: settings that differ as a whole: `{"arch", "setting", "a": [values], "b": [values]}`; `arch` is
  the architecture in A, and a value is null for an option that a version of a network does not have.
- `cells`: the matched cells. `settings` are those that are equal in both; `a` and `b` have the others in
  `settings`, and `state`, `seeds` and `exact_match`, both of the seeds that are compared. `difference` is
  B − A, `interval` is `{"low", "high"}`, `method` is "paired" (over `paired_seeds`) or "independent", and
  `flagged` is "up" or "down" if the interval excludes 0, else null. Without a result in both, all are null.
- `compared`, `flagged`, `by_chance`: number of cells with a result in both sweeps, number of flagged ones,
  and 5 % of `compared`: how many 95 % intervals would exclude 0 if nothing differed.
- `only_in_a`, `only_in_b`: settings of the cells without a counterpart.
- `ambiguous_a`, `ambiguous_b`: settings of the cells that fit more than one of the other sweep, or that
  share the only one that they fit.
- `bytes`: `{"trials", "agree", "differ": [ids], "exempt"}` for trials with equal settings in both folders,
  by the checksums of predictions and curves; exempt are networks that draw from a source without a seed.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from raysweep.analysis.aggregate import Cell, SweepAnalysis, analyse
from raysweep.analysis.difference import Difference, difference
from raysweep.analysis.matching import Change, Group, matched, require_known, selected
from raysweep.store.ledger import Ledger

CHANCE: Final = 0.05
"""Share of cells without a difference whose 95 % interval excludes 0."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two matched cells and their difference."""

    a: Cell
    b: Cell
    difference: Difference | None
    """None if either cell has no result."""


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """One architecture: its matched cells in the order of A, and the cells without a counterpart."""

    matching: Group
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Bytes:
    """Trials of the same settings in both folders: their predictions and curves by checksum."""

    agree: int
    differ: tuple[str, ...]
    """Ids of the trials whose files differ, ascending."""
    exempt: int
    """Trials of networks that draw from a source without a seed."""

    @property
    def trials(self) -> int:
        """Trials whose files must agree."""
        return self.agree + len(self.differ)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Content of `raysweep compare`, as numbers."""

    a: SweepAnalysis
    b: SweepAnalysis
    groups: tuple[ComparedGroup, ...]
    """By architecture, ascending."""
    bytes: Bytes

    @property
    def pairs(self) -> list[Pair]:
        """Matched cells of all architectures."""
        return [pair for group in self.groups for pair in group.pairs]

    @property
    def compared(self) -> list[Difference]:
        """Differences of the matched cells that have a result in both sweeps."""
        return [pair.difference for pair in self.pairs if pair.difference]

    @property
    def by_chance(self) -> float:
        """Number of compared cells that 95 % intervals would flag if the sweeps did not differ."""
        return round(CHANCE * len(self.compared), 2)


def compare(a: Ledger, b: Ledger, only: Mapping[str, str] | None = None) -> Comparison:
    """Compare two results folders.

    Args:
        a: one sweep.
        b: another, or the same.
        only: values by setting; a sweep that has cells with this value is reduced to them.

    Raises:
        UsageError: a folder holds no sweep, or no cell has a value of `only`.
        ResultsError: a committed file is damaged, or its schema is unknown to this version.
    """
    analyses = analyse(a), analyse(b)
    require_known([cell for analysis in analyses for cell in analysis.cells], only or {})
    groups = matched(*(selected(one.current, one.former, only or {}) for one in analyses))
    return Comparison(
        *analyses,
        groups=tuple(
            ComparedGroup(
                group,
                tuple(Pair(match.a, match.b, difference(match.a, match.b)) for match in group.matches),
            )
            for group in groups
        ),
        bytes=_bytes(a, b),
    )


def _bytes(a: Ledger, b: Ledger) -> Bytes:
    """Compare the checksums of trials that both folders have; the files themselves are not read."""
    common = sorted(a.committed() & b.committed())
    in_a, in_b = a.manifests(common), b.manifests(common)
    certain = [one for one in common if in_a[one].counts.deterministic and in_b[one].counts.deterministic]
    differ = [
        one
        for one in certain
        if (in_a[one].predictions, in_a[one].curves) != (in_b[one].predictions, in_b[one].curves)
    ]
    return Bytes(len(certain) - len(differ), tuple(differ), len(common) - len(certain))


def comparison_json(comparison: Comparison) -> str:
    """Return one object; see the module's docstring."""
    groups = [group.matching for group in comparison.groups]
    found = comparison.compared
    same = comparison.bytes
    content = {
        "a": _sweep(comparison.a),
        "b": _sweep(comparison.b),
        "changes": [_change(group.arch, change) for group in groups for change in group.changes],
        "cells": [_pair(pair) for pair in comparison.pairs],
        "flagged": sum(one.flagged is not None for one in found),
        "compared": len(found),
        "by_chance": comparison.by_chance,
        "only_in_a": [_settings(cell) for group in groups for cell in group.only_in_a],
        "only_in_b": [_settings(cell) for group in groups for cell in group.only_in_b],
        "ambiguous_a": [_settings(cell) for group in groups for cell in group.ambiguous_a],
        "ambiguous_b": [_settings(cell) for group in groups for cell in group.ambiguous_b],
        "bytes": {
            "trials": same.trials,
            "agree": same.agree,
            "differ": list(same.differ),
            "exempt": same.exempt,
        },
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _sweep(analysis: SweepAnalysis) -> dict[str, Any]:
    counts = analysis.counts
    by_status = {name: getattr(counts, name) for name in ("done", "diverged", "failed", "missing")}
    return {"sweep": analysis.name, "trials": by_status}


def _change(arch: str, change: Change) -> dict[str, Any]:
    return {"arch": arch, "setting": change.name, "a": list(change.a), "b": list(change.b)}


def _pair(pair: Pair) -> dict[str, Any]:
    settings_a, settings_b = _settings(pair.a), _settings(pair.b)
    equal = {name: value for name, value in settings_a.items() if settings_b[name] == value}
    found = pair.difference
    return {
        "settings": equal,
        "a": {
            "settings": _others(settings_a, equal),
            "state": pair.a.state,
            "seeds": list(found.seeds_a if found else pair.a.seeds),
            "exact_match": found.exact_match_a if found else pair.a.exact_match,
        },
        "b": {
            "settings": _others(settings_b, equal),
            "state": pair.b.state,
            "seeds": list(found.seeds_b if found else pair.b.seeds),
            "exact_match": found.exact_match_b if found else pair.b.exact_match,
        },
        "difference": found and found.value,
        "interval": found and {"low": found.low, "high": found.high},
        "method": found and found.method,
        "paired_seeds": found and (list(found.seeds_a) if found.method == "paired" else []),
        "flagged": found and found.flagged,
    }


def _settings(cell: Cell) -> dict[str, Any]:
    options = {name: json.loads(value) for name, value in cell.settings["options"]}
    return {**cell.settings, "options": options}


def _others(settings: Mapping[str, Any], equal: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in equal}
