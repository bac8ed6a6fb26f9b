"""Matching of two sweeps' cells: by their settings, except those that differ as a whole.

A setting of an architecture differs as a whole if the sweeps have no value of it in common. Cells match if
all other settings are equal. So a sweep is compared with one of another learning rate. If an axis has more
values in one sweep than in the other, the cells of the common values match, and the others have no
counterpart.

No cell matches two. If a setting that differs as a whole has several values in one sweep, several of its
cells can fit a cell of the other sweep. Such cells are ambiguous, and none of them is matched.

Three settings need care. An option of a user's network is a setting of its own, which other versions of
the network may lack. If `n_in` is the architecture's default for LEN, it equals any other default. The
architecture itself differs as a whole if each sweep has a single one, and not the same.
"""

import difflib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell
from raysweep.errors import UsageError
from raysweep.text import clean_text
from raysweep.trial.options import SHOWN_DIGITS, flattened

DEFAULT: Final = "default"
"""Placeholder for an `n_in` that is the architecture's default for LEN."""

_Values = dict[str, Any]
_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs as a whole between the sweeps, in one architecture."""

    name: str
    a: tuple[Any, ...]
    """Its values in A, ascending; None for an option that a version of a network does not have."""
    b: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A cell of A and its counterpart in B."""

    a: Cell
    b: Cell


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of one architecture in both sweeps, or of the only architecture of each."""

    arch: str
    """Name in A."""
    changes: tuple[Change, ...]
    matches: tuple[Match, ...]
    only_in_a: tuple[Cell, ...]
    only_in_b: tuple[Cell, ...]
    ambiguous_a: tuple[Cell, ...]
    """Cells of A that fit several cells of B, or share one with other cells of A."""
    ambiguous_b: tuple[Cell, ...]


def matched(a: Iterable[Cell], b: Iterable[Cell]) -> list[Group]:
    """Match the cells of two sweeps, architecture by architecture."""
    archs_a, archs_b = _by_arch(a), _by_arch(b)
    if len(archs_a) == len(archs_b) == 1:
        ((arch, cells_a),), (cells_b,) = archs_a.items(), archs_b.values()
        return [_group(arch, cells_a, cells_b)]
    return [
        _group(arch, archs_a.get(arch, []), archs_b.get(arch, [])) for arch in sorted({*archs_a, *archs_b})
    ]


def _by_arch(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[cell.settings["arch"]].append(cell)
    return found


def _group(arch: str, cells_a: Sequence[Cell], cells_b: Sequence[Cell]) -> Group:
    if not (cells_a and cells_b):
        return Group(arch, (), (), tuple(cells_a), tuple(cells_b), (), ())
    values_a, values_b = [_values(cell) for cell in cells_a], [_values(cell) for cell in cells_b]
    names = dict.fromkeys(name for values in (*values_a, *values_b) for name in values)
    changes = [change for name in names if (change := _change(name, values_a, values_b))]
    kept = [name for name in names if name not in {change.name for change in changes}]
    return _sorted_out(arch, changes, _by_key(cells_a, values_a, kept), _by_key(cells_b, values_b, kept))


def _values(cell: Cell) -> _Values:
    """Return the values that a cell is matched by; options as JSON, because 1, 1.0 and true are equal."""
    settings = cell.settings
    values = {name: settings[name] for name in CELL_SETTINGS if name != "options"}
    if cell.has_usual_n_in:
        values["n_in"] = DEFAULT
    return values | dict(settings["options"])


def _change(name: str, a: Sequence[_Values], b: Sequence[_Values]) -> Change | None:
    of_a, of_b = ({values.get(name) for values in side} for side in (a, b))
    if of_a & of_b:
        return None
    return Change(name, _shown(name, of_a), _shown(name, of_b))


def _shown(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values for a reader: options decoded, networks by their first digits, numbers ascending."""
    if name == "network":
        read = [one and one[:SHOWN_DIGITS] for one in values]
    elif name in CELL_SETTINGS:
        read = [*values]
    else:
        read = [None if one is None else json.loads(one) for one in values]
    return tuple(
        sorted(read, key=lambda one: (one is not None, isinstance(one, str), 0 if one is None else one))
    )


