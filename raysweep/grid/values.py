"""Values of a grid file: validation, with a remedy for every mistake.

All functions read a tree and add to a list of problems. An invalid value becomes None, so that reading goes
on and one mistake is reported once.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from raysweep.grid.nodes import Entry, Items, Node, Plain, Problem, Scalar, Table, plain_value, shown
from raysweep.trial.network_options import INT_BITS, LONGEST_TEXT
from raysweep.trial.settings import TrialSettings

FIELDS: Final[Mapping[str, FieldInfo]] = {
    name: field for name, field in TrialSettings.model_fields.items() if name not in ("network", "options")
}
"""Settings of a trial that a grid file gives; each may be an axis."""


def field_of(kind: Any, **constraints: Any) -> FieldInfo:
    """Return a field of a type; `pydantic.Field` documents the constraints."""
    annotated: Any = Annotated[kind, Field(**constraints)]
    return FieldInfo.from_annotation(annotated)


_INT_LIMIT: Final = 2 ** (INT_BITS - 1)

OPTION_FIELDS: Final[Mapping[type, FieldInfo]] = {
    bool: field_of(bool),
    int: field_of(
        int, ge=-_INT_LIMIT, lt=_INT_LIMIT, description=f"a whole number of at most {INT_BITS} bits"
    ),
    float: field_of(float, description="a finite number"),
    str: field_of(str, max_length=LONGEST_TEXT, description=f"a text of at most {LONGEST_TEXT:,} characters"),
}
"""Options of users' networks, by the type of their default."""

Within = Literal["axis", "list", "section", "resources", "top"]

_RANGE: Final = re.compile(r"\s*(-?[0-9]{1,18})\s*\.\.\s*(-?[0-9]{1,18})\s*")
_RANGE_LIKE: Final = re.compile(r"([0-9]{1,18}) *(?:-|–|:|\.{3,}|…|to) *([0-9]{1,18})")
"""What people write for a range elsewhere."""


@dataclass(frozen=True)
class Axis:
    """Values of one setting, with their line and key; an invalid value is None."""

    line: int
    key: str
    values: Sequence[Any]


@cache
def choice_of(names: tuple[str, ...], description: str) -> FieldInfo:
    """Return a field that accepts some names; the description says what to write."""
    return field_of(Literal[names], description=description)


def either(words: Sequence[str]) -> str:
    """Join words.

    >>> either(["grid", "defaults", "echo"]), either(["echo"])
    ('grid, defaults or echo', 'echo')
    """
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


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


def is_range(node: Node) -> bool:
    """Return whether a node is a range such as 2..8."""
    return range_of(node) is not None


def range_of(node: Node) -> range | None:
    """Return the whole numbers of a range such as 2..8, empty if it runs backwards; None for another node."""
    if isinstance(node, Scalar) and (ends := _RANGE.fullmatch(node.text)):
        return range(int(ends[1]), max(int(ends[2]), int(ends[1]) - 1) + 1)
    return None


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

    >>> expected(FIELDS["mem"]), expected(OPTION_FIELDS[float])
    ('a whole number from 1 to 100000', 'a finite number')
    """
    if field.description:
        return field.description
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
    ranged = is_range(node)
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
        names = {name.lower(): name for name in get_args(field.annotation)}
        near = difflib.get_close_matches(node.text.lower(), names, n=1)
        return f"did you mean '{names[near[0]]}'?" if near else f"write {expected(field)}"
    if field.annotation is str:
        quoted = node.value is not None and not node.quoted and accepted(field, node.text) is not None
        return "write it in quotes" if quoted else f"write {expected(field)}"
    text = node.text.strip()
    if field.annotation is int and (ends := _RANGE_LIKE.fullmatch(text)):
        return f"a range is written {ends[1]}..{ends[2]}"
    grouped = re.fullmatch(r"[0-9]{1,3}([_, ][0-9]{3})+", text)
    meant = plain_value(re.sub(r"[_, ]", "", text) if grouped else text)
    if isinstance(meant, float) and meant.is_integer() and field.annotation is int:
        meant = int(meant)
    if accepted(field, meant) is None:
        return f"write {expected(field)}"
    written = str(meant).lower() if isinstance(meant, bool) else str(meant)
    return f"write {written} without quotes" if node.quoted else f"write {written}"
