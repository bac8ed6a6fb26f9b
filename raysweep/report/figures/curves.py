"""Learning curves: the mean over seeds, and a band from the lowest to the highest seed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

import altair as alt

from raysweep.analysis.aggregate import Cell, SweepAnalysis
from raysweep.analysis.figure_tables import CurveMetric, Row, curve_table, require_results
from raysweep.analysis.panels import panels
from raysweep.report.figures.axes import inline, layered, require_metric, seeds_text
from raysweep.report.figures.look import SCREEN, Chart, Look
from raysweep.report.figures.multiples import Multiples, arranged, fill_colors, line_colors

if TYPE_CHECKING:
    from raysweep.store.training_curves import TrainingCurve

_TITLES: Final = {"exact_match": "exact-match", "loss": "loss (nats)", "accuracy": "accuracy"}
_SOURCES: Final = {
    "exact_match": "Exact-match on held-out sequences",
    "loss": "Loss of the training",
    "accuracy": "Accuracy per position, of the training",
}

_THOUSANDS: Final = "datum.value < 1000 ? datum.label : format(datum.value / 1000, '~g') + 'k'"

_DIFFERENT: Final = 4
"""Ratio of the longest to the shortest training from which epochs are drawn on a logarithmic scale."""

_WIDE_RANGE: Final = 50
"""Ratio of the largest to the smallest loss from which losses are drawn on a logarithmic scale."""


def curves(
    analysis: SweepAnalysis,
    points: "Mapping[str, TrainingCurve]",
    metric: CurveMetric = "exact_match",
    rows: str | None = None,
    columns: str | None = None,
    look: Look = SCREEN,
) -> Chart:
    """Draw learning curves: a small chart for each row and panel, a colour for each column.

    Of otherwise equal cells, the longest training is drawn: the others are its beginning.

    Args:
        analysis: result of `analyse`.
        points: training curves by trial id, from `store.training_curves`; `exact_match` needs none.
        metric: `exact_match` on held-out sequences, or `loss` or `accuracy` of the training.
        rows: setting that separates small charts; default: LEN if it varies.
        columns: setting that is told apart by colour; default: MEM if it varies.
        look: size, letters and theme.

    Raises:
        UsageError: the sweep has no such setting, or no result yet.
    """
    require_metric(metric, get_args(CurveMetric))
    grid = panels(analysis, rows, columns, only_longest=True)
    require_results(grid)
    table = curve_table(grid, points, metric)
    logarithmic = metric == "loss" and _ratio([row["value"] for row in table]) > _WIDE_RANGE
    multiples = arranged(grid, look, ["0.001" if logarithmic else "0.0"])
    y: dict[str, Any] = {
        "scale": _scale(metric, logarithmic=logarithmic),
        "axis": _axis(table, logarithmic=logarithmic),
    }
    base = alt.Chart(inline(_rounded(multiples.placed(table)))).encode(
        x=alt.X("epoch:Q", title="epochs", **_epochs(table, multiples.width, look)),
        y=alt.Y("value:Q", title=_TITLES[metric], **y),
    )
    seeded = any(row["seeds"] > 1 for row in table)
    band = base.mark_area(opacity=0.25).encode(
        y=alt.Y("low:Q", **y), y2="high:Q", fill=fill_colors(grid, look)
    )
    line = base.mark_line(strokeWidth=look.font_size * 0.14, point=_is_sparse(table))
    layers = [*([band] if seeded else []), line.encode(stroke=line_colors(grid, look))]
    if look.interactive:
        layers.append(base.mark_point(size=60, opacity=0).encode(tooltip=_tooltip(metric, multiples)))
    drawn = layered(layers, multiples.width, look.font_size * 5.5)
    return multiples.draw(drawn, _remarks(metric, grid.cells, seeded=seeded))


def _tooltip(metric: CurveMetric, multiples: Multiples) -> list[alt.Tooltip]:
    numbers = {"value": _TITLES[metric], "low": "lowest seed", "high": "highest seed"}
    return [
        *multiples.tooltips,
        alt.Tooltip("epoch:Q", title="epochs", format=","),
        *(alt.Tooltip(f"{name}:Q", title=title, format=".4~g") for name, title in numbers.items()),
    ]


def _remarks(metric: CurveMetric, cells: Sequence[Cell], *, seeded: bool) -> list[str]:
    text = f"{_SOURCES[metric]}, {seeds_text(cells)}"
    return [text, "Band: lowest to highest seed"] if seeded else [text]


def _ratio(values: Sequence[float]) -> float:
    low, high = min(values, default=1), max(values, default=1)
    return high / low if low > 0 else 1


def _epochs(table: Sequence[Row], width: float, look: Look) -> dict[str, Any]:
    """Return scale and axis of the epochs: logarithmic if trainings differ much in their length."""
    ends: dict[tuple[str, str, str], int] = {}
    for row in table:
        ends[row["panel"], row["row"], row["column"]] = row["epoch"]
    last, first = max(ends.values(), default=1), min((row["epoch"] for row in table), default=1)
    if _ratio([*ends.values()]) >= _DIFFERENT:
        steps = [m * 10**power for power in range(10) for m in (1, 3) if first <= m * 10**power <= last]
        if len(steps) * 2.6 * look.font_size > width:
            steps = [step for step in steps if str(step)[0] == "1"]
        scale = alt.Scale(type="log", domain=[first, last], nice=False)
        return {"scale": scale, "axis": alt.Axis(values=steps, labelExpr=_THOUSANDS)}
    ticks = max(2, int(width // (4 * look.font_size)))
    scale = alt.Scale(domain=[0, last], nice=False)
    return {"scale": scale, "axis": alt.Axis(tickCount=ticks, labelExpr=_THOUSANDS, labelOverlap=True)}


def _axis(table: Sequence[Row], *, logarithmic: bool) -> alt.Axis:
    if not logarithmic:
        return alt.Axis(tickCount=3, format="~g")
    low, high = min(row["low"] for row in table), max(row["high"] for row in table)
    powers = [10.0**power for power in range(-12, 12) if low <= 10.0**power <= high]
    return alt.Axis(values=powers[:: -(-len(powers) // 4)] if powers else [low, high], format="~g")


def _scale(metric: CurveMetric, *, logarithmic: bool) -> alt.Scale:
    if metric == "loss":
        return alt.Scale(type="log", nice=False) if logarithmic else alt.Scale(zero=True)
    return alt.Scale(domain=[0, 1])


def _is_sparse(table: Sequence[Row]) -> bool:
    """Return whether lines have so few points that each must be seen."""
    return len({row["epoch"] for row in table}) <= 3


def _rounded(table: Sequence[Row]) -> list[Row]:
    """Return rows with five digits, which no eye can tell from more, and without the cells' fields."""
    return [
        {**row, **{name: float(f"{row[name]:.5g}") for name in ("value", "low", "high")}} for row in table
    ]
