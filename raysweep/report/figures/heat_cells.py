"""Cells of a heat map: their texts, colours and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final, Literal

import altair as alt

from raysweep.analysis.figure_tables import HeatMetric, Row
from raysweep.report.palette import heat_ink
from raysweep.text import interval_ends, number, share

_SIGNS: Final = {"not run": "–", "failed": "×", "diverged": "∞"}
"""Sign of a cell without a value, if the word is too wide."""

_INKS: Final = {"#000000": "dark", "#ffffff": "light"}

_WIDE_RANGE: Final = 100
"""Ratio of the largest to the smallest loss from which the colours follow its logarithm."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Colours of a metric: the brighter, the better."""

    low: float
    high: float
    logarithmic: bool
    rising: bool
    """True if more is better."""

    def percent(self, value: float) -> float:
        """Return the brightness of a value, 0 to 100."""
        at, low, high = (log(v) if self.logarithmic else v for v in (value, self.low, self.high))
        part = (at - low) / (high - low)
        return 100 * min(1.0, max(0.0, part if self.rising else 1 - part))

    def of_altair(self) -> alt.Scale:
        """Return the scale in Altair's terms."""
        kind: Literal["log", "linear"] = "log" if self.logarithmic else "linear"
        return alt.Scale(domain=[self.low, self.high], type=kind, reverse=not self.rising, nice=False)


def scale_of(table: Sequence[Row], metric: HeatMetric) -> Scale:
    """Return the scale of a metric's values."""
    if metric in ("exact_match", "position_accuracy"):
        return Scale(0, 1, logarithmic=False, rising=True)
    known = [row for row in table if row["value"] is not None]
    # Epochs after which the level is not reached are no values of the scale, if there are others.
    reached = [row for row in known if not row["above"]]
    values = [row["value"] for row in reached or known] or [1]
    low, high = min(values), max(values)
    wide = low > 0 and (metric == "epochs_to_reach" or high / low > _WIDE_RANGE)
    return Scale(low, high if high > low else 2 * low + 1, logarithmic=wide, rising=False)


def cell_text(row: Row, metric: HeatMetric, *, wide: bool) -> str:
    """Return what stands in a cell; if not `wide`, a sign for a state, and thousands as k."""
    value = row["value"]
    if value is None:
        state = row["state"] or "never"
        return state if wide else _SIGNS.get(state, state)
    if metric == "epochs_to_reach":
        short = number(value) if wide or value < 10_000 else f"{value / 1000:.1f}".removesuffix(".0") + "k"
        text = f"> {short}" if row["above"] else short
    elif metric == "loss":
        text = f"{value:.2f}" if value >= 0.095 else f"{value:.3f}" if value >= 0.00095 else f"{value:.0e}"
    else:
        text = share(value)
    return f"{text}*" if row["partial"] else text


def shown_cells(
    table: Sequence[Row], metric: HeatMetric, scale: Scale, names: Mapping[str, str], *, wide: bool
) -> list[Row]:
    """Return the cells as Vega gets them; `full` is the text of the tooltip."""
    return [
        {
            "panel": names[row["panel"]],
            "row": row["row"],
            "column": row["column"],
            "value": row["value"],
            "colour": scale.high if row["above"] else row["value"],
            "text": cell_text(row, metric, wide=wide),
            "full": cell_text(row, metric, wide=True),
            "ink": "none" if row["value"] is None else _ink(row, scale),
            "exact": None if row["exact_match"] is None else share(row["exact_match"]),
            "interval": None if row["low"] is None else interval_ends(row["low"], row["high"]),
            "seeds": row["seeds"],
            "state": row["state"] or ("fewer seeds than planned" if row["partial"] else "evaluated"),
        }
        for row in table
    ]


def _ink(row: Row, scale: Scale) -> str:
    return _INKS[heat_ink(scale.percent(scale.high if row["above"] else row["value"]))]


def notes(shown: Sequence[Row], *, wide: bool) -> str:
    """Explain the signs in the cells; empty without any."""
    words = dict.fromkeys(row["full"] for row in shown if row["value"] is None)
    signs = [] if wide else [f"{_SIGNS[word]} {word}" for word in words if word in _SIGNS]
    if any(row["state"].startswith("fewer") for row in shown):
        signs.append("* fewer seeds than planned")
    return ", ".join(signs)
