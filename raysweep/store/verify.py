"""Whether the files of a results folder are those that were written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raysweep.errors import ResultsError, StorageError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.files import read_file
from raysweep.store.manifest import Digest, Manifest, read_manifest
from raysweep.store.paths import Kind, Paths
from raysweep.store.record import Failure, from_json

DAMAGE_REMEDY: Final = "`raysweep verify` lists what is damaged, `raysweep run` trains it again"


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that is not what was written."""

    path: Path
    what: str
    """What is wrong with it, in words."""

    @property
    def trial_id(self) -> str:
        """Of the trial whose file it is, if it is one's."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `raysweep verify` found."""

    trials: int
    """Committed trials whose files were read."""
    damage: tuple[Damage, ...]


def manifest_with_expected_sizes(paths: Paths, trial_id: str) -> Manifest:
    """Read what a committed trial's row vouches for; its other files must have the sizes that it tells.

    Raises:
        UnknownSchemaError: another version of raysweep wrote the row.
        ResultsError: the row is damaged, or another file is missing or of another size.
        StorageError: the row cannot be read.
    """
    try:
        manifest = _receipt(paths, trial_id)
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        raise ResultsError(f"{paths.table('trials', trial_id)}: {error}") from error
    told: dict[Kind, Digest | None] = {"predictions": manifest.predictions, "curves": manifest.curves}
    for kind, digest in told.items():
        if (size := _size(paths.table(kind, trial_id))) != (digest and digest.size):
            what = "is missing" if size is None else f"has {size:,} bytes, which is not what was written"
            raise ResultsError(f"{paths.table(kind, trial_id)}: the file {what}")
    return manifest


def trial_damage(paths: Paths, trial_id: str) -> list[Damage]:
    """Read a committed trial's files, and say which of them are not what was written.

    Where the row itself is damaged nothing vouches for the other two, which are not looked at.

    Raises:
        UnknownSchemaError: another version of raysweep wrote the row; that is no damage.
        StorageError: a file cannot be read, which may pass.
    """
    try:
        manifest = _receipt(paths, trial_id)
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        return [Damage(paths.table("trials", trial_id), str(error))]
    return [*_table_damage(paths, trial_id, manifest)]


def failure_of(paths: Paths, trial_id: str) -> Failure | None:
    """Read why a trial failed; None where nothing, or nothing that can be believed, says so."""
    failure = from_json(Failure, bytes_of(paths.failure(trial_id)))
    return failure if failure is not None and failure.trial_id == trial_id else None


def unfinished_damage(paths: Paths, failures: Iterable[str], checkpoints: Iterable[str]) -> Iterator[Damage]:
    """Read what trials that are not done left, and say which of it is not what was written.

    Args:
        paths: the results folder.
        failures: ids of the trials whose failures are looked at.
        checkpoints: ids of those whose checkpoints are.
    """
    for trial_id in sorted(failures):
        path = paths.failure(trial_id)
        if bytes_of(path) is not None and failure_of(paths, trial_id) is None:
            yield Damage(path, "not the failure of this trial as it was written")
    for trial_id in sorted(checkpoints):
        path = paths.checkpoint(trial_id)
        data = bytes_of(path)
        if data is not None and not checksum.is_intact(data):
            yield Damage(path, "the checkpoint does not match its checksum")


def bytes_of(path: Path) -> bytes | None:
    """A file's bytes; none where it is absent, and bytes that are nothing where it cannot be read."""
    try:
        return read_file(path)
    except (ResultsError, StorageError):
        return b""


def _receipt(paths: Paths, trial_id: str) -> Manifest:
    path = paths.table("trials", trial_id)
    try:
        manifest = read_manifest(_content(path))
    except UnknownSchemaError as error:
        raise UnknownSchemaError(f"{path}: {error}") from error
    if manifest.trial_id != trial_id:
        raise ResultsError(f"the row is that of another trial, {manifest.trial_id!r}")
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
            elif path.exists():
                raise ResultsError("a diverged trial has no such file")
        except ResultsError as error:
            yield Damage(path, str(error))


def _content(path: Path) -> bytes:
    data = read_file(path)
    if data is None:
        raise ResultsError("the file is missing")
    return data


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
