"""Measured runtimes of finished trials, read from their rows: the scale of every estimate."""

from typing import Final

from raysweep.errors import ResultsError
from raysweep.store.ledger import Ledger
from raysweep.trial.cost import Measured
from raysweep.trial.settings import TrialSettings

MAX_ROWS: Final = 200
"""Most rows that are read: enough for an estimate."""


def measured(ledger: Ledger) -> list[Measured]:
    """Return the runtimes of at most `MAX_ROWS` committed trials, spread over all.

    If one of these rows cannot be read, no runtimes are returned; `verify` and `run` report what is wrong.
    """
    trial_ids = sorted(ledger.committed())
    try:
        manifests = ledger.manifests(trial_ids[:: len(trial_ids) // MAX_ROWS + 1])
    except ResultsError:
        return []
    done = [manifest.counts for manifest in manifests.values() if manifest.counts.status == "done"]
    return [Measured(TrialSettings(**counts.settings), counts.seconds) for counts in done]
