"""Look of the figures: size, letters and colours, apart from what the figures show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import altair as alt

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
"""A figure; every kind has `to_dict`, and shows itself in a notebook."""

Theme = Literal["paper", "light", "dark"]
"""Black on white; dark letters, and light ones, for a page's own ground."""

FONT: Final = "Arial, Helvetica, Liberation Sans, sans-serif"
"""Fonts of equal widths: one is on every system, and Liberation Sans is part of vl-convert."""


@dataclass(frozen=True, slots=True)
class Look:
    """Size of a figure and of its letters."""

    width: float = 640
    """Width of the whole figure, in pixels on a screen and in points on paper."""
    font_size: float = 11
    """Size of every letter."""
    theme: Theme | None = "paper"
    """Colours; None: the chart has no configuration, for a page that gives `config` of two themes."""
    interactive: bool = True
    """True if a figure shows numbers at the pointer."""


MM: Final = 72 / 25.4
"""Points of a millimetre."""

SCREEN: Final = Look()
PRINT: Final = Look(width=85 * MM, font_size=7.5, interactive=False)
"""A column of a journal, 85 mm; its letters have 7.5 points."""


@dataclass(frozen=True, slots=True)
class _Colors:
    text: str
    quiet: str
    """Of axes and grids."""
    background: str
    ordinal: tuple[float, float]
    """Part of viridis for lines: no line is too near to the background."""


_COLORS: Final[Mapping[Theme, _Colors]] = {
    "paper": _Colors("#000000", "#c4c4c4", "#ffffff", (0.0, 0.85)),
    "light": _Colors("#1b1b1b", "#c4c4c4", "transparent", (0.0, 0.85)),
    "dark": _Colors("#e8e8e8", "#5c5c5c", "transparent", (0.25, 1.0)),
}


def config(look: Look = SCREEN) -> dict[str, Any]:
    """Return a Vega-Lite configuration: the letters of a look, and the colours of its theme.

    Raises:
        ValueError: the look has no theme.
    """
    if look.theme is None:
        raise ValueError("a look without a theme has no colours")
    colors = _COLORS[look.theme]
    size = look.font_size
    text = {"labelFontSize": size, "titleFontSize": size, "titleFontWeight": "normal", "labelLimit": 0}
    text |= {"titleLimit": 0, "labelColor": colors.text, "titleColor": colors.text}
    lines = {"domainColor": colors.quiet, "tickColor": colors.quiet, "gridColor": colors.quiet}
    header = {**text, "labelFontWeight": "bold", "labelPadding": size * 0.4}
    return {
        "font": FONT,
        "background": colors.background,
        "padding": 2,
        "view": {"stroke": colors.quiet, "strokeWidth": 0.5},
        "axis": {
            **text,
            **lines,
            "labelPadding": 2,
            "titlePadding": size * 0.4,
            "tickSize": 3,
            **{name: 0.5 for name in ("domainWidth", "tickWidth", "gridWidth")},
            "gridOpacity": 0.5,
        },
        "header": header,
        "legend": {**text, "symbolSize": size * 8, "titlePadding": size * 0.3}
        | {"rowPadding": 1, "offset": size, "symbolStrokeWidth": size * 0.2},
        "title": {"fontSize": size, "fontWeight": "normal", "color": colors.text, "offset": size * 0.7}
        | {"lineHeight": size * 1.2, "limit": 0},
        "text": {"fontSize": size, "color": colors.text},
        "range": {
            "heatmap": {"scheme": "viridis"},
            "ramp": {"scheme": "viridis"},
            "ordinal": {"scheme": "viridis", "extent": list(colors.ordinal)},
        },
    }


def finished(chart: Chart, look: Look) -> Chart:
    """Give a chart the configuration of its look, if the look has a theme."""
    if look.theme is not None:
        chart.config = alt.Config(**config(look))
    return chart


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in Arial, rather too wide than too narrow.

    >>> text_width("0.99", 10) < text_width("> 20,000", 10)
    True
    """
    narrow, wide = " .,:;'il|·", "mwMWABCDEGHKNOPQRUVXY%–—>"
    return size * sum(0.3 if one in narrow else 0.78 if one in wide else 0.57 for one in text)


def lines(text: str, room: float, size: float) -> list[str]:
    """Break a sentence into lines of at most `room`, unless a word is longer.

    >>> lines("mean over 3 seeds", 45, 7.5)
    ['mean over 3', 'seeds']
    """
    broken = [""]
    for word in text.split():
        longer = f"{broken[-1]} {word}".strip()
        if broken[-1] and text_width(longer, size) > room:
            broken.append(word)
        else:
            broken[-1] = longer
    return broken


def wrapped(label: str, room: float, size: float) -> str:
    r"""Break a panel's label into lines of at most `room`, if that is possible.

    >>> wrapped("gru · layers 2 · learning_rate 0.01", 80, 7.5)
    'gru · layers 2\nlearning_rate 0.01'
    """
    lines = [""]
    for part in label.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if not lines[-1] or text_width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(part)
    return "\n".join(lines)
