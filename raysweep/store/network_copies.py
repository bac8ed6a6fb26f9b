"""Copies of networks files in a results folder: for people and for provenance, never executed.

A copy's name is the SHA-256 of its text, which the rows of its trials have in their column `network`.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from raysweep.errors import ResultsError, StorageError
from raysweep.store.atomic_files import Folder, read_file
from raysweep.store.listing import names_in
from raysweep.store.paths import Paths, is_temporary
from raysweep.store.verify import Damage, unreadable
from raysweep.trial.network import NetworkSource


def put_copies(paths: Paths, sources: Iterable[NetworkSource]) -> None:
    """Write the copies that are missing or damaged.

    Raises:
        StorageError: a copy cannot be written.
    """
    missing = [source for source in sources if not _is_intact(paths.network(source.sha256))]
    if not missing:
        return
    folder = Folder.create(paths.networks)
    try:
        for name in [name for name in folder.names() if is_temporary(name)]:
            folder.remove(name)
        for source in missing:
            folder.put(paths.network(source.sha256).name, source.text.encode())
    finally:
        folder.close()


def network_text(paths: Paths, sha256: str) -> str | None:
    """Return the text of a copy; None if it is missing, or does not match its name."""
    path = paths.network(sha256)
    return (read_file(path) or b"").decode(errors="replace") if _is_intact(path) else None


def copy_damage(paths: Paths, needed: Collection[str]) -> Iterator[Damage]:
    """Find copies that do not match their name, and missing copies.

    Args:
        paths: the results folder.
        needed: SHA-256 of every network that a committed trial has.

    Raises:
        StorageError: the folder of copies cannot be read.
    """
    names = names_in(paths, paths.networks)
    for path in sorted(paths.networks / name for name in names if name.endswith(Paths.NETWORK_SUFFIX)):
        if reason := unreadable(path):
            yield Damage(path, reason)
        elif not _is_intact(path):
            yield Damage(
                path, "does not match the SHA-256 in its name; a run with that networks file mends it"
            )
    for sha256 in sorted({*needed} - {name.removesuffix(Paths.NETWORK_SUFFIX) for name in names}):
        yield Damage(paths.network(sha256), "the copy is missing; a run with that networks file writes it")


def _is_intact(path: Path) -> bool:
    try:
        return hashlib.sha256(read_file(path) or b"").hexdigest() == path.stem
    except (ResultsError, StorageError):
        return False
