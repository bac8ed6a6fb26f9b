"""Shell completion of sweeps and trial ids: from names alone, so that it is quick, and silent on errors."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer

from raysweep.cli.paths import user_path
from raysweep.store.paths import Paths, trial_of

_RESULTS: Final = "results"
"""Folder of results folders, unless `--results-dir` named another one."""

_MAX_LOOKED_AT: Final = 2000
"""Most entries of a folder that are looked at."""


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Return what completes an option that takes one of a few words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def complete_sweep(incomplete: str) -> list[str]:
    """Return the results folders that a beginning may mean; without any, the shell completes files.

    They are looked for beside what is typed and, as a folder of results folders, one level below.
    """
    with suppress(Exception):
        place, _, _ = incomplete.rpartition("/")
        top = user_path(f"{place}/") if place or incomplete.startswith("/") else Path()
        shown = f"{place}/" if place or incomplete.startswith("/") else ""
        return sorted(f"{shown}{found}" for found in _sweeps(top, incomplete.removeprefix(shown)))
    return []


def complete_trial(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of a sweep's trials that are done or failed, and begin so."""
    with suppress(Exception):
        paths = Paths(Path(context.params["sweep"]))
        kinds = {paths.trials: Paths.TABLE_SUFFIX, paths.failures: Paths.FAILURE_SUFFIX}
        found = {
            trial_id
            for folder, suffix in kinds.items()
            for name in _names(folder)
            if name.startswith(incomplete) and (trial_id := trial_of(name, suffix)) is not None
        }
        return sorted(found)
    return []


def _sweeps(top: Path, beginning: str) -> Iterator[str]:
    """Yield the sweeps in a folder whose names begin so, and those in its folders of sweeps."""
    for name in _folders(top):
        if _is_sweep(top / name):
            if name.startswith(beginning):
                yield name
        elif name.startswith(beginning) and (beginning or name == _RESULTS or top != Path()):
            yield from (f"{name}/{one}" for one in _folders(top / name) if _is_sweep(top / name / one))


def _is_sweep(folder: Path) -> bool:
    paths = Paths(folder)
    return os.path.lexists(paths.record) or os.path.lexists(paths.trials)


def _folders(folder: Path) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [
            entry.name
            for entry, _ in zip(entries, range(_MAX_LOOKED_AT), strict=False)
            if not entry.name.startswith(".") and entry.is_dir()
        ]
    return []


def _names(folder: Path) -> list[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []
