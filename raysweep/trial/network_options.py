"""Options of a user's network: parameters of its function, read from the parsed function."""

import ast
import math
import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple, TypeAlias

Option: TypeAlias = bool | int | float | str
"""Value of an option."""

STANDARD: Final = ("n_in", "n_out", "vocab", "mem", "batch_size")
"""Arguments that raysweep passes to a network's function if the function takes them."""

LONGEST_NAME: Final = 40
"""Characters of an architecture's or an option's name, which stands in file names and on screens."""

LONGEST_TEXT: Final = 1_000
"""Characters of an option that is text."""

INT_BITS: Final = 64
"""Bits of an option that is a whole number, sign included."""

NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}")
"""Name of an architecture or an option."""

NAME_RULE: Final = f"use at most {LONGEST_NAME} of the characters A-Z a-z 0-9 _ for a name"


class NetworkProblem(NamedTuple):
    """What is wrong in a networks file."""

    line: int
    name: str
    """The function, or the function and its parameter; empty for the whole file."""
    message: str
    """With a remedy."""


def options_of(
    function: ast.FunctionDef, text: str, reserved: Collection[str], problems: list[NetworkProblem]
) -> Iterator[tuple[str, Option]]:
    """Yield the options of a function with their defaults.

    Args:
        function: from a networks file.
        text: the file's text.
        reserved: names that no option may have.
        problems: list to which problems are added.
    """
    given = function.args
    problems.extend(_unnamed(function))
    # The defaults belong to the last parameters, of which positional-only ones come first.
    defaults = ([None] * len(given.args) + given.defaults)[len(given.defaults) :]
    pairs = [*zip(given.args, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    for parameter, default in pairs:
        name = parameter.arg
        if name in STANDARD:
            continue
        value = None if default is None else _literal(default)
        if message := _name_problem(name, reserved):
            pass
        elif default is None:
            message = f"has no default; write one (such as {name}=1), or use {', '.join(STANDARD)}"
        elif value is None:
            message = f"the default {_shown(text, default)} is no literal number, bool or text; write one"
        elif excess := _excess(value):
            message = f"the default {_shown(text, default)} {excess}"
        else:
            yield name, value
            continue
        problems.append(NetworkProblem(parameter.lineno, f"{function.name}.{name}", message))


def _unnamed(function: ast.FunctionDef) -> Iterator[NetworkProblem]:
    """Find the parameters that cannot be passed by name."""
    given = function.args
    for one in given.posonlyargs:
        message = "positional only; raysweep passes every argument by name: remove the /"
        yield NetworkProblem(one.lineno, f"{function.name}.{one.arg}", message)
    for many, stars in ((given.vararg, "*"), (given.kwarg, "**")):
        if many is not None:
            message = "takes any argument; name every option, each with a default"
            yield NetworkProblem(many.lineno, f"{function.name}.{stars}{many.arg}", message)


def _name_problem(name: str, reserved: Collection[str]) -> str | None:
    if name in reserved:
        return f"{name} is a setting of raysweep; rename the option ({', '.join(STANDARD)} are passed)"
    return None if NAME.fullmatch(name) else NAME_RULE


def _shown(text: str, node: ast.expr) -> str:
    """Return the text of an expression for a message: one line, at most 50 characters, all printable."""
    written = " ".join((ast.get_source_segment(text, node) or "").split())
    short = written if len(written) <= 50 else written[:47] + "..."
    return short if short.isprintable() else ascii(short)


def _literal(node: ast.expr) -> Option | None:
    """Return the value of a literal bool, int, float or str; None for anything else.

    >>> [_literal(ast.parse(text).body[0].value) for text in ("-2", "0.5", "True", "'a'", "None", "1j")]
    [-2, 0.5, True, 'a', None, None]
    """
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _literal(node.operand) if isinstance(node.operand, ast.Constant) else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        return -number if isinstance(node.op, ast.USub) else number
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, bool | int | float | str) else None


def _excess(value: Option) -> str | None:
    """Say in which way a value is out of an option's range; None if it is not.

    >>> _excess(2**63), _excess(-(2**63)), _excess(1e300)
    ('has more than 64 bits; write a smaller number', None, None)
    """
    if isinstance(value, int) and not -(2 ** (INT_BITS - 1)) <= value < 2 ** (INT_BITS - 1):
        return f"has more than {INT_BITS} bits; write a smaller number"
    if isinstance(value, float) and not math.isfinite(value):
        return "is not finite; write a finite number"
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"has more than {LONGEST_TEXT:,} characters; write a shorter text"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "has half of a surrogate pair; write whole characters"
    return None
