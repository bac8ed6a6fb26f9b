"""Keys and values of a grid file: validation, with a remedy for every mistake.

All functions read a tree and add to a list of problems. An invalid value becomes None, so that reading goes
on and one mistake is reported once.
"""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from raysweep.grid.nodes import Entry, Items, Node, Plain, Problem, Scalar, Table, plain_value, shown
from raysweep.trial.settings import TrialSettings

FIELDS: Final[Mapping[str, FieldInfo]] = TrialSettings.model_fields
"""Settings of a trial; each may be an axis."""

Within = Literal["axis", "list", "section", "resources", "top"]

_SYNONYMS: Final = {"lr": "learning_rate", "n_out": "len", "units": "mem"}
"""Other names of settings, too different for the spelling check."""

_RANGE: Final = re.compile(r"\s*(-?[0-9]{1,18})\s*\.\.\s*(-?[0-9]{1,18})\s*")


@dataclass(frozen=True)
class Axis:
    """Values of one setting, with their line and key; an invalid value is None."""

    line: int
    key: str
    values: Sequence[Any]


def read_table(
    node: Node, where: str, known: Collection[str], problems: list[Problem]
) -> tuple[dict[str, Entry], set[str]]:
    """Read a mapping with known keys.

    Args:
        node: the node to read.
        where: key of the node; empty at the top of the file.
        known: keys that the mapping may have.
        problems: list to which problems are added.

    Returns:
        The entries by key, in order; and the known keys that unknown keys probably meant.
    """
    entries: dict[str, Entry] = {}
    meant: set[str] = set()
    if not isinstance(node, Table):
        if not (isinstance(node, Scalar) and node.value is None and where not in ("", "grid")):
            problems.append(Problem(node.line, where, f"found {found(node)}; write keys with values"))
        return entries, meant
    for entry in node.entries:
        key = f"{where}.{_key(entry.key)}" if where else _key(entry.key)
        if entry.key in entries:
            first = entries[entry.key].line
            at = f" (first at line {first})" if first else ""
            problems.append(Problem(entry.line, key, f"given twice{at}; keep one of the two"))
        elif entry.key in known:
            entries[entry.key] = entry
        else:
            hint, guess = _hint(entry.key, known)
            meant |= {guess} if guess else set()
            problems.append(Problem(entry.line, key, hint))
    return entries, meant


def _key(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]{1,50}", text) else shown(text)


def _hint(key: str, known: Collection[str]) -> tuple[str, str | None]:
    """Return the message for an unknown key, and the known key that was probably meant."""
    if key in FIELDS:
        places = "grid or defaults" if key == "arch" else "grid, defaults, echo or seq2seq"
        return f"does not belong here; put it under {places}", None
    word = key.lower().replace("-", "_").replace(" ", "_")
    guess = _SYNONYMS.get(word) or next(iter(difflib.get_close_matches(word, known, n=1)), None)
    if guess in known:
        return f"unknown key; did you mean '{guess}'?", guess
    return f"unknown key; use one of {', '.join(known)}", None


def read_value(node: Node, key: str, field: FieldInfo, problems: list[Problem], within: Within) -> Any:
    """Read one value of a field.

    Args:
        node: the node to read.
        key: full key of the node, for messages.
        field: the field that must accept the value.
        problems: list to which problems are added.
        within: kind of the value's parent, on which the remedy depends.

    Returns:
        The value, or None if it is invalid.
    """
    if isinstance(node, Scalar) and (value := accepted(field, node.value)) is not None:
        return value
    problems.append(Problem(node.line, key, _misfit(node, field, within)))
    return None


def read_axis(entry: Entry, field: FieldInfo, problems: list[Problem]) -> Axis:
    """Read the values of one axis of a grid: a list, an inclusive range such as 2..8, or one value."""
    key, node = f"grid.{entry.key}", entry.value
    values: Sequence[Any]
    if isinstance(node, Items):
        values = _listed(node, key, field, problems)
    elif isinstance(node, Scalar) and (ends := _RANGE.fullmatch(node.text)) and field.annotation is int:
        values = _ranged(node, int(ends[1]), int(ends[2]), key, field, problems)
    else:
        values = [read_value(node, key, field, problems, "axis")]
    return Axis(entry.line, key, values)


