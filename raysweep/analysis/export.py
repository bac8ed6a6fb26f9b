"""Machine-readable analysis: one JSON object, or CSV with one row per cell; every number in full."""

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell, SweepAnalysis
from raysweep.analysis.interval import METHOD, Interval
from raysweep.analysis.slips import PooledSlips
from raysweep.text import clean_text

_FIGURES: Final = (  # `evaluated_windows` is the JSON's `windows`; here `windows` is the setting
    "deterministic",
    "planned",
    "seeds",
    "diverged",
    "evaluated_windows",
    "exact_match",
    "interval_low",
    "interval_high",
    "interval_over",
    "interval_n",
    "interval_n_effective",
)
_EPOCHS_TO_REACH: Final = ("reach", "epochs_to_reach", "reached", "reached_of")
_SLIPS: Final = ("slips_wrong", "slips_answer", "slips_window", "slips_none", "slips_by_distance")


def report_json(analysis: SweepAnalysis, reach: float) -> str:
    """Return one object: `sweep`, `trials` (counts by status), `cells`; null for missing and NaN values.

    Args:
        analysis: result of `analyse`.
        reach: level of exact-match to which `epochs_to_reach` refers.
    """
    counts = analysis.counts
    report = {
        "sweep": analysis.name,
        "trials": {
            "done": counts.done,
            "diverged": counts.diverged,
            "failed": counts.failed,
            "missing": counts.missing,
        },
        "cells": [_cell_object(cell, reach) for cell in analysis.cells],
    }
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _cell_object(cell: Cell, reach: float) -> dict[str, Any]:
    reached = cell.epochs_to_reach(reach)
    return {
        "settings": {**cell.settings, "options": _options(cell)},
        "deterministic": cell.deterministic,
        "planned": cell.planned,
        "seeds": list(cell.seeds),
        "diverged": list(cell.diverged),
        "windows": cell.windows,
        "exact_match": cell.exact_match,
        "interval": _interval_object(cell.interval),
        "position_accuracy": list(cell.position_accuracy),
        "loss": _finite(cell.loss),
        "accuracy": _finite(cell.accuracy),
        "evaluations": [
            {
                "epoch": one.epoch,
                "exact_match": one.exact_match,
                "interval": _interval_object(one.interval),
                "position_accuracy": list(one.position_accuracy),
            }
            for one in cell.evaluations
        ],
        "epochs_to_reach": {
            "reach": reached.reach,
            "median": reached.median,
            "reached": len(reached.epochs),
            "of": reached.of,
        },
        "slips": _slips_object(cell.slips),
    }


def _slips_object(slips: PooledSlips | None) -> dict[str, Any] | None:
    if slips is None:
        return None
    answer, window = sum(slips.answer.values()), sum(slips.window.values())
    by_distance = {str(distance): number for distance, number in slips.by_distance.items()}
    return {
        "wrong": slips.wrong,
        "answer": answer,
        "window": window,
        "none": slips.none,
        "by_distance": by_distance,
    }


def _options(cell: Cell) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in cell.settings["options"]}


def _interval_object(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else {**asdict(interval), "method": METHOD}


def report_csv(analysis: SweepAnalysis, reach: float) -> str:
    """Return a header and one row per cell; missing and NaN values are empty, seeds separated by spaces.

    `slips_by_distance` lists the distances of slips with their numbers: `-1:12 1:3`.

    Args:
        analysis: result of `analyse`.
        reach: level of exact-match to which `epochs_to_reach`, a median over seeds, refers.
    """
    positions = max((len(cell.position_accuracy) for cell in analysis.cells), default=0)
    numbered = [f"position_{i}" for i in range(1, positions + 1)]
    header = [*CELL_SETTINGS, *_FIGURES, *numbered, "loss", "accuracy", *_EPOCHS_TO_REACH, *_SLIPS]
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cell_row(cell, reach) for cell in analysis.cells)
    return text.getvalue()


def _cell_row(cell: Cell, reach: float) -> dict[str, Any]:
    reached = cell.epochs_to_reach(reach)
    interval = cell.interval
    bounds = (
        {}
        if interval is None
        else {
            "interval_low": interval.low,
            "interval_high": interval.high,
            "interval_over": interval.over,
            "interval_n": interval.n,
            "interval_n_effective": interval.n_effective,
        }
    )
    positions = {f"position_{i}": share for i, share in enumerate(cell.position_accuracy, start=1)}
    return {
        **{name: clean_text(str(value)) for name, value in cell.settings.items()},
        "network": cell.settings["network"] or "",
        "options": clean_text(json.dumps(_options(cell))) if cell.settings["options"] else "",
        "deterministic": "" if cell.deterministic is None else str(cell.deterministic).lower(),
        "planned": "true" if cell.planned else "false",
        "seeds": _spaced(cell.seeds),
        "diverged": _spaced(cell.diverged),
        "evaluated_windows": cell.windows,
        "exact_match": cell.exact_match,
        **bounds,
        **positions,
        "loss": _finite(cell.loss),
        "accuracy": _finite(cell.accuracy),
        "reach": reach,
        "epochs_to_reach": reached.median,
        "reached": len(reached.epochs),
        "reached_of": reached.of,
        **_slips_columns(cell.slips),
    }


def _slips_columns(slips: PooledSlips | None) -> dict[str, Any]:
    found = _slips_object(slips) or {}
    by_distance = found.pop("by_distance", {})
    spaced = " ".join(f"{distance}:{number}" for distance, number in by_distance.items())
    return {**{f"slips_{name}": value for name, value in found.items()}, "slips_by_distance": spaced}


def _spaced(numbers: Iterable[int]) -> str:
    return " ".join(str(number) for number in numbers)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
