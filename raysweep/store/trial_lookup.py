"""Lookup of one trial of a results folder, by a prefix of its id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raysweep.errors import ResultsError, UnknownSchemaError, UsageError
from raysweep.store.atomic_files import read_file, refuse_link
from raysweep.store.encoding import DecodedTrial, EncodedTrial, decode
from raysweep.store.paths import Kind, Paths
from raysweep.store.sweep_record import Failure
from raysweep.store.verify import DAMAGE_REMEDY
from raysweep.text import clean_text
from raysweep.trial.settings import TrialSettings

_SHOWN_CANDIDATES = 10


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


def completed(prefix: str, known: Sequence[str], folder: Path) -> str:
    """Complete a prefix of a trial's id.

    Args:
        prefix: the beginning of an id.
        known: ids of trials, at least one, ascending.
        folder: the results folder, for messages.

    Raises:
        UsageError: no trial matches, or more than one; the message lists candidates.
    """
    found = _with_prefix(prefix, known)
    if prefix in known or len(found) == 1:
        return prefix if prefix in known else found[0]
    shown = clean_text(prefix)
    if found:
        raise UsageError(f"{shown}: {len(found)} trials match; give a longer prefix:\n{_listed(found)}")
    near = next(near for end in range(len(prefix), -1, -1) if (near := _with_prefix(prefix[:end], known)))
    raise UsageError(f"{shown}: no trial in {folder} matches; the closest are:\n{_listed(near)}")


def _with_prefix(prefix: str, trial_ids: Iterable[str]) -> list[str]:
    return [trial_id for trial_id in trial_ids if trial_id.startswith(prefix)]


def _listed(trial_ids: list[str]) -> str:
    lines = [f"  {trial_id}" for trial_id in trial_ids[:_SHOWN_CANDIDATES]]
    if len(trial_ids) > _SHOWN_CANDIDATES:
        lines.append(f"  and {len(trial_ids) - _SHOWN_CANDIDATES:,} more")
    return "\n".join(lines)


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
