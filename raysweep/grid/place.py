"""Place that a grid comes from: a file, or a pipe, which has no name and no folder."""

import stat
from pathlib import Path
from typing import Final, NamedTuple

from raysweep.grid.nodes import shown_path

STANDARD_INPUT: Final = Path("-")
"""Path that stands for standard input."""

_OF_THE_SYSTEM: Final = ("/dev/", "/proc/")
"""Folders whose files name no grid: /dev/stdin, /dev/fd/63."""


class Place(NamedTuple):
    """Where a grid comes from."""

    shown: str
    """For messages."""
    stem: str
    """Name of the sweep if the grid has none; empty for a pipe."""
    folder: Path
    """Folder to which names of networks files are relative; for a pipe, the current one."""


def place_of(path: Path) -> Place:
    """Return the place of a grid; `-` is standard input, and `<(…)` of a shell a pipe."""
    if path == STANDARD_INPUT:
        return Place("standard input", "", Path.cwd())
    if str(path).startswith(_OF_THE_SYSTEM) or _is_special(path):
        return Place(shown_path(path), "", Path.cwd())
    return Place(shown_path(path), path.stem, path.parent)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # which reading it reports
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
