"""Draws docs/report.svg: what `raysweep report results/longer` shows on a terminal of 80 columns.

Run it when the results or the report's layout have changed::

    .venv/bin/python docs/picture.py

The picture holds text and rectangles only: no script, and no font from the network.
"""

import io
import re
from pathlib import Path
from typing import Final

from rich.console import Console

from raysweep.analysis.aggregate import analyse
from raysweep.report.sweep_report import report_view
from raysweep.store.ledger import Ledger

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path("results/longer")
PICTURE: Final = ROOT / "docs" / "report.svg"

WIDTH: Final = 80
"""Columns of the terminal that is drawn."""

_WEB_FONT: Final = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_FONT: Final = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_KEEP_SPACES: Final = '<svg xml:space="preserve"'  # some viewers swallow a line's leading spaces


def picture(folder: Path) -> str:
    """Draw a sweep's report as SVG; the same results give the same text.

    Args:
        folder: the results folder of a sweep.

    Raises:
        ResultsError: one of its files is damaged.
    """
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},  # neither NO_COLOR nor COLUMNS decides what the picture looks like
    )
    console.print(report_view(analyse(Ledger(folder))))
    svg = console.export_svg(title=f"raysweep report {RESULTS}", unique_id="report")
    svg = _WEB_FONT.sub("", svg).replace("Fira Code, monospace", _FONT).replace("<svg", _KEEP_SPACES, 1)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(ROOT / RESULTS), encoding="utf-8")
