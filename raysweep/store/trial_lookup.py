"""One trial of a results folder: everything that is known about it."""

from dataclasses import dataclass

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store.atomic_files import read_file, refuse_link
from raysweep.store.encoding import DecodedTrial, EncodedTrial, decode
from raysweep.store.paths import Kind, Paths
from raysweep.store.sweep_record import Failure
from raysweep.store.verify import DAMAGE_REMEDY
from raysweep.trial.settings import TrialSettings


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """Everything that is known about one trial."""

    trial_id: str
    settings: TrialSettings | None
    """None for a failed trial that is not in the latest grid."""
    finished: DecodedTrial | None
    """None if the trial is not committed."""
    failure: Failure | None
    """The last failure; None if the trial never failed, or is committed."""


def committed_trial(paths: Paths, trial_id: str) -> TrialRecord | None:
    """Read a committed trial; return None if it has no row.

    Raises:
        ResultsError: one of the trial's files is damaged or missing.
    """
    if (files := committed_files(paths, trial_id)) is None:
        return None
    try:
        finished = decode(files)
        if finished.result.status == "done" and files.predictions is None:
            raise ResultsError("its predictions are missing")
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        raise ResultsError(f"{trial_id}: {error}; {DAMAGE_REMEDY}") from error
    return TrialRecord(trial_id, finished.result.settings, finished, None)


def committed_files(paths: Paths, trial_id: str) -> EncodedTrial | None:
    """Read the bytes of a committed trial's files; return None if it has no row.

    Raises:
        ResultsError: its curve is missing, or one of the files is a link or not a regular file.
        StorageError: a file cannot be read.
    """
    if (rows := _read(paths, "trials", trial_id)) is None:
        return None
    predictions, curves = _read(paths, "predictions", trial_id), _read(paths, "curves", trial_id)
    if curves is None:
        raise ResultsError(f"{trial_id}: its curve is missing; {DAMAGE_REMEDY}")
    return EncodedTrial(trial_id, rows, predictions, curves)


def _read(paths: Paths, kind: Kind, trial_id: str) -> bytes | None:
    path = paths.table(kind, trial_id)
    refuse_link(path)
    try:
        return read_file(path)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
