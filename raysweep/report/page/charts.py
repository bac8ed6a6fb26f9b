"""Figures of the page: which ones, at the width of a screen and of a phone, in light and dark."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.report.figures import Chart, Look, config, curves, heatmap, positions, slips
from raysweep.report.page.markup import Html, tag
from raysweep.store.training_curves import TrainingCurve
from raysweep.text import level

WIDTHS: Final = {"wide": Look(width=560, theme=None), "narrow": Look(width=340, theme=None)}
"""Looks of each figure; the page's script chooses one by the width of the window."""

_THEMES: Final[Sequence[Literal["light", "dark"]]] = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: its name, its title, and how it is drawn."""

    name: str
    title: str
    draw: Callable[[Look], Chart]


def figures(analysis: SweepAnalysis, points: Mapping[str, TrainingCurve], reach: float) -> list[Figure]:
    """Return the figures for which the sweep has results.

    Args:
        analysis: result of `analyse`.
        points: training curves by trial id.
        reach: level of exact-match at which a length counts as learned.
    """
    evaluated = [cell for cell in analysis.current if cell.seeds]
    during = any(len(counts.evaluations) > 1 for cell in evaluated for counts in cell.counts)
    wrong = any(cell.slips and cell.slips.wrong for cell in evaluated)
    known = [
        (evaluated, "exact-match", "Exact match", lambda look: heatmap(analysis, look=look)),
        (
            during,
            "epochs-to-reach",
            f"Epochs to exact match {level(reach)}",
            lambda look: heatmap(analysis, "epochs_to_reach", reach=reach, look=look),
        ),
        (during, "curves", "Learning curves", lambda look: curves(analysis, points, look=look)),
        (evaluated, "loss", "Training loss", lambda look: curves(analysis, points, "loss", look=look)),
        (evaluated, "positions", "Accuracy by position", lambda look: positions(analysis, look=look)),
        (wrong, "slips", "What wrong positions say", lambda look: slips(analysis, look=look)),
    ]
    return [Figure(name, title, draw) for has_results, name, title, draw in known if has_results]


def figures_section(shown: Sequence[Figure]) -> Html:
    """Lay out the places of the figures, which the page's script draws."""
    return tag("div", *map(_place, shown), class_="figures")


def _place(figure: Figure) -> Html:
    themes = (tag("div", class_=theme, id=f"{figure.name}-{theme}") for theme in _THEMES)
    chart = tag("div", *themes, class_="chart", tabindex=0, role="group", aria_label=figure.title)
    return tag("figure", tag("figcaption", tag("h3", figure.title)), chart)


def figures_data(shown: Sequence[Figure]) -> dict[str, Any]:
    """Return the figures' specifications, their data once for all, and the configuration of each theme."""
    tables: dict[str, Any] = {}
    specs = {
        figure.name: {width: _spec(figure.draw(look), tables) for width, look in WIDTHS.items()}
        for figure in shown
    }
    configs = {
        width: {theme: config(Look(look.width, look.font_size, theme)) for theme in _THEMES}
        for width, look in WIDTHS.items()
    }
    return {"figures": specs, "tables": tables, "configs": configs}


def _spec(chart: Chart, tables: dict[str, Any]) -> dict[str, Any]:
    """Return a specification whose data are in `tables`; Altair names them by their content."""
    spec: dict[str, Any] = chart.to_dict()
    for name, rows in spec.pop("datasets", {}).items():
        tables[name] = {column: _column([row.get(column) for row in rows]) for column in _names(rows)}
    return spec


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({name for row in rows for name in row})


def _column(values: list[Any]) -> list[Any]:
    """Encode a column as it is, or as its different values and the place of each row's value among them."""
    different = {json.dumps(value): value for value in values}
    if len(different) * 3 > len(values):
        return [values]
    places = {key: place for place, key in enumerate(different)}
    return [[*different.values()], [places[json.dumps(value)] for value in values]]
