"""What finished trials have cost, read from their rows: the scale of every estimate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from raysweep.cost import Measured
from raysweep.errors import ResultsError
from raysweep.results.ledger import Ledger

MOST: Final = 200
"""Rows read at most: enough for a pace, and a matter of milliseconds in a sweep of any size."""


def measured(ledger: Ledger) -> Iterator[Measured]:
    """Give the cost of committed trials, at most `MOST` of them, spread over all.

    A row that cannot be read is passed over: `verify` and `run` say what is wrong with it.
    """
    from raysweep.results import schema  # imports Arrow, which a folder without rows does not need

    files = ledger.files("trials")
    for name in files[:: len(files) // MOST + 1]:
        try:
            row = schema.read_row(Path(name).read_bytes())
            if row["status"] == "done":  # a diverged trial ended early
                yield Measured(schema.settings_of(row), row["trace_s"] + row["train_s"] + row["eval_s"])
        except (OSError, ResultsError):
            continue
