"""A grid file as a small tree in which everything knows its line, and what is wrong with it.

What the keys mean is not known here, nor where the tree comes from: a file (`gridfile`), or the plain
content that a results folder keeps (`tree_of`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

Plain: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `text` is what stands in the file."""

    line: int
    value: Plain
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its line, and what it holds."""

    line: int
    key: str
    value: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping as written: in order, a repeated key as often as it stands there."""

    line: int
    entries: tuple[Entry, ...]


Node: TypeAlias = Scalar | Items | Table


class Problem(NamedTuple):
    """One thing that is wrong: its line (0 if it has none), its key (perhaps empty), and what to do."""

    line: int
    key: str
    message: str

    def at(self, source: str) -> str:
        """Write the problem as one line of text.

        >>> Problem(5, "grid.memm", "unknown key; did you mean 'mem'?").at("grids/lengths.yaml")
        "grids/lengths.yaml:5: grid.memm: unknown key; did you mean 'mem'?"
        """
        place = f"{source}:{self.line}" if self.line else source
        return ": ".join(part for part in (place, self.key, self.message) if part)


def shown(text: str) -> str:
    """Quote text for a message: one line, at most some 50 characters, no control characters.

    >>> len(shown("two" + chr(10) + "lines").splitlines())
    1
    """
    return repr(text if len(text) <= 50 else text[:47] + "...")


_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_WORDS: Final[Mapping[str, Plain]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def plain_value(text: str) -> Plain:
    """Give an unquoted scalar the value that YAML 1.2's core schema gives it, in base ten.

    >>> [plain_value(text) for text in ("16", "1e-3", "no", "", "true")]
    [16, 0.001, 'no', None, True]
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 100:  # Python refuses to convert thousands of digits
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def tree_of(content: Any) -> Node:
    """Make a tree without lines from plain JSON-able content, so that one reader serves both.

    >>> tree_of({"mem": [16]}).entries[0].value.items
    (Scalar(line=0, value=16, text='16', quoted=False),)
    """
    if isinstance(content, Mapping):
        return Table(0, tuple(Entry(0, str(key), tree_of(value)) for key, value in content.items()))
    if isinstance(content, list | tuple):
        return Items(0, tuple(map(tree_of, content)))
    return Scalar(0, content, str(content), quoted=isinstance(content, str))