def _by_key(cells: Sequence[Cell], values: Sequence[_Values], kept: Sequence[str]) -> dict[_Key, list[Cell]]:
    found: dict[_Key, list[Cell]] = defaultdict(list)
    for cell, of_cell in zip(cells, values, strict=True):
        found[tuple(of_cell.get(name) for name in kept)].append(cell)
    return found


def _sorted_out(
    arch: str, changes: Sequence[Change], a: Mapping[_Key, list[Cell]], b: Mapping[_Key, list[Cell]]
) -> Group:
    matches: list[Match] = []
    only_a: list[Cell] = []
    only_b: list[Cell] = []
    ambiguous_a: list[Cell] = []
    ambiguous_b: list[Cell] = []
    for key in dict.fromkeys((*a, *b)):
        of_a, of_b = a.get(key, []), b.get(key, [])
        if not (of_a and of_b):
            only_a += of_a
            only_b += of_b
        elif len(of_a) == len(of_b) == 1:
            matches.append(Match(of_a[0], of_b[0]))
        else:
            ambiguous_a += of_a
            ambiguous_b += of_b
    return Group(
        arch,
        tuple(changes),
        tuple(matches),
        tuple(only_a),
        tuple(only_b),
        tuple(ambiguous_a),
        tuple(ambiguous_b),
    )


def choices(given: Iterable[str]) -> dict[str, str]:
    """Split texts such as `learning_rate=0.003` into a name and a value.

    Raises:
        UsageError: a text is of another form, or a name is given twice.
    """
    chosen: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign) or name in chosen:
            raise UsageError(
                f"--only {text}: give a setting and one value, such as --only learning_rate=0.003"
            )
        chosen[name] = value
    return chosen


def selected(current: Sequence[Cell], former: Sequence[Cell], only: Mapping[str, str]) -> list[Cell]:
    """Keep the cells with the given values; a setting whose value no cell of the sweep has is ignored.

    Args:
        current: cells of the sweep's latest grid.
        former: its other cells, which are kept only if they have a value that no current cell has.
        only: values as text by the setting's or option's name, such as `{"learning_rate": "0.003"}`.
    """
    kept, others = [*current], [*former]
    for name, text in only.items():
        now, before = ([cell for cell in cells if _has(cell, name, text)] for cells in (kept, others))
        if now or before:
            kept, others = (now, before) if now else (before, [])
    return kept


def require_known(cells: Iterable[Cell], only: Mapping[str, str]) -> None:
    """Check that some cell has each of the given values.

    Raises:
        UsageError: no cell has one of them; the message lists the values that there are.
    """
    listed = [*cells]
    for name, text in only.items():
        if not any(_has(cell, name, text) for cell in listed):
            values = dict.fromkeys(str(flat[name]) for flat in map(_flat, listed) if name in flat)
            if not values:
                near = difflib.get_close_matches(name, {key for cell in listed for key in _flat(cell)}, n=1)
                meant = f"; did you mean '{near[0]}'?" if near else ""
                raise UsageError(f"--only {name}={text}: no setting of these sweeps has this name{meant}")
            known = f"it is {', '.join(values)}; give one of them"
            raise UsageError(f"--only {name}={text}: no cell has this value; {clean_text(known)}")


def _has(cell: Cell, name: str, text: str) -> bool:
    flat = _flat(cell)
    if name not in flat:
        return False
    value = flat[name]
    try:
        given = json.loads(text)
    except ValueError:
        given = text
    return str(value) == text or (type(given) is not str and type(value) is not str and value == given)


def _flat(cell: Cell) -> dict[str, Any]:
    return flattened(cell.settings)
