"""Prints the table of docs/longer.md: exact-match after several numbers of epochs, from results/longer.

.venv/bin/python docs/budgets.py
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from raysweep.analysis.aggregate import Cell, analyse
from raysweep.store.ledger import Ledger
from raysweep.text import interval_ends, number, share

RESULTS: Final = Path(__file__).parents[1] / "results" / "longer"
BUDGETS: Final = (5_000, 10_000, 15_000, 20_000)
LEVELS: Final = (0.9, 0.99)


def table(results: Path) -> str:
    """Return the table as Markdown, one row for each LEN and MEM."""
    cells = analyse(Ledger(results)).cells
    epochs = " | ".join(f"{budget:,} epochs" for budget in BUDGETS)
    levels = " | ".join(f"first at {level}" for level in LEVELS)
    rule = "|---" * (2 + len(BUDGETS) + len(LEVELS)) + "|"
    return "\n".join([f"| LEN | MEM | {epochs} | {levels} |", rule, *map(_row, cells)]) + "\n"


def _row(cell: Cell) -> str:
    return f"| {' | '.join([str(cell.settings['len']), str(cell.settings['mem']), *_figures(cell)])} |"


def _figures(cell: Cell) -> Iterator[str]:
    at = {one.epoch: one for one in cell.evaluations}
    for budget in BUDGETS:
        one = at[budget]
        ends = one.interval and interval_ends(one.interval.low, one.interval.high)
        yield f"{share(one.exact_match)} {ends}"
    for level in LEVELS:
        found = cell.epochs_to_reach(level)
        yield number(found.median) if found.median is not None else f"> {number(found.above or 0)}"


if __name__ == "__main__":
    sys.stdout.write(table(RESULTS))
