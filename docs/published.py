"""Prints the table of docs/notebook.md: the published figures beside those of raysweep.

Run it after both grids have been trained::

    .venv/bin/raysweep run grids/notebook.yaml
    .venv/bin/raysweep run grids/tutorial.yaml
    .venv/bin/python docs/published.py
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import raysweep


@dataclass(frozen=True)
class Published:
    """What one page printed of one experiment: a single training each."""

    sweep: str
    """Name of the grid that trains it again."""
    arch: str
    len: int
    mem: int
    title: str
    loss: str
    """Of the last epoch, on the sequence trained on."""
    accuracy: str
    """Likewise."""
    exact: str
    """Windows predicted right, of those shown."""


PUBLISHED: Final = (
    Published("notebook", "echo", 6, 16, "notebook, echo 6→6, MEM 16", "1.71", "1.00", "10 of 16"),
    Published("notebook", "seq2seq", 2, 150, "notebook, seq2seq 5→2, MEM 150", "0.34", "0.93", "20 of 21"),
    Published("notebook", "seq2seq", 4, 300, "notebook, seq2seq 5→4, MEM 300", "2.90", "0.39", "0 of 21"),
    Published("tutorial", "echo", 5, 20, "tutorial, echo 5→5, MEM 20", "1.57–1.74", "1.00", "21 of 21"),
    Published(
        "tutorial", "seq2seq", 2, 150, "tutorial, seq2seq 5→2, MEM 150", "0.02–0.04", "0.98–1.00", "20 of 21"
    ),
)

FIGURES: Final = ("loss", "accuracy", "exact_match", "list_avg(position_accuracy)")
"""SQL over `trials`, in the order of the table's columns."""

HEADER: Final = (
    "| experiment | | loss | accuracy | exact-match | position accuracy |\n|---|---|---|---|---|---|"
)


def measured(results: Path, experiment: Published) -> tuple[int, list[str]]:
    """Count the seeds of an experiment, and write each figure as ``mean (lowest–highest)`` over them.

    Args:
        results: the folder that holds the sweeps' folders.
        experiment: which of the sweep's cells.

    Raises:
        ResultsError: the sweep has not been trained.
    """
    spread = ", ".join(f"avg({one}), min({one}), max({one})" for one in FIGURES)
    row = (
        raysweep.load(results / experiment.sweep)
        .sql(
            f"SELECT count(*), {spread} FROM trials WHERE status = 'done'"
            f" AND arch = '{experiment.arch}' AND len = {experiment.len} AND mem = {experiment.mem}"
        )
        .fetchall()[0]
    )
    seeds, *numbers = row
    parts = [numbers[i : i + 3] for i in range(0, len(numbers), 3)]
    return seeds, [f"{mean:.2f} ({low:.2f}–{high:.2f})" for mean, low, high in parts] if seeds else []


def table(results: Path) -> str:
    """Write the whole table as Markdown, two rows for each experiment."""
    rows = [HEADER]
    for one in PUBLISHED:
        seeds, figures = measured(results, one)
        rows.append(f"| {one.title} | printed | {one.loss} | {one.accuracy} | {one.exact} shown | – |")
        rows.append(f"| | {seeds} seeds | {' | '.join(figures or ['not run'] * len(FIGURES))} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1] if len(sys.argv) > 1 else "results")))
