"""The example grids that come with raysweep: what each would train here, and copies of them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raysweep.analysis.forecast import forecast
from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.grid import read_grid
from raysweep.grid.examples import example_files, near_example
from raysweep.report.examples_table import Example
from raysweep.store.atomic_files import read_file
from raysweep.store.output_files import write_output
from raysweep.trial.cost import RuntimeEstimate
from raysweep.trial.state_index import StateIndex

_COMMENT: Final = re.compile(r"(?:#.*\n)+")
_SENTENCE: Final = re.compile(r".*?[.?](?= |$)")


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of an example, which is now in the folder."""

    path: Path
    new: bool
    """False if the same file was there."""


def examples(cpus: int, gpus: int) -> list[Example]:
    """Describe all examples.

    Args:
        cpus: cores of this machine.
        gpus: GPUs of this machine.
    """
    return [_example(name, path, cpus, gpus) for name, path in example_files().items()]


def _example(name: str, path: Path, cpus: int, gpus: int) -> Example:
    grid = read_grid(path)
    slots = grid.resources.slots(cpus, gpus)
    ahead = forecast(grid, (), RuntimeEstimate(), StateIndex({}))
    about = about_of(path.read_text(encoding="utf-8"))
    return Example(name, about, len(grid.trials), ahead.wall_seconds(slots) if slots else None)


def about_of(text: str) -> str:
    """Return the first sentence of a grid file's first comment.

    >>> about_of("# How long?" + chr(10) + "# And more." + chr(10) + "name: x")
    'How long?'
    """
    comment = _COMMENT.match(text)
    words = " ".join(line.lstrip("# ") for line in comment[0].splitlines()) if comment else ""
    sentence = _SENTENCE.match(words)
    return sentence[0] if sentence else words


def copy_example(name: str, folder: Path) -> list[Copied]:
    """Copy an example and the networks files that it names into a folder.

    Raises:
        UsageError: there is no such example, or a file in the folder has the name and another content.
        StorageError: the folder cannot be read or written.
    """
    files = example_files()
    if not files:
        raise UsageError("this installation has no example grids; install raysweep again")
    if (path := files.get(name.removesuffix(".yaml"))) is None:
        near = near_example(name)
        known = f"did you mean {near}?" if near else f"there are {', '.join(files)}"
        raise UsageError(f"{name}: no example has this name; {known}")
    sources = {folder / one.relative_to(path.parent): one.read_bytes() for one in _files(path)}
    same = {target: _is_same(target, data) for target, data in sources.items()}
    if differing := [str(target) for target, is_same in same.items() if is_same is False]:
        raise UsageError(
            f"{' and '.join(differing)}: here already, and not as the example has it; "
            "nothing was copied: move it elsewhere, or copy the example into another folder"
        )
    for target, data in sources.items():
        if same[target] is None:
            write_output(target, data)
    return [Copied(target, new=is_same is None) for target, is_same in same.items()]


def _files(path: Path) -> Iterator[Path]:
    """Yield the files of an example, the grid first."""
    yield path
    networks = read_grid(path).content.get("networks", {})
    yield from dict.fromkeys(path.parent / network["file"] for network in networks.values())


def _is_same(path: Path, data: bytes) -> bool | None:
    """Return whether a file has these bytes; None if there is no file."""
    if not os.path.lexists(path):
        return None
    try:
        return read_file(path) == data
    except (ResultsError, StorageError):  # a link, a folder, or not for us to read
        return False
