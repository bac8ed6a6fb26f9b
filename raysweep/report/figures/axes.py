"""What the figures' axes and panels share: titles, and data as Altair takes them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import altair as alt

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.figure_tables import Row
from raysweep.analysis.panels import Panels
from raysweep.errors import UsageError
from raysweep.report.figures.look import text_width, wrapped
from raysweep.text import count

_TITLES: Final = {
    "len": "LEN (timesteps out)",
    "mem": "MEM (units per layer)",
    "n_in": "timesteps in",
    "arch": "network",
    "learning_rate": "learning rate",
    "batch_size": "batch size (windows)",
    "windows": "windows per epoch",
    "epochs": "training (epochs)",
}


_TAKEN: Final = frozenset(
    {
        *("title", "image"),  # which Vega's tooltips draw in their own way
        *(
            "value",
            "state",
            "seeds",
            "panel",
            "exact-match",
            "95 % interval",
            "position",
            "accuracy",
            "epoch",
        ),
        *("epochs", "loss", "says", "share", "count", "of the wrong positions", "wrong", "kind"),
    }
)
"""Titles of tooltips that no option may have."""

_BOLD: Final = 1.08
"""How much wider bold letters are."""


def title_of(setting: str) -> str:
    """Return a setting's name and unit for an axis.

    >>> title_of("mem"), title_of("layers"), title_of("eval_every")
    ('MEM (units per layer)', 'layers', 'eval every')
    """
    title = _TITLES.get(setting, setting.replace("_", " "))
    return f"{title} (option)" if title in _TAKEN else title


def require_metric(metric: str, known: Sequence[str]) -> None:
    """Raise an error if a figure has no such metric.

    Raises:
        UsageError: it has not; the message names those that it has.
    """
    if metric not in known:
        raise UsageError(f"there is no metric {metric!r}; use {' or '.join(known)}")


def short_title_of(setting: str) -> str:
    """Return a setting's name for a legend.

    >>> short_title_of("mem"), short_title_of("learning_rate")
    ('MEM', 'learning rate')
    """
    return setting.upper() if setting in ("len", "mem") else title_of(setting).partition(" (")[0]


def balanced(places: int, most: int) -> int:
    """Return how many charts to put in a line, at most so many, that the lines are about as full.

    >>> balanced(4, 3), balanced(7, 3), balanced(2, 5), balanced(3, 0)
    (2, 3, 2, 1)
    """
    lines = -(-places // max(1, most))
    return -(-places // lines)


def title_within(setting: str, room: float, size: float) -> str:
    """Return a setting's name and unit, or its name alone if both are too long."""
    full = title_of(setting)
    return full if text_width(full, size) <= room else short_title_of(setting)


def heading_width(panels: Panels, size: float, *names: str) -> float:
    """Return the width of the widest part of the panels' headings, and of other names in headings."""
    parts = {part for panel in panels.panels for part in panel.label.split(" · ")}
    return max(text_width(part, size) * _BOLD for part in {*parts, *names})


def seeds_text(cells: Iterable[Cell], figure: str = "mean") -> str:
    """Say over how many seeds a figure is the mean.

    >>> seeds_text([])
    'no results'
    """
    seeds = sorted({len(cell.seeds) for cell in cells if cell.seeds})
    if not seeds:
        return "no results"
    if seeds == [1]:
        return "one seed"
    return f"{figure} over {count(seeds[0], 'seed') if len(seeds) == 1 else f'{seeds[0]}–{seeds[-1]} seeds'}"


def inline(rows: Sequence[Row]) -> alt.InlineData:
    """Return rows as a chart's data."""
    return alt.InlineData(values=list(rows))


def layered(layers: Sequence[alt.Chart], width: Any, height: Any) -> alt.LayerChart:
    """Lay charts over each other, at a size that may be a step."""
    return alt.LayerChart(layer=[*layers], width=width, height=height)


def tooltips(**titles: str) -> list[alt.Tooltip]:
    """Return a tooltip's lines: a title for each field, shown as it stands in the data."""
    return [alt.Tooltip(field=field, type="nominal", title=title) for field, title in titles.items()]


def header(**options: Any) -> alt.Header:
    """Return the heading of a panel, which may have several lines."""
    return alt.Header(title=None, labelExpr="split(datum.label, '\\n')", **options)


def panel_names(panels: Panels, room: float, size: float, *, epochs: bool = False) -> dict[str, str]:
    """Return the heading of each panel by its label, in lines of at most `room`.

    Args:
        panels: the panels.
        room: width of a heading.
        size: of the letters.
        epochs: add the epochs, if a panel's cells agree in them.
    """
    names = {}
    for panel in panels.panels:
        label = panel.label
        if epochs and panel.epochs is not None and "epochs" not in panel.distinct:
            label = " · ".join([*([label] if label else []), count(panel.epochs, "epoch")])
        names[panel.label] = wrapped(label, room, size * _BOLD)
    return names
