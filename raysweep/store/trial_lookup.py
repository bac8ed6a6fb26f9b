"""Lookup of one trial of a results folder, by a prefix of its id."""

from collections.abc import Iterable
from dataclasses import dataclass

from raysweep.errors import ResultsError, UnknownSchemaError, UsageError
from raysweep.store.atomic_files import read_file, refuse_link
from raysweep.store.encoding import DecodedTrial, EncodedTrial, decode
from raysweep.store.ledger import Failure, Ledger
from raysweep.store.paths import Kind
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


def find_trial(ledger: Ledger, prefix: str) -> str:
    """Complete a prefix of a trial's id, among trials that are committed, failed or planned.

    Raises:
        UsageError: no trial matches, or more than one; the message lists candidates.
    """
    known = sorted({*ledger.committed(), *ledger.failures(), *(ledger.planned() or ())})
    found = _with_prefix(prefix, known)
    if prefix in known or len(found) == 1:
        return prefix if prefix in known else found[0]
    if not known:
        raise ledger.no_sweep()
    shown = clean_text(prefix)
    if found:
        raise UsageError(f"{shown}: {len(found)} trials match; give a longer prefix:\n{_listed(found)}")
    near = next(near for end in range(len(prefix), -1, -1) if (near := _with_prefix(prefix[:end], known)))
    raise UsageError(f"{shown}: no trial in {ledger.paths.folder} matches; the closest are:\n{_listed(near)}")


def _with_prefix(prefix: str, trial_ids: Iterable[str]) -> list[str]:
    return [trial_id for trial_id in trial_ids if trial_id.startswith(prefix)]


def _listed(trial_ids: list[str]) -> str:
    lines = [f"  {trial_id}" for trial_id in trial_ids[:_SHOWN_CANDIDATES]]
    if len(trial_ids) > _SHOWN_CANDIDATES:
        lines.append(f"  and {len(trial_ids) - _SHOWN_CANDIDATES:,} more")
    return "\n".join(lines)


def read_trial(ledger: Ledger, trial_id: str) -> TrialRecord:
    """Read everything that is known about a trial.

    Raises:
        ResultsError: one of the trial's files is damaged or missing.
    """
    rows = _read(ledger, "trials", trial_id)
    if rows is None:
        planned = ledger.planned() or {}
        return TrialRecord(trial_id, planned.get(trial_id), None, ledger.failures().get(trial_id))
    curves = _read(ledger, "curves", trial_id)
    if curves is None:
        raise ResultsError(
            f"{trial_id} is committed, but its curve is missing; `raysweep verify` lists damaged files"
        )
    predictions = _read(ledger, "predictions", trial_id)
    try:
        finished = decode(EncodedTrial(trial_id, rows, predictions, curves))
    except UnknownSchemaError:
        raise
    except ResultsError as error:
        raise ResultsError(f"{trial_id}: {error}; {DAMAGE_REMEDY}") from error
    if finished.result.status == "done" and finished.result.predictions is None:
        raise ResultsError(
            f"{trial_id} is committed, but its predictions are missing; `raysweep verify` lists damaged files"
        )
    return TrialRecord(trial_id, finished.result.settings, finished, None)


def _read(ledger: Ledger, kind: Kind, trial_id: str) -> bytes | None:
    path = ledger.paths.table(kind, trial_id)
    refuse_link(path)
    try:
        return read_file(path)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
