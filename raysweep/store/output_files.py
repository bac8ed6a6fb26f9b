"""Files that a user names for output: complete or untouched, and never in the place of something special."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from raysweep.errors import StorageError, UsageError
from raysweep.store.atomic_files import Folder

PAGES: Final = (".html", ".htm")
"""Endings of a page's file."""


def require_writable(path: Path, endings: Sequence[str], outside: Path) -> None:
    """Refuse a path to which `write_output` could not write, or should not.

    Args:
        path: the file that the user names.
        endings: endings that such a file may have.
        outside: results folder in which nothing but results may be written.

    Raises:
        UsageError: the path is that of a folder, a device or a file of the results, has another ending, or
            its folder does not exist.
        StorageError: its folder cannot be written.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path}: give the name of a file that ends with {' or '.join(endings)}")
    if _target(path).is_relative_to(outside.resolve()):
        raise UsageError(f"{path}: is in the results folder {outside}; write it to another folder")
    with _folder_of(path) as folder:
        folder.require_writable()


def write_output(path: Path, data: bytes) -> None:
    """Write a file, or replace an older one, in one step.

    Raises:
        UsageError: the path is that of a folder or a device, or its folder does not exist.
        StorageError: the file cannot be written.
    """
    with _folder_of(path) as folder:
        folder.put(_target(path).name, data)


def _target(path: Path) -> Path:
    """Return the file that a path names, through links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: of links in a circle, until Python 3.13
        raise UsageError(f"{path}: a link that leads nowhere; give the name of a file") from error


@contextmanager
def _folder_of(path: Path) -> Iterator[Folder]:
    """Open the folder of a file, through links if there are any: the user named it."""
    try:
        parent = _target(path).parent
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}; create it, or give another file")
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: not a regular file; give the name of a file")
        folder = Folder(parent)
        try:
            yield folder
        finally:
            folder.close()
    except (StorageError, OSError) as error:
        cause = error.__cause__ if isinstance(error, StorageError) else error
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise StorageError(f"{path}: cannot be written: {reason or error}; name a file elsewhere") from error