def _listed(node: Items, key: str, field: FieldInfo, problems: list[Problem]) -> list[Any]:
    if not node.items:
        problems.append(Problem(node.line, key, "an empty list makes no trials; give at least one value"))
        return [None]
    seen: dict[Any, None] = {}
    for item in node.items:
        value = read_value(item, key, field, problems, "list")
        if value is not None and value in seen:
            problems.append(Problem(item.line, key, f"{_text(item)} is repeated; write each value once"))
        seen[value] = None
    return list(seen)


def _ranged(
    node: Scalar, low: int, high: int, key: str, field: FieldInfo, problems: list[Problem]
) -> Sequence[Any]:
    wrong = [end for end in (low, high) if accepted(field, end) is None]
    if wrong:
        message = f"found {node.text.strip()}; {wrong[0]} is not {expected(field)}"
    elif low > high:
        message = f"found {node.text.strip()}, which runs backwards; write {high}..{low}"
    else:
        return range(low, high + 1)
    problems.append(Problem(node.line, key, message))
    return [None]


def accepted(field: FieldInfo, value: Plain) -> Any:
    """Return the value as validated by the field, or None if it is invalid.

    >>> accepted(FIELDS["mem"], 16), accepted(FIELDS["mem"], 16.0), accepted(FIELDS["learning_rate"], 1)
    (16, None, 1.0)
    """
    try:
        return _adapter(field).validate_python(value)
    except ValidationError:
        return None


_ADAPTERS: Final[dict[int, TypeAdapter[Any]]] = {}


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    if id(field) not in _ADAPTERS:
        kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        config = ConfigDict(strict=True, allow_inf_nan=False)
        _ADAPTERS[id(field)] = TypeAdapter(kind, config=config)
    return _ADAPTERS[id(field)]


def expected(field: FieldInfo) -> str:
    """Describe the values that a field accepts.

    >>> expected(FIELDS["mem"]), expected(FIELDS["arch"])
    ('a whole number from 1 to 100000', 'echo or seq2seq')
    """
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    bounds = {type(bound): getattr(bound, type(bound).__name__.lower()) for bound in field.metadata}
    if field.annotation is int:
        return f"a whole number from {bounds[Ge]} to {bounds[Le] if Le in bounds else bounds[Lt] - 1}"
    if Le not in bounds:
        return f"a finite number above {bounds[Gt]:g}"
    low = f"above {bounds[Gt]:g}, at most" if Gt in bounds else f"from {bounds[Ge]:g} to"
    return f"a number {low} {bounds[Le]:.0f}"


def found(node: Node) -> str:
    """Describe a node of the file."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.value is None:
        return "nothing"
    return f"the text {shown(node.text)}" if isinstance(node.value, str) else _text(node)


def _text(node: Node) -> str:
    text = node.text if isinstance(node, Scalar) else found(node)
    return text if len(text) <= 50 and text.isprintable() else shown(text)


def _misfit(node: Node, field: FieldInfo, within: Within) -> str:
    """Describe an invalid value of a field, and what to write instead."""
    ranged = isinstance(node, Scalar) and _RANGE.fullmatch(node.text)
    if isinstance(node, Items) and within == "list":
        remedy = "write all values in one list"
    elif within == "section" and (ranged or isinstance(node, Items)):
        remedy = "several values make several trials, so write them under grid"
    elif within == "list" and ranged:
        remedy = "a range cannot be part of a list: write every value"
    elif within == "axis" and ranged:
        remedy = "ranges are for whole numbers: write a list"
    else:
        remedy = _instead(node, field) if isinstance(node, Scalar) else f"write {expected(field)}"
    return f"found {found(node)}; {remedy}"


def _instead(node: Scalar, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        near = difflib.get_close_matches(node.text.lower(), get_args(field.annotation), n=1)
        return f"did you mean '{near[0]}'?" if near else f"write {expected(field)}"
    text = node.text.strip()
    grouped = re.fullmatch(r"[0-9]{1,3}([_, ][0-9]{3})+", text)
    meant = plain_value(re.sub(r"[_, ]", "", text) if grouped else text)
    if isinstance(meant, float) and meant.is_integer() and field.annotation is int:
        meant = int(meant)
    if accepted(field, meant) is None:
        return f"write {expected(field)}"
    return f"write {meant} without quotes" if node.quoted else f"write {meant}"
