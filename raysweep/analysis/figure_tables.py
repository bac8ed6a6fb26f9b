"""Tables behind the figures: lists of plain rows, one for each mark.

Every row has the cell's `panel`, `row` and `column` as a figure shows them, and numbers in full.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.panels import Panels, value_text
from raysweep.errors import UsageError
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.store.training_curves import TrainingCurve

HeatMetric = Literal["exact_match", "position_accuracy", "epochs_to_reach", "loss"]
CurveMetric = Literal["exact_match", "loss", "accuracy"]

MAX_POINTS: Final = 60
"""Most points of a line; a figure's data stay small, and more would not be seen."""

Row = dict[str, Any]


def heat_table(panels: Panels, metric: HeatMetric, reach: float) -> list[Row]:
    """Return one row per cell.

    `value` is the metric, or None; `above` is true if the level was not reached, and `value` then the epochs
    that it is above; `state` is None for a cell with a value; `low` and `high` are the ends of the interval
    of `exact_match`; `partial` is true if the cell lacks planned seeds.
    """
    return [_heat_row(place, cell, metric, reach) for place, cell in _cells(panels)]


def _heat_row(place: Row, cell: Cell, metric: HeatMetric, reach: float) -> Row:
    value, above = _heat_value(cell, metric, reach)
    interval = cell.interval
    return {
        **place,
        "value": value,
        "above": above,
        "state": None if cell.seeds else cell.state,
        "exact_match": cell.exact_match,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "seeds": len(cell.seeds),
        "partial": bool(cell.seeds) and len(cell.seeds) < cell.replicates,
    }


def _heat_value(cell: Cell, metric: HeatMetric, reach: float) -> tuple[float | None, bool]:
    if not cell.seeds:
        return None, False
    if metric == "epochs_to_reach":
        found = cell.epochs_to_reach(reach)
        return (found.above, True) if found.median is None else (found.median, False)
    if metric == "position_accuracy":
        return sum(cell.position_accuracy) / len(cell.position_accuracy), False
    value = cell.exact_match if metric == "exact_match" else cell.loss
    return (value if value is not None and math.isfinite(value) else None), False


def curve_table(panels: Panels, training: Mapping[str, "TrainingCurve"], metric: CurveMetric) -> list[Row]:
    """Return one row per point of each cell's curve: the mean over seeds, the lowest and the highest seed.

    Args:
        panels: the cells.
        training: training curves by trial id; `exact_match` needs none.
        metric: `exact_match` of held-out sequences, or the training's `loss` or `accuracy`.
    """
    rows = []
    for place, cell in _cells(panels):
        series = [*_series(cell, training, metric)]
        common = sorted(set.intersection(*map(set, series))) if series else []
        for epoch in _thinned(common):
            values = [one[epoch] for one in series]
            mean = sum(values) / len(values)
            if math.isfinite(mean):
                rows.append(
                    {**place, "epoch": epoch, "value": mean, "low": min(values), "high": max(values)}
                    | {"seeds": len(values)}
                )
    return rows


def _series(
    cell: Cell, training: Mapping[str, "TrainingCurve"], metric: CurveMetric
) -> Iterator[dict[int, float]]:
    """Yield each seed's values by epoch."""
    for counts in cell.counts:
        if metric == "exact_match":
            yield {one.epoch: one.exact / counts.windows for one in counts.evaluations}
        else:
            curve = training[TrialSettings(**counts.settings).trial_id]
            yield dict(zip(curve.epochs, curve.loss if metric == "loss" else curve.accuracy, strict=True))


def _thinned(epochs: Sequence[int]) -> list[int]:
    """Keep at most `MAX_POINTS` epochs, half of them evenly spread, half on a logarithmic scale."""
    last = len(epochs) - 1
    if last < MAX_POINTS:
        return [*epochs]
    half = MAX_POINTS // 2
    kept = {round(last * i / (half - 1)) for i in range(half)}
    kept |= {round((last + 1) ** (i / (half - 1))) - 1 for i in range(half)}
    return [epochs[i] for i in sorted(kept)]


def position_table(panels: Panels) -> list[Row]:
    """Return one row per position of each cell: `position`, from 1, and `value`, its accuracy."""
    return [
        {**place, "position": position, "value": value, "seeds": len(cell.seeds)}
        for place, cell in _cells(panels)
        for position, value in enumerate(cell.position_accuracy, start=1)
    ]


SLIPS: Final = {
    "before": "the position before",
    "after": "the position after",
    "answer": "another of the answer",
    "window": "another of the window",
    "none": "none of the window",
}
"""What a wrong position may say instead, nearest first."""


def slip_table(panels: Panels) -> list[Row]:
    """Return one row per kind of slip of each evaluated cell; one without a kind if nothing is wrong.

    `start` and `end` are where the kind's part of a bar of all wrong positions begins and ends, `count` the
    number of positions, `wrong` the share of all positions that are wrong.
    """
    return [row for place, cell in _cells(panels) for row in _slip_rows(place, cell)]


def _slip_rows(place: Row, cell: Cell) -> Iterator[Row]:
    slips = cell.slips
    if slips is None:
        return
    share = slips.wrong / (cell.windows * cell.settings["len"])
    if not slips.wrong:
        yield {**place, "kind": None, "count": 0, "start": None, "end": None, "wrong": share}
    numbers = {
        "before": slips.answer.get(-1, 0),
        "after": slips.answer.get(1, 0),
        "answer": sum(number for distance, number in slips.answer.items() if abs(distance) > 1),
        "window": sum(slips.window.values()),
        "none": slips.none,
    }
    before = 0
    for kind, number in numbers.items():
        if number:
            ends = {"start": before / slips.wrong, "end": (before + number) / slips.wrong}
            yield {**place, "kind": SLIPS[kind], "count": number, **ends, "wrong": share}
            before += number


def _cells(panels: Panels) -> Iterator[tuple[Row, Cell]]:
    for panel in panels.panels:
        for (row, column), cell in sorted(
            panel.cells.items(),
            key=lambda one: [panels.row_values.index(one[0][0]), panels.column_values.index(one[0][1])],
        ):
            place = {"panel": panel.label, "row": value_text(row), "column": value_text(column)}
            yield place, cell


def require_results(panels: Panels) -> None:
    """Raise an error if there is nothing to draw.

    Raises:
        UsageError: no cell has a result.
    """
    if not any(cell.seeds for cell in panels.cells):
        raise UsageError("no trial of the latest grid has a result yet; there is nothing to draw")
