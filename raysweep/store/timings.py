"""What finished trials have cost, read from their rows: the scale of every estimate."""

from typing import Final

from raysweep.errors import ResultsError
from raysweep.store.ledger import Ledger
from raysweep.trial.cost import Measured
from raysweep.trial.settings import TrialSettings

MOST: Final = 200
"""Rows read at most: enough for a pace."""


def measured(ledger: Ledger) -> list[Measured]:
    """Give the cost of committed trials, at most `MOST` of them, spread over all.

    Where one of these rows cannot be read there is no measured pace: `verify` and `run` say what is wrong.
    """
    trial_ids = sorted(ledger.committed())
    try:
        receipts = ledger.receipts(trial_ids[:: len(trial_ids) // MOST + 1])
    except ResultsError:
        return []
    done = [receipt.tally for receipt in receipts.values() if receipt.tally.status == "done"]
    return [Measured(TrialSettings(**tally.settings), tally.seconds) for tally in done]
