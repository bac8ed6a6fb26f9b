"""One trial of a results folder: found by the beginning of its id, and read from its files."""

from collections.abc import Iterable
from dataclasses import dataclass

from raysweep.errors import ResultsError, UnknownSchemaError, UsageError
from raysweep.store.encoding import DecodedTrial, EncodedTrial, decode
from raysweep.store.files import read_file, refuse_link
from raysweep.store.ledger import Failure, Ledger
from raysweep.store.paths import Kind
from raysweep.store.planned import planned_trials
from raysweep.store.verify import DAMAGE_REMEDY
from raysweep.text import clean_text
from raysweep.trial.settings import TrialSettings

_SHOWN_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """All that is known of one trial."""

    trial_id: str
    settings: TrialSettings | None
    """None for a failed trial that the latest grid does not ask for."""
    finished: DecodedTrial | None
    """None where it is not committed."""
    failure: Failure | None
    """The last one; None where it never failed, or is committed."""


def find_trial(ledger: Ledger, prefix: str) -> str:
    """Complete the beginning of a trial's id, among trials that are done, failed or planned.

    Raises:
        UsageError: no trial or more than one begins so; the message lists candidates.
    """
    known = sorted({*ledger.committed(), *ledger.failures(), *(planned_trials(ledger.record()) or ())})
    found = _beginning(prefix, known)
    if prefix in known or len(found) == 1:
        return prefix if prefix in known else found[0]
    if not known:
        raise ledger.no_sweep()
    shown = clean_text(prefix)
    if found:
        raise UsageError(f"{shown}: {len(found)} trials begin so; write more of one of\n{_listed(found)}")
    near = next(near for end in range(len(prefix), -1, -1) if (near := _beginning(prefix[:end], known)))
    raise UsageError(f"{shown}: no trial of {ledger.paths.folder} begins so; there are\n{_listed(near)}")


def _beginning(prefix: str, trial_ids: Iterable[str]) -> list[str]:
    return [trial_id for trial_id in trial_ids if trial_id.startswith(prefix)]


def _listed(trial_ids: list[str]) -> str:
    lines = [f"  {trial_id}" for trial_id in trial_ids[:_SHOWN_CANDIDATES]]
    if len(trial_ids) > _SHOWN_CANDIDATES:
        lines.append(f"  and {len(trial_ids) - _SHOWN_CANDIDATES:,} more")
    return "\n".join(lines)


def read_trial(ledger: Ledger, trial_id: str) -> TrialRecord:
    """Read what there is of a trial.

    Raises:
        ResultsError: one of its files is damaged or gone.
    """
    rows = _read(ledger, "trials", trial_id)
    if rows is None:
        planned = planned_trials(ledger.record()) or {}
        return TrialRecord(trial_id, planned.get(trial_id), None, ledger.failures().get(trial_id))
    curves = _read(ledger, "curves", trial_id)
    if curves is None:
        raise ResultsError(
            f"{trial_id} is committed, but has no curve; `raysweep verify` lists what is damaged"
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
            f"{trial_id} is committed, but has no predictions; `raysweep verify` lists what is damaged"
        )
    return TrialRecord(trial_id, finished.result.settings, finished, None)


def _read(ledger: Ledger, kind: Kind, trial_id: str) -> bytes | None:
    path = ledger.paths.table(kind, trial_id)
    refuse_link(path)
    try:
        return read_file(path)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
