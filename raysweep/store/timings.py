"""What finished trials have cost, read from their rows: the scale of every estimate."""

from typing import Final

from raysweep.errors import ResultsError
from raysweep.store.ledger import Ledger
from raysweep.trial.cost import Measured
from raysweep.trial.settings import TrialSettings

MAX_ROWS: Final = 200
"""Rows read at most: enough for an estimate."""


def measured(ledger: Ledger) -> list[Measured]:
    """Give the cost of committed trials, at most `MAX_ROWS` of them, spread over all.

    If one of these rows cannot be read there is no estimate: `verify` and `run` say what is wrong.
    """
    trial_ids = sorted(ledger.committed())
    try:
        manifests = ledger.manifests(trial_ids[:: len(trial_ids) // MAX_ROWS + 1])
    except ResultsError:
        return []
    done = [manifest.counts for manifest in manifests.values() if manifest.counts.status == "done"]
    return [Measured(TrialSettings(**counts.settings), counts.seconds) for counts in done]
