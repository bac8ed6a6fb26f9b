"""Prints the tables of docs/networks.md from results/networks: exact-match, and epochs to 0.99.

.venv/bin/python docs/architectures.py
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from raysweep.analysis.aggregate import Cell, analyse
from raysweep.store.ledger import Ledger
from raysweep.text import interval_ends, number, share

RESULTS: Final = Path(__file__).parents[1] / "results" / "networks"
ARCHS: Final = ("seq2seq", "gru", "attention", "transformer")
MEMS: Final = (50, 150)


def tables(results: Path) -> str:
    """Return both tables as Markdown, a row for each LEN, a column for each architecture and MEM."""
    cells = {_key(cell): cell for cell in analyse(Ledger(results)).cells}
    return "\n".join([*_table(cells, _exact_match), "", *_table(cells, _epochs)]) + "\n"


def _key(cell: Cell) -> tuple[str, int, int]:
    return cell.settings["arch"], cell.settings["mem"], cell.settings["len"]


def _table(cells: dict[tuple[str, int, int], Cell], figure: Callable[[Cell], str]) -> Iterator[str]:
    columns = [(arch, mem) for arch in ARCHS for mem in MEMS]
    yield f"| LEN | {' | '.join(f'{arch} {mem}' for arch, mem in columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for n_out in sorted({key[2] for key in cells}):
        figures = (figure(cells[arch, mem, n_out]) for arch, mem in columns)
        yield f"| {n_out} | {' | '.join(figures)} |"


def _exact_match(cell: Cell) -> str:
    assert cell.exact_match is not None  # noqa: S101  # every trial is trained
    ends = cell.interval and interval_ends(cell.interval.low, cell.interval.high)
    return f"{share(cell.exact_match)} {ends}"


def _epochs(cell: Cell) -> str:
    found = cell.epochs_to_reach(0.99)
    return number(found.median) if found.median is not None else f"> {number(found.above or 0)}"


if __name__ == "__main__":
    sys.stdout.write(tables(RESULTS))
