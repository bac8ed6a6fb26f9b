"""`raysweep plot`: one figure of a sweep as a file, whole or not at all."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from raysweep.analysis.aggregate import SweepAnalysis, analyse
from raysweep.analysis.evaluations import REACH
from raysweep.analysis.figure_tables import CurveMetric, HeatMetric
from raysweep.errors import UsageError
from raysweep.store.ledger import Ledger
from raysweep.store.output_files import require_writable, write_output

if TYPE_CHECKING:
    from raysweep.report.figures import Chart, Look
    from raysweep.report.figures.render import Format
    from raysweep.store.training_curves import TrainingCurve

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "heatmap": get_args(HeatMetric),
    "curves": get_args(CurveMetric),
    "positions": (),
    "slips": (),
}
"""Metrics of each figure; the first is the default, and a figure without any shows one thing only."""

COLUMN_MM: Final = 85
"""Width of a column of a journal."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What to plot, as the user asked for it."""

    figure: str = "heatmap"
    metric: str | None = None
    """None: the figure's first."""
    rows: str | None = None
    columns: str | None = None
    reach: float = REACH
    width_mm: float = COLUMN_MM


def plot(ledger: Ledger, wanted: Plot, output: Path) -> None:
    """Draw a figure and write it to a file, replacing an older one; the ending decides the format.

    Raises:
        UsageError: unknown figure, metric, setting or ending, or nothing to draw.
        ResultsError: a committed file is damaged.
        StorageError: the file cannot be written.
    """
    metric = _metric(wanted)
    form = _format(output)
    require_writable(output, (output.suffix.lower(),), ledger.paths.folder)
    analysis = analyse(ledger)
    needs_training = wanted.figure == "curves" and metric != "exact_match"
    points = _training(ledger) if needs_training else {}
    from raysweep.report.figures.look import MM, PRINT
    from raysweep.report.figures.render import rendered

    look = replace(PRINT, width=wanted.width_mm * MM)
    write_output(output, rendered(partial(_drawn, analysis, points, wanted, metric), form, look))


def _metric(wanted: Plot) -> str:
    """Return the metric that a figure shows; empty if it shows one thing only."""
    if wanted.figure not in METRICS:
        near = difflib.get_close_matches(wanted.figure.lower(), METRICS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use {_either(METRICS)}"
        raise UsageError(f"--figure: there is no figure {wanted.figure!r}; {hint}")
    known = METRICS[wanted.figure]
    if wanted.metric is None:
        return known[0] if known else ""
    if not known:
        raise UsageError(f"--metric: the figure {wanted.figure} has no choice of metrics; leave it out")
    if wanted.metric not in known:
        near = difflib.get_close_matches(wanted.metric.lower().replace("-", "_"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use {_either(known)}"
        raise UsageError(f"--metric: {wanted.figure} cannot show {wanted.metric!r}; {hint}")
    return wanted.metric


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _format(output: Path) -> "Format":
    """Return the format that a file's ending names.

    Raises:
        UsageError: no format has this ending.
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in ("svg", "png", "pdf"):
        raise UsageError(f"{output}: the ending gives the format; use .svg, .png or .pdf")
    return cast("Format", form)


def _training(ledger: Ledger) -> "Mapping[str, TrainingCurve]":
    from raysweep.store.training_curves import training_curves

    return training_curves(ledger, ledger.committed())


def _drawn(
    analysis: SweepAnalysis,
    points: "Mapping[str, TrainingCurve]",
    wanted: Plot,
    metric: Any,
    look: "Look",
) -> "Chart":
    from raysweep.report import figures

    axes: dict[str, Any] = {"rows": wanted.rows, "columns": wanted.columns, "look": look}
    if wanted.figure == "heatmap":
        return figures.heatmap(analysis, metric, reach=wanted.reach, **axes)
    if wanted.figure == "curves":
        return figures.curves(analysis, points, metric, **axes)
    return (figures.positions if wanted.figure == "positions" else figures.slips)(analysis, **axes)
