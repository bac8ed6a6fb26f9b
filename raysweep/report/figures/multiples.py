"""Small multiples: one small chart for each row of each panel; columns differ in colour, or are bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt

from raysweep.analysis.figure_tables import Row
from raysweep.analysis.panels import Panels, named, value_text
from raysweep.report.figures.axes import (
    balanced,
    header,
    heading_width,
    panel_names,
    short_title_of,
    title_of,
    tooltips,
)
from raysweep.report.figures.look import Chart, Look, finished, lines, text_width, wrapped

_LEAST_BESIDE: Final = 5
"""Least width of a small chart of panels side by side, in sizes of its letters."""

_LEAST: Final = 7
"""Least width of a small chart, in sizes of its letters."""

_USUAL: Final = 11
"""Usual width of a small chart, its axis included, in sizes of its letters."""

_GREATEST: Final = 20
"""Greatest width of a small chart, in sizes of its letters."""


@dataclass(frozen=True, slots=True)
class Multiples:
    """Arrangement of small charts in a figure.

    With one panel, its rows follow each other in lines; with a few, panels stand side by side and rows below
    each other; with more, every row of every panel has a heading of its own.
    """

    grid: Panels
    look: Look
    per_line: int
    """Small charts in a line."""
    width: float
    """Of a small chart."""
    side_by_side: bool

    def draw(self, layer: alt.LayerChart, remarks: Sequence[str]) -> Chart:
        """Draw the small charts.

        Args:
            layer: one of them, over the rows that `placed` returns.
            remarks: sentences below the figure.
        """
        look, grid = self.look, self.grid
        if self.side_by_side:
            names = panel_names(grid, self.width, look.font_size)
            rows = [named(grid.rows, value) for value in grid.row_values]
            chart = layer.facet(
                row=alt.Row("across:N", sort=rows, header=header(labelOrient="right", labelAngle=90)),
                column=alt.Column("heading:N", sort=[*dict.fromkeys(names.values())], header=header()),
                spacing=look.font_size,
            )
        else:
            chart = layer.facet(
                facet=alt.Facet("heading:N", sort=self._headings(), header=header()),
                columns=self.per_line,
                spacing=look.font_size,
            )
            if self.lines_incomplete:
                chart = chart.resolve_axis(x="independent")
        said = [grid.panels[0].label, *remarks] if len(grid.panels) == 1 else remarks
        title = [line for one in said for line in lines(one, look.width - 2, look.font_size)]
        chart = chart.properties(title=alt.TitleParams(title, orient="bottom", anchor="start"))
        return finished(chart, look)

    @property
    def lines_incomplete(self) -> bool:
        """Return whether the last line has an empty place, above which an axis would be missing."""
        number = len(self._headings())
        return number > self.per_line and number % self.per_line > 0

    def placed(self, table: Sequence[Row]) -> list[Row]:
        """Return the rows of a table with the heading of their small chart instead of panel and row."""
        names = panel_names(self.grid, self.width, self.look.font_size)
        texts = {value_text(value): named(self.grid.rows, value) for value in self.grid.row_values}
        placed = []
        for given in table:
            row = {name: value for name, value in given.items() if name not in ("panel", "row", "seeds")}
            name = texts[given["row"]]
            if self.side_by_side:
                row |= {"heading": names[given["panel"]], "across": name}
            else:
                row["heading"] = self._heading(given, name)
            placed.append(row)
        return placed

    @property
    def tooltips(self) -> list[alt.Tooltip]:
        """Return the tooltip's lines that name a cell."""
        where = {"across": title_of(self.grid.rows)} if self.side_by_side else {}
        return tooltips(heading="panel", **where, column=title_of(self.grid.columns))

    def _heading(self, row: Row, name: str) -> str:
        parts = [row["panel"], name] if row["panel"] and len(self.grid.panels) > 1 else [name]
        return wrapped(" · ".join(parts), self.width, 1.08 * self.look.font_size)

    def _headings(self) -> list[str]:
        """Return every heading, in order."""
        found = []
        for panel in self.grid.panels:
            for value in self.grid.row_values:
                row = {"panel": panel.label}
                if any(at == value for at, _ in panel.cells):
                    found.append(self._heading(row, named(self.grid.rows, value)))
        return found


def arranged(grid: Panels, look: Look, labels: Sequence[str]) -> Multiples:
    """Arrange small charts in the width of a look.

    Args:
        grid: the cells.
        look: size of figure and letters.
        labels: of the vertical axis.
    """
    size, number = look.font_size, len(grid.panels)
    left = max(text_width(label, size) for label in labels) + 2 * size + 6
    names = [named(grid.rows, value) for value in grid.row_values]
    room = look.width - left - 1.8 * size
    least = max(_LEAST_BESIDE * size, heading_width(grid, size))
    if 1 < number <= (room + size) // (least + size) and len(names) > 1:
        width = (room - (number - 1) * size) / number
        return Multiples(grid, look, number, min(width, _GREATEST * size), side_by_side=True)
    room = look.width - left
    least = max(_LEAST * size, heading_width(grid, size, *names))
    usual = max(1, round(look.width / (_USUAL * size)))
    places = sum(len({row for row, _ in panel.cells}) for panel in grid.panels)
    per_line = balanced(places, min(usual, int((room + size) // (least + size))))
    width = (room - (per_line - 1) * size) / per_line
    return Multiples(grid, look, per_line, min(width, _GREATEST * size), side_by_side=False)


def line_colors(grid: Panels, look: Look) -> alt.Stroke:
    """Return the colour of each column's lines, with a legend below the figure if there are several."""
    return alt.Stroke("column:O", **_colors(grid, look))


def fill_colors(grid: Panels, look: Look) -> alt.Fill:
    """Return the colour of each column's areas, which is that of its lines; they share a legend."""
    return alt.Fill("column:O", **_colors(grid, look))


def _colors(grid: Panels, look: Look) -> dict[str, Any]:
    labels, title = [value_text(value) for value in grid.column_values], short_title_of(grid.columns)
    needed = max(text_width(label, look.font_size) for label in labels) + 4 * look.font_size
    legend = alt.Legend(
        title=title,
        orient="bottom",
        titleOrient="left",
        columns=max(1, int((look.width - text_width(title, look.font_size)) // needed)),
        symbolType="stroke",
        symbolOpacity=1,
    )
    return {
        "sort": labels,
        "scale": alt.Scale(domain=labels),
        "legend": legend if len(labels) > 1 else None,
    }
