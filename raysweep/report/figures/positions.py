"""Accuracy at each position: one line per cell."""

import altair as alt

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.analysis.figure_tables import position_table, require_results
from raysweep.analysis.panels import panels
from raysweep.report.figures.axes import inline, layered, seeds_text, tooltips
from raysweep.report.figures.look import SCREEN, Chart, Look
from raysweep.report.figures.multiples import arranged, line_colors


def positions(
    analysis: SweepAnalysis, rows: str | None = None, columns: str | None = None, look: Look = SCREEN
) -> Chart:
    """Draw the accuracy at each position: a small chart for each row and panel, a colour for each column.

    Args:
        analysis: result of `analyse`.
        rows: setting that separates small charts; default: LEN if it varies.
        columns: setting that is told apart by colour; default: MEM if it varies.
        look: size, letters and theme.

    Raises:
        UsageError: the sweep has no such setting, or no result yet.
    """
    grid = panels(analysis, rows, columns)
    require_results(grid)
    table = [{**row, "value": float(f"{row['value']:.5g}")} for row in position_table(grid)]
    multiples = arranged(grid, look, ["0.0"])
    longest = max(row["position"] for row in table)
    step = next(
        n
        for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)
        if longest / n * 1.6 * look.font_size < multiples.width or n == 500
    )
    shown = [1, *range(step, longest + 1, step)] if step > 1 else [*range(1, longest + 1)]
    x = alt.X(
        "position:Q",
        title="position",
        scale=alt.Scale(domain=[0.6, longest + 0.4], nice=False),
        axis=alt.Axis(values=shown, format="d", grid=False),
    )
    y = alt.Y(
        "value:Q",
        title="accuracy",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=3, format="~g"),
    )
    base = alt.Chart(inline(multiples.placed(table))).encode(x=x, y=y, stroke=line_colors(grid, look))
    point = base.mark_point(size=look.font_size, filled=False, opacity=1).encode(
        tooltip=[
            *multiples.tooltips,
            *tooltips(position="position"),
            alt.Tooltip("value:Q", title="accuracy", format=".4~f"),
        ]
    )
    line = base.mark_line(strokeWidth=look.font_size * 0.14)
    drawn = layered([line, point], multiples.width, look.font_size * 5.5)
    return multiples.draw(drawn, [f"Held-out windows right at each position, {seeds_text(grid.cells)}"])
