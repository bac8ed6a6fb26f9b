"""Place that a grid comes from: a file, or a pipe, which has no name and no folder."""

import stat
from pathlib import Path
from typing import Final, NamedTuple

from raysweep.grid.nodes import shown_path

STANDARD_INPUT: Final = Path("-")
"""Path that stands for standard input."""

PIPES: Final = ("/dev/stdin", "/dev/fd/", "/proc/")
"""Beginnings of paths that name no file, such as /dev/fd/63, even if a file is behind them."""


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
    if str(path).startswith(PIPES) or _is_special(path):
        return Place(shown_path(path), "", Path.cwd())
    return Place(shown_path(path), path.stem, path.parent)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # which reading it reports
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
