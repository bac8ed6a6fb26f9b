"""Heat map: a number in every cell, colour behind it; a panel for each further setting that varies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import altair as alt

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.analysis.evaluations import REACH
from raysweep.analysis.figure_tables import HeatMetric, Row, heat_table
from raysweep.analysis.panels import Panels, panels, value_text
from raysweep.errors import UsageError
from raysweep.report.figures.axes import (
    balanced,
    header,
    heading_width,
    inline,
    layered,
    panel_names,
    require_metric,
    seeds_text,
    title_of,
    title_within,
    tooltips,
)
from raysweep.report.figures.heat_cells import Scale, cell_text, notes, scale_of, shown_cells
from raysweep.report.figures.look import SCREEN, Chart, Look, finished, lines, text_width
from raysweep.text import count, level

_INKS: Final = {"dark": {"color": "#000000"}, "light": {"color": "#ffffff"}}
"""Colours of the numbers on bright and on dark cells."""

_NARROWEST: Final = 2
"""Least width of a cell."""

_WIDEST: Final = 9
"""Greatest width of a cell, in sizes of its letters."""


def heatmap(
    analysis: SweepAnalysis,
    metric: HeatMetric = "exact_match",
    rows: str | None = None,
    columns: str | None = None,
    reach: float = REACH,
    look: Look = SCREEN,
) -> Chart:
    """Draw a heat map.

    Args:
        analysis: result of `analyse`.
        metric: `exact_match`, `position_accuracy` (mean over the positions), `epochs_to_reach` (from the
            longest training of otherwise equal cells), or the training's `loss`.
        rows: setting of the rows; default: LEN if it varies, else the first setting that does.
        columns: setting of the columns; default: MEM if it varies.
        reach: level of exact-match for `epochs_to_reach`, 0 to 1.
        look: size, letters and theme.

    Raises:
        UsageError: the sweep has no such setting, or there is no such metric or level.
    """
    require_metric(metric, get_args(HeatMetric))
    if not 0 <= reach <= 1:
        raise UsageError(f"found the level {reach}; give a share from 0 to 1, such as 0.9")
    grid = panels(analysis, rows, columns, only_longest=metric == "epochs_to_reach")
    table = heat_table(grid, metric, reach)
    layout = _layout(grid, table, metric, look)
    names = panel_names(grid, layout.cell * len(grid.column_values), look.font_size, epochs=True)
    scale = scale_of(table, metric)
    shown = shown_cells(table, metric, scale, names, wide=layout.wide)
    drawn = _cells(grid, shown, scale, _legend(grid, metric, reach, look), look, layout)
    chart = drawn.facet(
        facet=alt.Facet("panel:N", sort=[*dict.fromkeys(names.values())], header=header()),
        columns=layout.per_line,
        spacing=look.font_size,
    )
    if len(grid.panels) % layout.per_line:
        chart = chart.resolve_axis(x="independent")  # the last line has an empty place, without an axis
    if note := notes(shown, wide=layout.wide):
        said = lines(note, look.width - 2, look.font_size)
        chart = chart.properties(title=alt.TitleParams(said, orient="bottom", anchor="start"))
    return finished(chart, look)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes of a heat map."""

    per_line: int
    """Panels side by side."""
    cell: float
    """Width of a cell."""
    wide: bool
    """True if a cell has room for words."""
    numbers: bool
    """True if a cell has room for its number."""


def _layout(grid: Panels, table: Sequence[Row], metric: HeatMetric, look: Look) -> _Layout:
    """Put as many panels side by side as can show their numbers."""
    size, across, room = look.font_size, len(grid.column_values), _room(grid, look)
    short, wide = (
        max(text_width(cell_text(row, metric, wide=long), size) for row in table) + 0.4 * size
        for long in (False, True)
    )
    epochs = {count(panel.epochs, "epoch") for panel in grid.panels if panel.epochs is not None}
    panel = max(across * short, heading_width(grid, size, *epochs))
    per_line = balanced(len(grid.panels), int((room + size) // (panel + size)))
    cell = max(min((room - (per_line - 1) * size) / per_line / across, _WIDEST * size), _NARROWEST)
    return _Layout(per_line, cell, wide=wide <= cell, numbers=short <= cell)


def _room(grid: Panels, look: Look) -> float:
    """Return the width that is left beside the labels of the rows."""
    labels = max(text_width(value_text(value), look.font_size) for value in grid.row_values)
    return look.width - labels - 2.1 * look.font_size - 8


def _legend(grid: Panels, metric: HeatMetric, reach: float, look: Look) -> alt.Legend:
    figure = {
        "exact_match": "exact-match on held-out sequences",
        "position_accuracy": "accuracy per position, held-out",
        "epochs_to_reach": f"epochs until exact-match {level(reach)}",
        "loss": "training loss of the last epoch (nats)",
    }[metric]
    seeds = seeds_text(grid.cells, "median" if metric == "epochs_to_reach" else "mean")
    room = _room(grid, look)
    return alt.Legend(
        title=lines(f"{figure}, {seeds}", room, look.font_size),
        orient="bottom",
        direction="horizontal",
        gradientLength=min(max(room, 6 * look.font_size), 30 * look.font_size),
        gradientThickness=look.font_size,
        format="~s" if metric == "epochs_to_reach" else "~g",
        titleAnchor="start",
    )


def _cells(
    grid: Panels, shown: Sequence[Row], scale: Scale, legend: alt.Legend, look: Look, layout: _Layout
) -> alt.LayerChart:
    size, height = look.font_size, 1.75 * look.font_size
    columns, rows = ([*map(value_text, values)] for values in (grid.column_values, grid.row_values))
    turned = max(text_width(label, size) for label in columns) > layout.cell - 2
    right, down = (
        _axis(title_within(setting, len(labels) * step, size), labels, 1 / step, angle)
        for setting, labels, step, angle in (
            (grid.columns, columns, layout.cell, -90 if turned else 0),
            (grid.rows, rows, height, 0),
        )
    )
    base = alt.Chart(inline(shown)).encode(
        x=alt.X("column:N", **right),
        y=alt.Y("row:N", **down),
        tooltip=tooltips(
            panel="panel",
            row=title_of(grid.rows),
            column=title_of(grid.columns),
            full="value",
            exact="exact-match",
            interval="95 % interval",
            seeds="seeds",
            state="state",
        ),
    )
    color = alt.Color("colour:Q", scale=scale.of_altair(), legend=legend)
    layers = [base.transform_filter("isValid(datum.value)").mark_rect().encode(color=color)]
    inks: dict[str, dict[str, Any]] = {"none": {}, **(_INKS if layout.numbers else {})}
    for ink, fixed in inks.items():
        texts = base.transform_filter(f"datum.ink === '{ink}'").mark_text(baseline="middle", **fixed)
        layers.append(texts.encode(text="text:N"))
    return layered(layers, alt.Step(layout.cell), alt.Step(height))


def _axis(title: str, labels: Sequence[str], gap: float, angle: float) -> dict[str, Any]:
    return {
        "sort": [*labels],
        "scale": alt.Scale(domain=[*labels], paddingInner=gap, paddingOuter=gap / 2),
        "axis": alt.Axis(title=title, grid=False, ticks=False, domain=False, labelAngle=angle),
    }
