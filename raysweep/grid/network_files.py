"""Networks files of a grid: read as text and parsed, never executed."""

import difflib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raysweep.grid.nodes import Entry, Items, Node, Problem, Scalar, shown_path
from raysweep.grid.values import found
from raysweep.trial.network import LARGEST_FILE, NetworkFileError, NetworkSource

_RULE: Final = "write the name of a Python file, or a list of names"


@dataclass(frozen=True)
class NetworkFile:
    """A networks file that is valid Python."""

    name: str
    """As the grid writes it."""
    source: NetworkSource


def read_network_files(entry: Entry, folder: Path, problems: list[Problem]) -> tuple[list[NetworkFile], bool]:
    """Read the files under the key `networks`.

    Args:
        entry: the key.
        folder: folder of the grid file, to which the names are relative.
        problems: list to which problems are added.

    Returns:
        The files that can be read and parsed, and whether these are all.
    """
    nodes = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
    if not nodes:
        problems.append(Problem(entry.line, "networks", f"an empty list names no file; {_RULE}"))
    files: list[NetworkFile] = []
    seen: set[Path] = set()
    for node in nodes:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
            problems.append(Problem(node.line, "networks", f"found {found(node)}; {_RULE}"))
            continue
        path = folder / os.path.expanduser(node.value)  # noqa: PTH111  # Path's own fails without a home
        real = Path(os.path.normpath(path.absolute()))
        if real in seen:
            message = f"{shown_path(path)} is listed twice; keep one of the two"
            problems.append(Problem(node.line, "networks", message))
        elif (source := _source(path, node, problems)) is not None:
            files.append(NetworkFile(node.value, source))
        seen.add(real)
    return files, len(files) == len(seen) == len(nodes) > 0


def _source(path: Path, node: Node, problems: list[Problem]) -> NetworkSource | None:
    """Read a networks file; return None if it is not valid Python."""
    shown = shown_path(path)
    data = _bytes(path, shown)
    if isinstance(data, str):
        problems.append(Problem(node.line, "networks", data))
        return None
    try:
        source = NetworkSource.of(shown, data)
        _ = source.functions  # parsed
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 text (byte 0x{data[error.start]:02x}); save it as UTF-8"
        problems.append(Problem(line, "", message, shown))
        return None
    except NetworkFileError as error:
        problems.extend(problems_of(error, shown))
        return None
    problems.extend(_neighbours(path, source))
    return source


def _neighbours(path: Path, source: NetworkSource) -> Iterator[Problem]:
    """Find imports of modules that lie beside the file, and are not installed."""
    for name, line in source.imports.items():
        beside = (path.parent / f"{name}.py").is_file() or (path.parent / name / "__init__.py").is_file()
        if beside and not _is_installed(name, path.parent):
            message = f"{name} lies beside the file, but only the file travels to the workers"
            yield Problem(line, f"import {name}", f"{message}; move what it needs into it", source.file)


def _is_installed(name: str, folder: Path) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and not (spec.origin and Path(spec.origin).is_relative_to(folder.resolve()))


def problems_of(error: NetworkFileError, source: str) -> list[Problem]:
    """Return the problems of a networks file as problems of the grid."""
    return [Problem(line, name, message, source) for line, name, message in error.problems]


def _bytes(path: Path, shown: str) -> bytes | str:
    """Return a file's bytes, or what is wrong with the file."""
    try:
        if path.is_dir():
            return f"{shown} is a folder; {_RULE}"
        if path.exists() and not path.is_file():  # a pipe may have no end
            return f"{shown} is not a regular file; {_RULE}"
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return f"no file {shown}; {_near(path)}"
    except (OSError, ValueError) as error:  # ValueError: a null byte or half of a surrogate pair in the name
        reason = error.strerror if isinstance(error, OSError) else "not a valid name"
        return f"{shown} cannot be read ({reason}); check the path and its permissions"
    if len(data) > LARGEST_FILE:
        return f"{shown} has more than {LARGEST_FILE // 1024} KiB; keep only the networks in it"
    return data


def _near(path: Path) -> str:
    names = [one.name for one in path.parent.glob("*.py")]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {shown_path(path.parent / near[0])}?" if near else "check the name"
