"""What finished trials have cost, read from their rows: the scale of every estimate."""

from typing import Final

from raysweep.cost import Measured
from raysweep.errors import ResultsError
from raysweep.results.ledger import Ledger
from raysweep.results.recount import tallies
from raysweep.settings import TrialSettings

MOST: Final = 200
"""Rows read at most: enough for a pace, and a matter of milliseconds in a sweep of any size."""


def measured(ledger: Ledger) -> list[Measured]:
    """Give the cost of committed trials, at most `MOST` of them, spread over all.

    Where one of these rows cannot be read there is no measured pace: `verify` and `run` say what is wrong.
    """
    trial_ids = sorted(ledger.committed())
    try:
        found = tallies(ledger, trial_ids[:: len(trial_ids) // MOST + 1]).values()
    except ResultsError:
        return []
    return [Measured(TrialSettings(**one.settings), one.seconds) for one in found if one.status == "done"]
