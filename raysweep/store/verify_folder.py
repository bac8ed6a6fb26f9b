"""Verification of a whole results folder: every file against its checksum, and no file without a trial."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from raysweep.architectures import BUILT_IN
from raysweep.errors import ResultsError, StorageError
from raysweep.store.atomic_files import exists
from raysweep.store.listing import ids_in, names_in
from raysweep.store.lock import live_holder
from raysweep.store.network_copies import copy_damage
from raysweep.store.paths import Kind, Paths, trial_of
from raysweep.store.verify import (
    Damage,
    VerifyReport,
    bytes_of,
    failure_damage,
    saved_damage,
    trial_damage,
    unreadable,
)

if TYPE_CHECKING:
    from raysweep.store.ledger import Ledger


def verify(ledger: "Ledger") -> VerifyReport:
    """Read every file and compare it with its checksum, one at a time.

    Raises:
        UsageError: the folder does not exist, or is not a sweep's.
        ResultsError: the folder contains a symbolic link.
    """
    paths = ledger.paths
    if not any(exists(path) for path in (paths.record, *paths.subfolders)):
        raise ledger.no_sweep()
    running = live_holder(paths.lock) is not None
    orphans = set() if running else _orphans(ledger)
    committed = ledger.committed()
    damage = [found for trial_id in sorted(committed) for found in _damage(paths, trial_id)]
    return VerifyReport(len(committed), (*damage, *sorted(orphans, key=str), *_other_damage(ledger)))


def _damage(paths: Paths, trial_id: str) -> list[Damage]:
    """Return a trial's damage; for a reader, an unreadable file is damaged, whatever the reason."""
    kinds: tuple[Kind, ...] = ("trials", "predictions", "curves")
    try:
        return trial_damage(paths, trial_id)
    except StorageError:
        tables = [paths.table(kind, trial_id) for kind in kinds]
        return [Damage(path, reason) for path in tables if (reason := unreadable(path))]


def _orphans(ledger: "Ledger") -> set[Damage]:
    """Find tables without a row, except those of a commit that ends meanwhile."""
    paths = ledger.paths
    kinds: tuple[Kind, ...] = ("predictions", "curves")
    found = [(k, i) for k in kinds for i in ids_in(paths, paths.folder / k, Paths.TABLE_SUFFIX)]
    committed = ledger.committed()
    what = "no matching row in trials/: the row was lost, or a run was interrupted during a commit"
    return {Damage(paths.table(k, i), what) for k, i in found if i not in committed}


def _foreign_tables(paths: Paths) -> Iterator[Damage]:
    """Find tables that belong to no trial, such as renamed copies, which *.parquet matches."""
    kinds: tuple[Kind, ...] = ("trials", "predictions", "curves")
    for kind in kinds:
        for name in names_in(paths, paths.folder / kind):
            if name.endswith(Paths.TABLE_SUFFIX) and trial_of(name, Paths.TABLE_SUFFIX) is None:
                yield Damage(paths.folder / kind / name, "no trial's file; move it elsewhere")


def _other_damage(ledger: "Ledger") -> Iterator[Damage]:
    """Find damage of what is no trial's result: record, copies, failures, checkpoints and states."""
    paths = ledger.paths
    yield from _foreign_tables(paths)
    if reason := unreadable(paths.record):
        yield Damage(paths.record, reason)
    elif bytes_of(paths.record) is not None and ledger.record() is None:
        yield Damage(paths.record, "not valid, or written by another version of raysweep")
    yield from copy_damage(paths, _networks(ledger))
    yield from failure_damage(paths, ids_in(paths, paths.failures, Paths.FAILURE_SUFFIX))
    checkpoints = ids_in(paths, paths.checkpoints, Paths.CHECKPOINT_SUFFIX)
    yield from saved_damage(map(paths.checkpoint, checkpoints))
    yield from saved_damage(map(paths.state, ids_in(paths, paths.states, Paths.STATE_SUFFIX)))


def _networks(ledger: "Ledger") -> set[str]:
    """Return the users' networks that committed trials have."""
    trials = [one for one in ledger.committed() if one.partition("-")[0] not in BUILT_IN]
    with suppress(ResultsError, StorageError):  # found before
        return {str(one.counts.settings["network"]) for one in ledger.manifests(trials).values()}
    return set()
