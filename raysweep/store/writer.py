"""Writer of a results folder: commits, failures, checkpoints, states and the record of runs."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from raysweep.errors import ResultsError, StorageError
from raysweep.store.atomic_files import Folder
from raysweep.store.paths import Paths, file_name, is_temporary, trial_of
from raysweep.store.saved_states import SavedStates
from raysweep.store.sweep_record import Failure, RunEnvironment, SweepRecord, from_json, to_json
from raysweep.store.trial_manifest import Digest, read_manifest
from raysweep.store.verify import Damage, failure_damage, trial_damage, unreadable
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.store.encoding import EncodedTrial


class Writer:
    """Writer that `Ledger.open_for_writing` yields while the lock is held.

    Only one thread may call the writer; in addition, a thread that ends the process may write `sweep.json`.

    Every change is atomic, and on the disk when the call returns. The folder is listed once, at the start:
    the cost of a commit does not grow with the number of trials.

    Args:
        paths: the results folder, which exists and is locked.
    """

    def __init__(self, paths: Paths) -> None:
        """Open the subfolders, create missing ones, and list the committed trials."""
        self._paths = paths
        self._stack = ExitStack()
        try:
            self._folder = self._open(Folder(paths.folder))
            (
                self._trials,
                self._predictions,
                self._curves,
                self._failures,
                self._checkpoints,
                self._states,
                self._damaged,
            ) = (self._open(Folder.create(path)) for path in paths.subfolders)
            for folder in (self._folder, *self._written()):
                folder.require_writable()
            self._committed = _ids(self._trials, Paths.TABLE_SUFFIX)
            self.saved = SavedStates(self._checkpoints, self._states, self._quarantine_file)
        except BaseException:
            self.close()
            raise
        self._record: SweepRecord | None = None

    def _written(self) -> tuple[Folder, ...]:
        """Return the subfolders that a run writes to while trials are trained."""
        return self._trials, self._predictions, self._curves, self._checkpoints, self._states

    def close(self) -> None:
        """Close the folders."""
        self._stack.close()

    def clean_up(self) -> None:
        """Remove temporary files, tables without a row, and committed trials' failures and checkpoints.

        The log, which nobody reads back, may have been a link to another place.
        """
        self._folder.remove_link(Paths.LOG)
        for folder in (
            self._folder,
            self._trials,
            self._predictions,
            self._curves,
            self._failures,
            self._checkpoints,
            self._states,
        ):
            for name in [name for name in folder.names() if is_temporary(name)]:
                self._remove(folder, name)
        for folder in (self._predictions, self._curves):
            for trial_id in _ids(folder, Paths.TABLE_SUFFIX) - self._committed:
                self._remove(folder, trial_id + Paths.TABLE_SUFFIX)
        for folder, suffix in (
            (self._failures, Paths.FAILURE_SUFFIX),
            (self._checkpoints, Paths.CHECKPOINT_SUFFIX),
        ):
            for trial_id in _ids(folder, suffix) & self._committed:
                self._remove(folder, trial_id + suffix)

    def check(self) -> list[Damage]:
        """Read every file, and quarantine damaged trials' files, so that these trials are missing again.

        Checkpoints and states, which may be large, are checked when they are used.

        Returns:
            The damage, file by file.

        Raises:
            UnknownSchemaError: another version of raysweep wrote a row, which is not touched.
            StorageError: a file cannot be read or moved; an unreadable file may still be intact.
        """
        found: list[Damage] = []
        for trial_id in sorted(self._committed):
            if damage := trial_damage(self._paths, trial_id):
                self._set_aside(trial_id, damage)
                found += damage
        return [*found, *self._check_failures()]

    def _set_aside(self, trial_id: str, damage: list[Damage]) -> None:
        try:
            self._quarantine(trial_id)
        except StorageError as error:
            raise StorageError(
                f"{damage[0].path}: {damage[0].what}, and it cannot be set aside: {error}"
            ) from error

    def _check_failures(self) -> Iterator[Damage]:
        for damage in failure_damage(self._paths, _ids(self._failures, Paths.FAILURE_SUFFIX)):
            if not unreadable(damage.path):  # else it may be valid
                self._quarantine_file(self._failures, damage.path.name)
                yield damage

    @property
    def committed(self) -> set[str]:
        """Ids of the committed trials, from this writer and earlier ones."""
        return self._committed.copy()  # atomic: another thread may be committing

    def commit(self, trial: "EncodedTrial", state: bytes | None = None) -> None:
        """Commit a trial, its row last; if the trial is committed already, the first commit is kept.

        Raises:
            ResultsError: the bytes do not belong to the trial; nothing is written.
            StorageError: the disk is full, failing or read-only; the trial is either missing or complete.
        """
        trial_id = trial.trial_id
        if trial_id in self._committed:
            return
        settings = require_valid(trial)
        not_kept = None if state is None else self._keep(trial_id, state)
        name = trial_id + Paths.TABLE_SUFFIX
        try:
            self._put_tables(name, trial)
        except StorageError:
            self._roll_back(name)
            raise
        self._committed.add(trial_id)
        self._remove(self._failures, trial_id + Paths.FAILURE_SUFFIX)
        self._remove(self._checkpoints, trial_id + Paths.CHECKPOINT_SUFFIX)
        self.saved.forget_checkpoint(settings)
        if not_kept is not None:
            raise StorageError(
                f"{trial_id} is committed, but its state is not kept: {not_kept}"
            ) from not_kept

    def _keep(self, trial_id: str, state: bytes) -> StorageError | None:
        """Store a trial's state; a result is never lost for it, so an error is returned."""
        try:
            self.saved.put_state(trial_id, state)
        except StorageError as error:
            return error
        return None

    def _put_tables(self, name: str, trial: "EncodedTrial") -> None:
        if trial.predictions is None:
            self._predictions.remove(name)  # of an interrupted commit
        else:
            self._predictions.put(name, trial.predictions)
        self._curves.put(name, trial.curves)
        self._trials.put(name, trial.trials)

    def _roll_back(self, name: str) -> None:
        """Remove the tables of a trial without a row, as far as the disk allows."""
        if not self._trials.has(name):
            for folder in (self._predictions, self._curves):
                with suppress(StorageError):
                    folder.remove(name)

    def record_failure(self, failure: Failure) -> None:
        """Store a trial's last failure for people to read, unless the trial is committed.

        Raises:
            StorageError: the failure cannot be written.
        """
        if failure.trial_id not in self._committed:
            self._failures.put(file_name(failure.trial_id, Paths.FAILURE_SUFFIX), to_json(failure))

    def put_checkpoint(self, trial_id: str, data: bytes) -> None:
        """Store a checkpoint of a trial, unless the trial is committed.

        Raises:
            StorageError: the checkpoint cannot be written; the previous one is kept.
        """
        if trial_id not in self._committed:
            self.saved.put_checkpoint(trial_id, data)

    def begin_run(
        self,
        name: str,
        content: Mapping[str, Any],
        environment: RunEnvironment,
        options: tuple[str, ...] = (),
    ) -> None:
        """Write the requested grid and the start of a run to `sweep.json`.

        Args:
            name: name of the sweep.
            content: content of the grid file, as plain JSON values.
            environment: software and hardware of the run.
            options: options of the command that decided what is trained.

        Raises:
            StorageError: `sweep.json` cannot be written.
        """
        try:
            known = from_json(SweepRecord, self._folder.get(Paths.RECORD))
        except ResultsError:
            known = None
        if known is None:
            self._move_to_damaged([(self._folder, Paths.RECORD, Paths.RECORD)], "sweep")
        runs = () if known is None else known.runs
        self._put_record(SweepRecord(name=name, content=content, runs=runs).begun(environment, options))

    def end_run(self, exit_code: int) -> None:
        """Write the end of the run that `begin_run` started to `sweep.json`.

        Raises:
            StorageError: `sweep.json` cannot be written.
        """
        if self._record is not None:
            self._put_record(self._record.ended(exit_code))

    def open_log(self) -> BinaryIO:
        """Open the log of a run, empty; whatever has its name is replaced, and a folder is quarantined.

        Raises:
            StorageError: it cannot be written.
        """
        if self._folder.has_folder(Paths.LOG):
            self._move_to_damaged([(self._folder, Paths.LOG, Paths.LOG)], "folder")
        return self._folder.new_file(Paths.LOG)

    def _put_record(self, record: SweepRecord) -> None:
        self._folder.put(Paths.RECORD, to_json(record))
        self._record = record

    def _quarantine(self, trial_id: str) -> None:
        """Move a trial's files to `damaged/`, the row last, so that an interrupted move is repeated."""
        name = trial_id + Paths.TABLE_SUFFIX
        tables = {"predictions": self._predictions, "curves": self._curves, "trials": self._trials}
        moves = [(folder, name, kind + Paths.TABLE_SUFFIX) for kind, folder in tables.items()]
        self._move_to_damaged(moves, trial_id)
        self._committed.discard(trial_id)

    def _quarantine_file(self, folder: Folder, name: str) -> None:
        self._move_to_damaged([(folder, name, name)], name.partition(".")[0])

    def _move_to_damaged(self, moves: list[tuple[Folder, str, str]], what: str) -> None:
        """Move the entries that exist into a new folder in `damaged/`."""
        if not any(folder.has(name) for folder, name, _ in moves):
            return
        target = Folder.create(self._paths.damaged / f"{what}-{secrets.token_hex(4)}")
        try:
            for folder, name, new_name in moves:
                folder.move(name, target, new_name)
        finally:
            target.close()

    def _remove(self, folder: Folder, name: str) -> None:
        """Remove one of raysweep's files; if a folder has the file's name, quarantine the folder."""
        if folder.has_folder(name):
            self._move_to_damaged([(folder, name, name)], "folder")
        else:
            folder.remove(name)

    def _open(self, folder: Folder) -> Folder:
        self._stack.callback(folder.close)
        return folder


def _ids(folder: Folder, suffix: str) -> set[str]:
    return {found for name in folder.names() if (found := trial_of(name, suffix)) is not None}


def require_valid(trial: "EncodedTrial") -> TrialSettings:
    """Return a trial's settings.

    Raises:
        ResultsError: the row and the tables do not belong together, or not to the trial.
    """
    manifest = read_manifest(trial.trials)
    settings = TrialSettings(**manifest.counts.settings)
    if not trial.trial_id == manifest.trial_id == settings.trial_id:
        raise ResultsError(f"the row sent for {trial.trial_id!r} belongs to {settings.trial_id!r}")
    sent = None if trial.predictions is None else Digest.of(trial.predictions)
    if sent != manifest.predictions or Digest.of(trial.curves) != manifest.curves:
        raise ResultsError(f"the tables sent for {trial.trial_id!r} do not match the checksums in its row")
    return settings
