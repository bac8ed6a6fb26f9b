"""Verification of the files of a results folder, by their sizes or checksums."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raysweep.errors import ResultsError, StorageError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.atomic_files import exists, read_file
from raysweep.store.paths import Kind, Paths
from raysweep.store.storage_errors import storage_errors
from raysweep.store.sweep_record import Failure, from_json
from raysweep.store.trial_manifest import Digest, Manifest, read_manifest
from raysweep.trial.training_state import LARGEST_HEADER, read_header

DAMAGE_REMEDY: Final = "`raysweep verify` lists damaged files, `raysweep run` trains their trials again"


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file."""

    path: Path
    what: str
    """Description of the damage."""

    @property
    def trial_id(self) -> str:
        """Id of the trial that the file belongs to, if any."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Findings of `raysweep verify`."""

    trials: int
    """Committed trials whose files were read."""
    damage: tuple[Damage, ...]


def manifest_with_expected_sizes(paths: Paths, trial_id: str) -> Manifest:
    """Read a committed trial's manifest; the trial's other files must have the sizes given there.

    Raises:
        UnknownSchemaError: another version of raysweep wrote the row.
        ResultsError: the row is damaged, or another file is missing or has an unexpected size.
        StorageError: the row cannot be read.
    """
    try:
        manifest = _manifest(paths, trial_id)
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        raise ResultsError(f"{paths.table('trials', trial_id)}: {error}") from error
    expected: dict[Kind, Digest | None] = {"predictions": manifest.predictions, "curves": manifest.curves}
    for kind, digest in expected.items():
        if (size := _size(paths.table_name(kind, trial_id))) != (digest and digest.size):
            what = "is missing" if size is None else f"has an unexpected size, {size:,} bytes"
            raise ResultsError(f"{paths.table(kind, trial_id)}: the file {what}")
    return manifest


def trial_damage(paths: Paths, trial_id: str) -> list[Damage]:
    """Read a committed trial's files, and return the damaged ones.

    If the row itself is damaged, the other two files cannot be checked.

    Raises:
        UnknownSchemaError: another version of raysweep wrote the row, which is not damage.
        StorageError: a file cannot be read, which may be temporary.
    """
    try:
        manifest = _manifest(paths, trial_id)
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        return [Damage(paths.table("trials", trial_id), str(error))]
    return [*_table_damage(paths, trial_id, manifest)]


def failure_of(paths: Paths, trial_id: str) -> Failure | None:
    """Read a trial's failure; return None if there is none, or if it is not valid."""
    failure = from_json(Failure, bytes_of(paths.failure(trial_id)))
    return failure if failure is not None and failure.trial_id == trial_id else None


def failure_damage(paths: Paths, trial_ids: Iterable[str]) -> Iterator[Damage]:
    """Read the failures of these trials, and yield the damaged ones."""
    for trial_id in sorted(trial_ids):
        path = paths.failure(trial_id)
        if reason := unreadable(path):
            yield Damage(path, reason)
        elif bytes_of(path) is not None and failure_of(paths, trial_id) is None:
            yield Damage(path, "not a valid failure of this trial")


def saved_damage(paths: Iterable[Path]) -> Iterator[Damage]:
    """Read checkpoints or states, and yield the damaged ones; one of another raysweep is not damaged."""
    for path in sorted(paths):
        data = bytes_of(path)
        if reason := unreadable(path):
            yield Damage(path, reason)
        elif data is not None and not checksum.is_intact(data):
            what = f"the {path.suffix.removeprefix('.')} does not match its checksum"
            yield Damage(path, f"{what}; no result needs it, it may be deleted")
        elif data is not None and (owner := _owner(data)) not in (None, path.stem):
            yield Damage(path, f"the {path.suffix.removeprefix('.')} belongs to another trial, {owner}")


def _owner(state: bytes) -> str | None:
    """Return the trial that a checkpoint or state is of; None if another raysweep made it."""
    try:
        return read_header(state[:LARGEST_HEADER]).settings.trial_id
    except ResultsError:
        return None


def bytes_of(path: Path) -> bytes | None:
    """Read a file; return None if it is absent, and `b""` if it is unreadable."""
    try:
        return read_file(path)
    except (ResultsError, StorageError):
        return b""


def unreadable(path: Path) -> str:
    """Return why a file cannot be read; empty if it can, or is absent, or is no regular file."""
    try:
        read_file(path)
    except StorageError as error:
        return str(error)
    except ResultsError:
        pass
    return ""


def _manifest(paths: Paths, trial_id: str) -> Manifest:
    path = paths.table("trials", trial_id)
    try:
        manifest = read_manifest(_content(path))
    except UnknownSchemaError as error:
        raise UnknownSchemaError(f"{path}: {error}") from error
    if manifest.trial_id != trial_id:
        raise ResultsError(f"the row belongs to another trial, {manifest.trial_id!r}")
    return manifest


def _table_damage(paths: Paths, trial_id: str, manifest: Manifest) -> Iterator[Damage]:
    written: dict[Kind, Digest | None] = {
        "predictions": manifest.predictions,
        "curves": manifest.curves,
    }
    for kind, digest in written.items():
        path = paths.table(kind, trial_id)
        try:
            if digest is not None:
                digest.check(_content(path))
            elif exists(path):
                raise ResultsError("unexpected: the trial diverged, and a diverged trial has no predictions")
        except ResultsError as error:
            yield Damage(path, str(error))


def _content(path: Path) -> bytes:
    data = read_file(path)
    if data is None:
        raise ResultsError("the file is missing")
    return data


def _size(path: str) -> int | None:
    with storage_errors("read", Path(path)):
        try:
            return os.lstat(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
