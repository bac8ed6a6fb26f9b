"""Parser from a grid file's text to a tree.

The language is YAML 1.2 (core schema: `1e-3` is a number, `no` is a string), read from ruamel's event stream.
So every limit is checked before anything is built: size, depth, and the number of values with aliases
expanded. Tags are refused, and no object is ever constructed.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from raysweep.errors import GridError
from raysweep.grid.examples import missing_file_hint
from raysweep.grid.nodes import (
    Entry,
    Items,
    Node,
    Problem,
    Scalar,
    Table,
    moved,
    plain_value,
    shown,
)
from raysweep.grid.place import STANDARD_INPUT, place_of

MAX_BYTES: Final = 128 * 1024
MAX_VALUES: Final = 10_000
MAX_DEPTH: Final = 8


def read_text(path: Path) -> str:
    """Read a grid file.

    Raises:
        GridError: the file cannot be read, is empty or too large, or is not UTF-8 text.
    """
    try:
        with open(0, "rb", closefd=False) if path == STANDARD_INPUT else path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        _refuse(path, 0, f"no such file; {missing_file_hint(path)}")
    except IsADirectoryError:
        _refuse(path, 0, "a folder, not a grid file; name a YAML file")
    except OSError as error:
        _refuse(path, 0, f"cannot be read ({error.strerror}); check the path and its permissions", error)
    if len(data) > MAX_BYTES:
        _refuse(path, 0, f"more than {MAX_BYTES // 1024} KiB; write ranges (0..99), or split the grid")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(path, line, f"not UTF-8 text (byte 0x{data[error.start]:02x}); save it as UTF-8")
    if not text.strip():
        _refuse(path, 1, "the file is empty; write a grid, such as one of `raysweep grids`")
    return text


def _refuse(path: Path, line: int, message: str, cause: Exception | None = None) -> NoReturn:
    raise GridError([Problem(line, "", message).at(place_of(path).shown)]) from cause


def parse(text: str, source: str) -> Node:
    """Parse YAML into a tree.

    Args:
        text: one YAML document.
        source: name of the file in messages.

    Raises:
        GridError: the text is not one plain YAML document, or exceeds a limit. The error has one problem
            only, because the text after a problem cannot be parsed reliably.
    """
    try:
        return _tree(text)
    except _SyntaxProblem as error:
        problem = error.problem
    except YAMLError as error:
        problem = _of_syntax(error, text)
    except (ValueError, OverflowError):  # ruamel lets chr() fail on an escape such as "\UFFFFFFFF"
        escape = re.search(r"\\U(?!00(0|10))", text)
        line = text.count("\n", 0, escape.start() if escape else 0) + 1
        problem = Problem(line, "", "not valid YAML: invalid escape sequence in quotes; remove it")
    raise GridError([problem.at(source)])


def parse_values(text: str, line: int) -> Node | Problem:
    """Parse the values of one key on the command line: `16`, `2..4`, `16,50` or `[16, 50]`.

    Args:
        text: the values.
        line: line of all nodes.
    """
    try:
        listed = _tree(f"[{text}]")
    except _SyntaxProblem as error:
        return error.problem._replace(line=line)
    except (YAMLError, ValueError, OverflowError):
        listed = None
    if not isinstance(listed, Items):
        return Problem(line, "", f"{shown(text)} is not valid YAML; check its brackets and quotes")
    return moved(listed.items[0] if len(listed.items) == 1 else listed, line)


def _tree(text: str) -> Node:
    return _Builder(YAML(typ="safe", pure=True).parse(text)).document()


class _SyntaxProblem(Exception):
    """Exception that carries a problem out of the builder."""

    def __init__(self, line: int, message: str) -> None:
        self.problem = Problem(line, "", message)


class _Builder:
    """Builder of one document's tree from YAML events."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Node, int]] = {}  # each with its number of values
        self._values = 0

    def document(self) -> Node:
        next(self._events)  # the stream starts
        start = next(self._events)
        if isinstance(start, StreamEndEvent):
            raise _SyntaxProblem(1, "nothing but comments; write a grid, such as one of `raysweep grids`")
        if isinstance(start, DocumentStartEvent) and start.version not in (None, (1, 2)):
            raise _SyntaxProblem(_line(start), "a grid file is YAML 1.2; remove the %YAML line")
        root = self._node(next(self._events), 1)
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                raise _SyntaxProblem(_line(event), "a second document starts here; put it in its own file")
        return root

    def _node(self, event: Any, depth: int) -> Node:
        before = self._values
        self._values += 1
        self._check(event, depth)
        node: Node
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if isinstance(event, SequenceStartEvent):
            node = Items(_line(event), tuple(self._children(SequenceEndEvent, depth)))
        elif isinstance(event, MappingStartEvent):
            node = Table(_line(event), tuple(self._entries(depth)))
        else:
            node = _scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._values - before
        return node

    def _check(self, event: Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _SyntaxProblem(_line(event), f"more than {MAX_DEPTH} levels deep; a grid needs 4")
        if self._values > MAX_VALUES:
            raise _SyntaxProblem(
                _line(event), f"more than {MAX_VALUES} values, aliases counted in full; write ranges (0..99)"
            )
        if (tag := getattr(event, "tag", None)) is not None:
            raise _SyntaxProblem(_line(event), f"the tag {shown(str(tag))} is not allowed; remove it")

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise _SyntaxProblem(
                _line(event), f"the alias {shown('*' + event.anchor)} refers to no value defined before it"
            )
        node, size = self._anchors[event.anchor]
        self._values += size - 1
        return node

    def _children(self, end: type[Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> Iterator[Entry]:
        children = self._children(MappingEndEvent, depth)
        for key in children:
            if not isinstance(key, Scalar):
                raise _SyntaxProblem(key.line, "a key is a list or a mapping; write a name")
            value = next(children)
            if isinstance(value, Scalar) and not value.text:  # ruamel marks no value at the next token
                value = replace(value, line=key.line)
            yield Entry(key.line, key.text, value)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any) -> Scalar:
    if event.style is None:  # plain: not quoted, not a block
        return Scalar(_line(event), plain_value(event.value), event.value)
    return Scalar(_line(event), event.value, event.value, quoted=True)


def _of_syntax(error: YAMLError, text: str) -> Problem:
    """Turn a YAML error into a problem of one line, with a remedy."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        position = getattr(error, "position", 0)  # ruamel's ReaderError
        line = text.count("\n", 0, position) + 1
        return Problem(
            line, "", f"the character {shown(text[position : position + 1])} is not allowed; remove it"
        )
    mark = error.problem_mark
    found = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(error.problem))
    if mark.index >= len(text):
        opened = error.context_mark.line + 1 if error.context_mark else mark.line + 1
        return Problem(
            opened, "", "the file ends before what starts here is complete; close the bracket or quote"
        )
    if "'\\t'" in found:
        remedy = "indent with spaces, not tabs"
    elif found.startswith("mapping values"):
        remedy = "start the key on a line of its own, indented like its neighbours"
    else:
        remedy = "check the indentation, brackets and quotes there"
    return Problem(mark.line + 1, "", f"not valid YAML at column {mark.column + 1}: {found}; {remedy}")
