"""Selection of a part of a grid's trials: `--only KEY=VALUES`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from raysweep.grid.given import Given
from raysweep.grid.keys import hint, shown_key
from raysweep.grid.nodes import Items, Node, Problem, Scalar
from raysweep.grid.values import FIELDS, either, found, range_of
from raysweep.text import plain, ranges
from raysweep.trial.settings import TrialSettings

_MAX_NAMED: Final = 3
"""Values without a trial that a message names; it counts the others."""


def selected(
    trials: Sequence[TrialSettings], only: Mapping[Given, Node], problems: list[Problem]
) -> tuple[TrialSettings, ...]:
    """Return the trials that have, for every option, one of its values.

    Args:
        trials: all trials of the grid.
        only: values of `--only`; some trial must have each of them.
        problems: list to which problems are added.
    """
    kept: Sequence[TrialSettings] = trials
    before = len(problems)
    for one, node in only.items():
        values = dict.fromkeys((type(v), v) for v in (_value(t, one.key) for t in trials))
        has = [value for _, value in values if value is not None]
        if message := _problem(one.key, node, has, trials):
            problems.append(one.problem(message))
        among = _wanted(node, has)
        chosen = {(type(value), value) for value in has if among(value)}
        kept = [trial for trial in kept if (type(v := _value(trial, one.key)), v) in chosen]
    if not kept and len(problems) == before:
        last = [*only][-1]
        others = " and ".join(one.text for one in [*only][:-1])
        problems.append(
            last.problem(f"no trial of the grid has both this and {others}; leave out one of them")
        )
    return tuple(kept)


def _value(trial: TrialSettings, name: str) -> Any:
    """Return the value of a setting or an option; None if the trial has no such option."""
    return getattr(trial, name) if name in FIELDS else trial.option_values.get(name)


def _problem(name: str, node: Node, has: Sequence[Any], trials: Sequence[TrialSettings]) -> str | None:
    """Say what is wrong with an option, given the values that the trials have."""
    if not has:
        return hint(name, (*FIELDS, *dict.fromkeys(o for trial in trials for o in trial.option_values)))[0]
    if isinstance(node, Items) and not node.items:
        return f"found an empty list; {name} is {_listed(has)}"
    if (whole := _range(node, has)) is not None:
        present = {value for value in has if type(value) is int}
        count = len(whole) - sum(value in whole for value in present)
        some = [str(value) for value in islice((v for v in whole if v not in present), _MAX_NAMED)]
    else:
        keys, texts = {_key(value) for value in has}, {value for value in has if isinstance(value, str)}
        lacking = [one for one in _each(node) if not _is_one(one, keys, texts)]
        count, some = len(lacking), list(map(_text, lacking[:_MAX_NAMED]))
    if not count and whole != range(0):
        return None
    there_are = _listed(has)
    if whole == range(0):
        return f"found a range that runs backwards; {name} is {there_are}"
    more = f" and {count - len(some):,} more" if count > len(some) else ""
    return f"no trial of the grid has {', '.join(some)}{more}; {name} is {there_are}"


def _listed(values: Sequence[Any]) -> str:
    if all(type(value) is int for value in values):
        return ranges(values, to="..")
    return either([plain(value) for value in values])


def _text(node: Node) -> str:
    """Return a value as it is written, on one short line."""
    return shown_key(node.text) if isinstance(node, Scalar) else found(node)


def _range(node: Node, has: Sequence[Any]) -> range | None:
    """Return the numbers that a node gives as a range; a quoted text is none if values are texts."""
    quoted = isinstance(node, Scalar) and node.quoted and any(isinstance(value, str) for value in has)
    return None if quoted else range_of(node)


def _wanted(node: Node, has: Sequence[Any]) -> Callable[[Any], bool]:
    """Return what tells whether a value is one of those that an option gives."""
    if (whole := _range(node, has)) is not None:
        return lambda value: type(value) is int and value in whole
    scalars = [one for one in _each(node) if isinstance(one, Scalar)]
    keys, texts = {_key(one.value) for one in scalars}, {one.text for one in scalars}
    return lambda value: _key(value) in keys or (isinstance(value, str) and value in texts)


def _each(node: Node) -> Sequence[Node]:
    return node.items if isinstance(node, Items) else (node,)


def _is_one(node: Node, keys: Collection[tuple[bool, Any]], texts: Collection[str]) -> bool:
    return isinstance(node, Scalar) and (_key(node.value) in keys or node.text in texts)


def _key(value: Any) -> tuple[bool, Any]:
    """Return what equal values have in common: 1 and 1.0 are equal, 1 and true are not."""
    return isinstance(value, bool), value
