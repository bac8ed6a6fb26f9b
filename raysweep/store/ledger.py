"""The ledger: which trials of a results folder are committed, and whether their files are valid.

A trial is committed if and only if its row is in `trials/`: there is no other state to restore, lose or
contradict. Files of `predictions/` and `curves/` without a row belong to a commit in progress or to an
interrupted commit; readers ignore such files.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raysweep.errors import GridError, ResultsError, StorageError, UnknownSchemaError, UsageError
from raysweep.grid import grid_from_content
from raysweep.store.atomic_files import Folder, exists, read_file
from raysweep.store.listing import ids_in
from raysweep.store.lock import lock
from raysweep.store.paths import Kind, Paths
from raysweep.store.saved_states import index_of
from raysweep.store.sweep_record import Failure, SweepRecord, from_json
from raysweep.store.trial_manifest import Manifest, read_manifest
from raysweep.store.verify import (
    DAMAGE_REMEDY,
    Damage,
    VerifyReport,
    bytes_of,
    failure_of,
    manifest_with_expected_sizes,
)
from raysweep.store.verify_folder import verify
from raysweep.store.writer import Writer
from raysweep.trial.cost import Measured
from raysweep.trial.prefix import completed
from raysweep.trial.settings import TrialSettings
from raysweep.trial.state_index import StateIndex
from raysweep.trial.training_state import MadeWith

if TYPE_CHECKING:
    from raysweep.store.trial_lookup import TrialRecord

__all__ = ["Damage", "Failure", "Ledger", "SweepRecord", "VerifyReport", "Writer"]

MAX_TIMINGS: Final = 200
"""Most rows that are read for an estimate of runtimes."""


class Ledger:
    """A results folder, as readers see it; the folder need not exist yet.

    Every method reads the files again, so that the progress of a run is visible; only the schema version of
    each row is checked once.

    Args:
        folder: the results folder of one sweep, such as `results/lengths`.
    """

    def __init__(self, folder: Path) -> None:
        """Store the folder's path; nothing is read or created."""
        self.paths = Paths(folder)
        self._readable: set[str] = set()

    def committed(self) -> set[str]:
        """Return the ids of the committed trials, from their file names alone.

        Raises:
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        return ids_in(self.paths, self.paths.trials, Paths.TABLE_SUFFIX)

    def committed_with_expected_sizes(self) -> set[str]:
        """Return the committed trials whose files have the expected sizes; only rows are read.

        This is quick, and correct unless bytes were changed in place; `plan` counts these trials as done.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        return {trial_id for trial_id in self.committed() if self._has_expected_sizes(trial_id)}

    def manifests(self, trial_ids: Collection[str]) -> dict[str, Manifest]:
        """Return the manifests of these committed trials, by id; only the rows' checksums are computed.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: a row is damaged, or another file is missing or has an unexpected size.
            StorageError: a file cannot be read.
        """
        try:
            return {trial_id: manifest_with_expected_sizes(self.paths, trial_id) for trial_id in trial_ids}
        except UnknownSchemaError:
            raise
        except ResultsError as error:
            raise ResultsError(f"{error}; {DAMAGE_REMEDY}") from error

    def files(self, kind: Kind) -> list[str]:
        """Return the files of one table for the committed trials, sorted, for DuckDB or Arrow.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        present = self.committed()
        self._require_readable(present)
        if kind != "trials":
            # Listed second: if a trial is committed meanwhile, its file is listed here, but not its id above.
            present &= ids_in(self.paths, self.paths.folder / kind, Paths.TABLE_SUFFIX)
        return [os.fspath(self.paths.table(kind, trial_id)) for trial_id in sorted(present)]

    def failures(self) -> dict[str, Failure]:
        """Return the last failure of each trial that failed and is not committed, by id; skip torn files."""
        failed = ids_in(self.paths, self.paths.failures, Paths.FAILURE_SUFFIX) - self.committed()
        read = {trial_id: failure_of(self.paths, trial_id) for trial_id in sorted(failed)}
        return {trial_id: failure for trial_id, failure in read.items() if failure is not None}

    def record(self) -> SweepRecord | None:
        """Return the record of the requested grid and of each run; None if `sweep.json` is absent or torn.

        The tables hold everything except the requested grid, so readers continue without the record;
        `verify` reports a torn file, and the next run replaces it.

        Raises:
            StorageError: the file cannot be read.
        """
        if not exists(self.paths.record):
            return None
        try:
            return from_json(SweepRecord, read_file(self.paths.record))
        except ResultsError:
            return None

    def planned(self) -> dict[str, TrialSettings] | None:
        """Return the trials of the latest grid, by id; None if `sweep.json` or its grid is invalid."""
        if (record := self.record()) is None:
            return None
        try:
            grid = grid_from_content(record.content, source="sweep.json")
        except GridError:
            return None
        return {settings.trial_id: settings for settings in grid.trials}

    def timings(self, among: Collection[str] | None = None) -> list[Measured]:
        """Return the runtimes of at most `MAX_TIMINGS` committed trials, spread over all.

        If one of their rows cannot be read, there are none; `verify` and `run` report what is wrong.

        Args:
            among: ids of trials; None for all committed ones.
        """
        trial_ids = sorted(self.committed() if among is None else self.committed().intersection(among))
        try:
            manifests = self.manifests(trial_ids[:: len(trial_ids) // MAX_TIMINGS + 1])
        except ResultsError:
            return []
        done = [manifest.counts for manifest in manifests.values() if manifest.counts.status == "done"]
        return [
            Measured(TrialSettings(**counts.settings), counts.seconds, counts.inherited_epochs)
            for counts in done
        ]

    def states(self, here: MadeWith | None) -> StateIndex:
        """Return the checkpoints and states that trials can go on from with `here`; with anything if None."""
        saved = {Paths.CHECKPOINT_SUFFIX: self.paths.checkpoints, Paths.STATE_SUFFIX: self.paths.states}
        with ExitStack() as stack:
            folders = {suffix: Folder(path) for suffix, path in saved.items() if exists(path)}
            for folder in folders.values():
                stack.callback(folder.close)
            return index_of(folders, here)[0]

    def find_trial(self, prefix: str) -> str:
        """Complete a prefix of a trial's id, among trials that are committed, failed or planned.

        Raises:
            UsageError: no trial matches, or more than one; the message lists candidates.
        """
        planned = self.planned() or {}
        known = sorted({*self.committed(), *self.failures(), *planned})
        if not known:
            raise self.no_sweep()
        return completed(prefix, known, self.paths.folder, lambda ids: planned | self._settings(ids))

    def trial(self, trial_id: str) -> "TrialRecord":
        """Read everything that is known about a trial.

        Raises:
            ResultsError: one of the trial's files is damaged or missing.
        """
        from raysweep.store.trial_lookup import TrialRecord, committed_trial  # and Arrow, seldom needed

        if (committed := committed_trial(self.paths, trial_id)) is not None:
            return committed
        planned = self.planned() or {}
        return TrialRecord(trial_id, planned.get(trial_id), None, self.failures().get(trial_id))

    def no_sweep(self) -> UsageError:
        """Return the error for a folder without results."""
        return UsageError(
            f"{self.paths.folder}: no sweep has written here; give the folder of one, such as results/lengths"
        )

    def verify(self) -> VerifyReport:
        """Read every file and compare it with its checksum, one at a time.

        Raises:
            UsageError: the folder does not exist, or is not a sweep's.
            ResultsError: the folder contains a symbolic link.
        """
        return verify(self)

    @contextmanager
    def open_for_writing(self) -> Iterator[Writer]:
        """Create the folder if necessary, become its only writer, and clean up after earlier writers.

        Raises:
            LockedError: another process is writing to the folder.
            StorageError: the folder cannot be written.
            ResultsError: the folder or an entry in it is a symbolic link.
        """
        Folder.create(self.paths.folder).close()
        with lock(self.paths.lock):
            writer = Writer(self.paths)
            try:
                writer.clean_up()
                yield writer
            finally:
                writer.close()

    def _settings(self, trial_ids: Collection[str]) -> dict[str, TrialSettings]:
        """Return the settings of those of some trials whose rows can be read."""
        with suppress(ResultsError, StorageError):
            rows = self.manifests(self.committed().intersection(trial_ids))
            return {trial_id: TrialSettings(**row.counts.settings) for trial_id, row in rows.items()}
        return {}

    def _require_readable(self, trial_ids: set[str]) -> None:
        """Raise an error for rows of an unknown schema; check each row once, and leave damage to `verify`."""
        for trial_id in sorted(trial_ids - self._readable):
            path = self.paths.table("trials", trial_id)
            try:
                read_manifest(bytes_of(path) or b"")
            except UnknownSchemaError as error:
                raise UnknownSchemaError(f"{path}: {error}") from error
            except ResultsError:
                continue
        self._readable |= trial_ids

    def _has_expected_sizes(self, trial_id: str) -> bool:
        try:
            manifest_with_expected_sizes(self.paths, trial_id)
        except UnknownSchemaError:
            raise
        except ResultsError:
            return False
        return True
