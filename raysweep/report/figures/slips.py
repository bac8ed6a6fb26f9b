"""What wrong positions say: another integer of the answer, of the window, or none of it."""

from collections.abc import Sequence
from math import floor
from typing import Final

import altair as alt

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.analysis.figure_tables import SLIPS, Row, require_results, slip_table
from raysweep.analysis.panels import panels, value_text
from raysweep.report.figures.axes import inline, layered, short_title_of, tooltips
from raysweep.report.figures.look import SCREEN, Chart, Look, text_width
from raysweep.report.figures.multiples import Multiples, arranged
from raysweep.text import ROUNDING

_COLORS: Final = ("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#bbbbbb")
"""Of the kinds, in their order, from the palette of Okabe and Ito (2008)."""


def slips(
    analysis: SweepAnalysis, rows: str | None = None, columns: str | None = None, look: Look = SCREEN
) -> Chart:
    """Draw what wrong positions say instead: a bar for each cell, of the shares of its wrong positions.

    The number at the end of a bar is the share of all positions that are wrong.

    Args:
        analysis: result of `analyse`.
        rows: setting that separates small charts; default: LEN if it varies.
        columns: setting of the bars; default: MEM if it varies.
        look: size, letters and theme.

    Raises:
        UsageError: the sweep has no such setting, or no result yet.
    """
    grid = panels(analysis, rows, columns)
    require_results(grid)
    labels = [value_text(value) for value in grid.column_values]
    multiples = arranged(grid, look, [*labels])
    base = alt.Chart(inline(multiples.placed(_shown(slip_table(grid))))).encode(
        y=alt.Y(
            "column:N",
            sort=labels,
            title=short_title_of(grid.columns),
            scale=alt.Scale(domain=labels, paddingInner=0.2, paddingOuter=0.1),
            axis=alt.Axis(grid=False, ticks=False, domain=False),
        )
    )
    bars = base.transform_filter("isValid(datum.kind)").mark_bar()
    bars = bars.encode(
        x=_shares(multiples.width, look), x2="end:Q", color=_kinds(look), tooltip=_tooltip(multiples)
    )
    texts = base.transform_filter("isValid(datum.note)").mark_text(align="left", baseline="middle")
    texts = texts.encode(x="note_at:Q", text="note:N")
    drawn = layered([bars, texts], multiples.width, alt.Step(1.5 * look.font_size))
    remark = (
        "What wrong positions say instead, as shares of the wrong positions; beside: wrong of all positions"
    )
    return multiples.draw(drawn, [remark])


def _shown(table: Sequence[Row]) -> list[Row]:
    """Return the rows as Vega gets them; the last one of each cell has the note beside its bar."""
    ends = {*{(row["panel"], row["row"], row["column"]): place for place, row in enumerate(table)}.values()}
    return [{**row, **(_note(row) if place in ends else {"note": None})} for place, row in enumerate(table)]


def _note(row: Row) -> Row:
    """Return what stands behind a bar, or instead of one, and where."""
    if row["kind"] is None:
        return {"note": "nothing wrong", "note_at": 0.02}
    wrong = row["wrong"]
    places = 0 if wrong >= 0.1 else 1
    down = floor(100 * wrong * 10**places + ROUNDING) / 10**places  # as the report rounds shares
    return {"note": f"{down:.{places}f}%" if wrong >= 0.001 else "<0.1%", "note_at": 1.03}


def _shares(width: float, look: Look) -> alt.X:
    """Return the horizontal scale, which leaves room for a number behind the bars."""
    room = text_width("99.9%", look.font_size) + 0.3 * look.font_size
    return alt.X(
        "start:Q",
        title="share",
        scale=alt.Scale(domain=[0, width / (width - room)], nice=False),
        axis=alt.Axis(values=[0, 0.5, 1], format="~g"),
    )


def _kinds(look: Look) -> alt.Color:
    kinds = [*SLIPS.values()]
    room = max(text_width(kind, look.font_size) for kind in kinds) + 4 * look.font_size
    legend = alt.Legend(
        title=None, orient="bottom", symbolType="square", columns=max(1, int(look.width // room))
    )
    return alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=[*_COLORS]), legend=legend)


def _tooltip(multiples: Multiples) -> list[alt.Tooltip]:
    return [
        *multiples.tooltips,
        *tooltips(kind="says"),
        alt.Tooltip("count:Q", title="positions", format=","),
        alt.Tooltip("wrong:Q", title="wrong of all positions", format=".4~f"),
    ]
