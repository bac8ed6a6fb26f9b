"""Which trials are done, and what may be believed of them.

A trial is done when its row stands in `trials/`, and only then: there is no other state to restore, to
lose or to contradict. Files of `predictions/` and `curves/` without a row are a commit under way, or
one that was cut off; no reader counts them.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from raysweep.errors import ResultsError, StorageError, UnknownSchemaError, UsageError
from raysweep.store.files import Folder, refuse_link
from raysweep.store.lock import live_holder, lock
from raysweep.store.manifest import Manifest, read_manifest
from raysweep.store.paths import Kind, Paths, trial_of
from raysweep.store.record import Failure, SweepRecord, from_json
from raysweep.store.verify import (
    DAMAGE_REMEDY,
    Damage,
    VerifyReport,
    bytes_of,
    failure_of,
    manifest_with_expected_sizes,
    trial_damage,
    unfinished_damage,
)
from raysweep.store.writer import Writer

__all__ = ["Damage", "Failure", "Ledger", "SweepRecord", "VerifyReport", "Writer"]


class Ledger:
    """A results folder, as readers see it; it need not exist yet.

    Every method reads the files anew, so a run under way is seen as it goes; only a row whose schema was
    looked at is not looked at for it again.

    Args:
        folder: the results folder of one sweep, such as `results/lengths`.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the folder's name; nothing is read or made."""
        self.paths = Paths(folder)
        self._readable: set[str] = set()

    def committed(self) -> set[str]:
        """The ids of the trials that are done, by their files' names alone.

        Raises:
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        return self._ids(self.paths.trials, Paths.TABLE_SUFFIX)

    def committed_with_expected_sizes(self) -> set[str]:
        """The committed trials whose files have the sizes that were written; no checksum is computed.

        Quick, and right unless bytes were changed in place: what `plan` counts as done.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        return {trial_id for trial_id in self.committed() if self._has_expected_sizes(trial_id)}

    def manifests(self, trial_ids: Collection[str]) -> dict[str, Manifest]:
        """What the rows of these committed trials vouch for, by id; no checksum but the rows' is computed.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: a row is damaged, or another file is missing or of another size.
            StorageError: a file cannot be read.
        """
        try:
            return {trial_id: manifest_with_expected_sizes(self.paths, trial_id) for trial_id in trial_ids}
        except UnknownSchemaError:
            raise
        except ResultsError as error:
            raise ResultsError(f"{error}; {DAMAGE_REMEDY}") from error

    def files(self, kind: Kind) -> list[str]:
        """The files of one table that count: those of committed trials, sorted, for DuckDB or Arrow.

        Raises:
            UnknownSchemaError: one of the trials was written by another version of raysweep.
            ResultsError: the folder or one of the files is a symbolic link.
            StorageError: the folder cannot be read.
        """
        present = self.committed()
        self._require_readable(present)
        if kind != "trials":
            # Listed second: a trial that is committed meanwhile has its file here but is not asked for.
            present &= self._ids(self.paths.folder / kind, Paths.TABLE_SUFFIX)
        return [os.fspath(self.paths.table(kind, trial_id)) for trial_id in sorted(present)]

    def failures(self) -> dict[str, Failure]:
        """The last failure of each trial that failed and is not done, by id; torn files are left out."""
        failed = self._ids(self.paths.failures, Paths.FAILURE_SUFFIX) - self.committed()
        read = {trial_id: failure_of(self.paths, trial_id) for trial_id in sorted(failed)}
        return {trial_id: failure for trial_id, failure in read.items() if failure is not None}

    def record(self) -> SweepRecord | None:
        """What was asked, and each run; None where `sweep.json` is absent or torn.

        The tables tell everything but what was asked, so a reader goes on without; `verify` reports a
        torn file, and the next run puts a new one in its place.
        """
        return from_json(SweepRecord, bytes_of(self.paths.record))

    def no_sweep(self) -> UsageError:
        """The error for a folder that holds no results."""
        return UsageError(
            f"{self.paths.folder}: no sweep has written here; give the folder of one, such as results/lengths"
        )

    def verify(self) -> VerifyReport:
        """Read every file and compare it with its checksum, one at a time.

        Raises:
            UsageError: there is no such folder, or it is none of a sweep.
            ResultsError: there is a symbolic link in it.
        """
        if not any(os.path.lexists(path) for path in (self.paths.record, *self.paths.subfolders)):
            raise self.no_sweep()
        running = live_holder(self.paths.lock) is not None
        orphans = set() if running else self._orphans()
        committed = self.committed()
        damage = [found for trial_id in sorted(committed) for found in _damage(self.paths, trial_id)]
        return VerifyReport(len(committed), (*damage, *sorted(orphans, key=str), *self._other_damage()))

    @contextmanager
    def open_for_writing(self) -> Iterator[Writer]:
        """Make the folder if need be, become its one writer, and remove what an earlier one left over.

        Raises:
            LockedError: another process writes here.
            StorageError: the folder cannot be written.
            ResultsError: the folder, or something in it, is a symbolic link.
        """
        Folder.create(self.paths.folder).close()
        with lock(self.paths.lock):
            writer = Writer(self.paths)
            try:
                writer.clear_left_overs()
                yield writer
            finally:
                writer.close()

    def _require_readable(self, trial_ids: set[str]) -> None:
        """Refuse rows of an unknown schema; each row is looked at once, and damage is left to `verify`."""
        for trial_id in sorted(trial_ids - self._readable):
            path = self.paths.table("trials", trial_id)
            try:
                read_manifest(bytes_of(path) or b"")
            except UnknownSchemaError as error:
                raise UnknownSchemaError(f"{path}: {error}") from error
            except ResultsError:
                continue
        self._readable |= trial_ids

    def _ids(self, path: Path, suffix: str) -> set[str]:
        found = (trial_of(name, suffix) for name in self._names(path))
        return {trial_id for trial_id in found if trial_id is not None}

    def _names(self, path: Path) -> list[str]:
        refuse_link(self.paths.folder)
        if not os.path.lexists(path):
            return []
        folder = Folder(path)
        try:
            return list(folder.names())
        finally:
            folder.close()

    def _has_expected_sizes(self, trial_id: str) -> bool:
        try:
            manifest_with_expected_sizes(self.paths, trial_id)
        except UnknownSchemaError:
            raise
        except ResultsError:
            return False
        return True

    def _orphans(self) -> set[Damage]:
        """Tables whose row is gone or never came; a commit that ends meanwhile leaves none."""
        kinds: tuple[Kind, ...] = ("predictions", "curves")
        found = [(k, i) for k in kinds for i in self._ids(self.paths.folder / k, Paths.TABLE_SUFFIX)]
        committed = self.committed()
        what = "no row in trials/ vouches for it: the row is lost, or a run was cut off in a commit"
        return {Damage(self.paths.table(k, i), what) for k, i in found if i not in committed}

    def _strangers(self) -> Iterator[Damage]:
        """Tables that are no trial's, such as copies under other names: *.parquet matches them."""
        kinds: tuple[Kind, ...] = ("trials", "predictions", "curves")
        for kind in kinds:
            for name in self._names(self.paths.folder / kind):
                if name.endswith(Paths.TABLE_SUFFIX) and trial_of(name, Paths.TABLE_SUFFIX) is None:
                    yield Damage(self.paths.folder / kind / name, "no trial's file; move it elsewhere")

    def _other_damage(self) -> Iterator[Damage]:
        yield from self._strangers()
        if bytes_of(self.paths.record) is not None and self.record() is None:
            yield Damage(self.paths.record, "not what was written, or of another version of raysweep")
        failures = self._ids(self.paths.failures, Paths.FAILURE_SUFFIX)
        checkpoints = self._ids(self.paths.checkpoints, Paths.CHECKPOINT_SUFFIX)
        yield from unfinished_damage(self.paths, failures, checkpoints)


def _damage(paths: Paths, trial_id: str) -> list[Damage]:
    """A trial's damage; to a reader a file that cannot be read is damaged, whatever the reason."""
    try:
        return trial_damage(paths, trial_id)
    except StorageError as error:
        return [Damage(paths.table("trials", trial_id), str(error))]
