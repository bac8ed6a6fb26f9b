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
    rows = _read(paths, "trials", trial_id)
    if rows is None:
        return None
    predictions, curves = _read(paths, "predictions", trial_id), _read(paths, "curves", trial_id)
    try:
        if curves is None:
            raise ResultsError("its curve is missing")
        finished = decode(EncodedTrial(trial_id, rows, predictions, curves))
        if finished.result.status == "done" and predictions is None:
            raise ResultsError("its predictions are missing")
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        raise ResultsError(f"{trial_id}: {error}; {DAMAGE_REMEDY}") from error
    return TrialRecord(trial_id, finished.result.settings, finished, None)


def _read(paths: Paths, kind: Kind, trial_id: str) -> bytes | None:
    path = paths.table(kind, trial_id)
    refuse_link(path)
    try:
        return read_file(path)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
