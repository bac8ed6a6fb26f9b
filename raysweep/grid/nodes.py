"""Nodes of a grid file, a small tree in which every node has its line; and problems of the file.

The module knows neither the meaning of the keys nor the source of the tree: a file (`yaml_file`), the
command line (`given`), or the plain content that a results folder keeps (`tree_of`). A node of the command
line has a negative line: -n is that of the n-th option.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

Plain: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `text` is the value as written in the file."""

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
    """A key with its line and its value."""

    line: int
    key: str
    value: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping as written: entries in order, repeated keys included."""

    line: int
    entries: tuple[Entry, ...]


Node: TypeAlias = Scalar | Items | Table


class Problem(NamedTuple):
    """One problem: its line (0 if none, negative for an option), its key, and a message with a remedy."""

    line: int
    key: str
    message: str
    source: str = ""
    """Path of the file if the problem is not in the grid file."""

    def at(self, source: str, options: Sequence[str] = ()) -> str:
        """Write the problem as one line of text.

        Args:
            source: path of the grid file.
            options: options of the command line whose nodes have negative lines, such as `--set epochs`.

        >>> Problem(5, "grid.memm", "unknown key; did you mean 'mem'?").at("grids/lengths.yaml")
        "grids/lengths.yaml:5: grid.memm: unknown key; did you mean 'mem'?"
        >>> Problem(-1, "defaults.epochs", "found 0; write 1").at("grids/lengths.yaml", ["--set epochs"])
        '--set epochs: found 0; write 1'
        """
        key = self.key
        if self.line < 0:
            place = options[-self.line - 1]
            own = place.partition(" ")[2]
            key = "" if key.rpartition(".")[2] == own.rpartition(".")[2] else key
        else:
            source = self.source or source
            place = f"{source}:{self.line}" if self.line else source
        return ": ".join(part for part in (place, key, self.message) if part)

    @property
    def order(self) -> tuple[str, bool, int]:
        """Key to sort by: the grid file's problems, the options', then those of networks files."""
        return self.source, self.line < 0, abs(self.line)


def shown(text: str) -> str:
    """Quote text for a message: one line, about 50 characters at most, no control characters.

    >>> len(shown("two" + chr(10) + "lines").splitlines())
    1
    """
    return repr(text if len(text) <= 50 else text[:47] + "...")


def moved(node: Node, line: int) -> Node:
    """Return a tree with another line in every node."""
    if isinstance(node, Table):
        return Table(line, tuple(Entry(line, one.key, moved(one.value, line)) for one in node.entries))
    if isinstance(node, Items):
        return Items(line, tuple(moved(item, line) for item in node.items))
    return replace(node, line=line)


def shown_path(path: Path) -> str:
    """Return a path as text, quoted if it holds characters that could steer a terminal."""
    return str(path) if str(path).isprintable() else repr(str(path))


_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_CONSTANTS: Final[Mapping[str, Plain]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def plain_value(text: str) -> Plain:
    """Return the value of an unquoted scalar by YAML 1.2's core schema, numbers in base ten only.

    >>> [plain_value(text) for text in ("16", "1e-3", "no", "", "true")]
    [16, 0.001, 'no', None, True]
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text) and len(text) < 100:  # Python refuses to convert thousands of digits
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def tree_of(content: Any) -> Node:
    """Build a tree without lines from plain JSON-able content, so that both sources have one reader.

    >>> tree_of({"mem": [16]}).entries[0].value.items
    (Scalar(line=0, value=16, text='16', quoted=False),)
    """
    if isinstance(content, Mapping):
        return Table(0, tuple(Entry(0, str(key), tree_of(value)) for key, value in content.items()))
    if isinstance(content, list | tuple):
        return Items(0, tuple(map(tree_of, content)))
    return Scalar(0, content, str(content), quoted=isinstance(content, str))
