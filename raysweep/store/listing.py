"""Results folders by their names, and what is in their subfolders."""

from pathlib import Path

from raysweep.store.atomic_files import Folder, exists, refuse_link
from raysweep.store.paths import Paths, trial_of


def in_results(folder: Path) -> Path | None:
    """Return the folder of this name in `results`, which is probably meant; None if there is none."""
    meant = Path("results", folder)
    return None if folder.is_absolute() or not exists(meant) else meant


def names_in(paths: Paths, folder: Path) -> list[str]:
    """Return the names of all entries of a subfolder; none if it does not exist.

    Raises:
        ResultsError: the results folder, the subfolder or an entry is a symbolic link.
        StorageError: the subfolder cannot be read.
    """
    refuse_link(paths.folder)
    if not exists(folder):
        return []
    opened = Folder(folder)
    try:
        return list(opened.names())
    finally:
        opened.close()


def ids_in(paths: Paths, folder: Path, suffix: str) -> set[str]:
    """Return the ids of the trials that have a file with a suffix in a subfolder; raises as `names_in`."""
    found = (trial_of(name, suffix) for name in names_in(paths, folder))
    return {trial_id for trial_id in found if trial_id is not None}
