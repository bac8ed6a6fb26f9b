"""JSON and CSV: exactly what is promised, every number in full, no NaN."""

import csv
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from scipy.special import betaincinv

from raysweep.analysis.aggregate import CELL_SETTINGS, SweepAnalysis, analyse
from raysweep.analysis.export import report_csv, report_json
from raysweep.cli import read as cli
from raysweep.report.sweep_report import PLAN_UNKNOWN
from tests.sweeps import planned, result_with, synthetic_results, trials_of, write_sweep

BLOCK = {"arch": ["echo"], "mem": [4], "windows": [2], "batch_size": [2], "eval_sequences": [2]}
SETTINGS = {
    "arch": "echo",
    "mem": 4,
    "windows": 2,
    "batch_size": 2,
    "epochs": 500,
    "learning_rate": 0.001,
    "vocab": 100,
    "values": 99,
    "eval_sequences": 2,
    "curve_every": 25,
    "eval_every": 100,
    "network": None,
    "options": {},
}
WORTH = 15 * (3.182446305284 / 12.706204736175) ** 2
"""Sequences that the two seeds of LEN 2 are worth.

Shares 3/4 and 2/4 of two sequences each: p(1 - p)/v = 15, and the t are those of 0.975 with 3 and 1 degrees.
"""


@pytest.fixture
def analysis(tmp_path: Path) -> SweepAnalysis:
    """LEN 2 with two seeds, LEN 3 with one and a diverged one, LEN 4 diverged, LEN 5 not run."""
    content = planned({**BLOCK, "len": [2, 3], "seed": [0, 1]}, {**BLOCK, "len": [4, 5], "seed": [0]})
    len2_0, len2_1, len3_0, len3_1, len4_0, _ = trials_of(content)
    results = [
        result_with(len2_0, [(1, 1), (1, 1), (1, 1), (1, 0)], loss=1.5),
        result_with(len2_1, [(1, 1), (1, 1), (0, 1), (1, 0)], loss=2.0),
        result_with(len3_0, [(1, 1, 1), (1, 1, 0), (1, 1, 1), (1, 0, 1)]),
        *synthetic_results([len3_1, len4_0], diverged=lambda _: True),
    ]
    return analyse(write_sweep(tmp_path / "s", content, results))


def promised(interval: tuple[float, float], over: str, n: int, n_effective: float) -> dict[str, Any]:
    low, high = (pytest.approx(end, abs=1e-9) for end in interval)
    effective = pytest.approx(n_effective)
    return {
        "low": low,
        "high": high,
        "over": over,
        "n": n,
        "n_effective": effective,
        "method": "Korn-Graubard",
    }


def test_json_is_exactly_the_promised_object(analysis: SweepAnalysis) -> None:
    text = report_json(analysis, 0.75)
    right, wrong = WORTH * 5 / 8, WORTH * 3 / 8
    two = betaincinv(right, wrong + 1, 0.025), betaincinv(right + 1, wrong, 0.975)
    # One exact window of two in both sequences: as one of two by Clopper and Pearson, 1 - √0.975 and √0.975.
    three = 1 - 0.975**0.5, 0.975**0.5
    nothing = {"windows": 0, "exact_match": None, "interval": None, "loss": None, "accuracy": None}
    without: dict[str, Any] = {"position_accuracy": [], "evaluations": [], **nothing}
    assert json.loads(text) == {
        "sweep": "lengths",
        "trials": {"done": 3, "diverged": 2, "failed": 0, "missing": 1},
        "cells": [
            {
                "settings": {**SETTINGS, "len": 2, "n_in": 2},
                "deterministic": True,
                "planned": True,
                "seeds": [0, 1],
                "diverged": [],
                "windows": 8,
                "exact_match": 5 / 8,
                "interval": promised(two, "seeds", 2, WORTH),
                "position_accuracy": [7 / 8, 6 / 8],
                "loss": 1.75,
                "accuracy": 0.5,
                "evaluations": [
                    {
                        "epoch": 500,
                        "exact_match": 5 / 8,
                        "interval": promised(two, "seeds", 2, WORTH),
                        "position_accuracy": [7 / 8, 6 / 8],
                    }
                ],
                "epochs_to_reach": {"reach": 0.75, "median": None, "reached": 1, "of": 2},
                "slips": {"wrong": 3, "answer": 1, "window": 0, "none": 2, "by_distance": {"1": 1}},
            },
            {
                "settings": {**SETTINGS, "len": 3, "n_in": 3},
                "deterministic": True,
                "planned": True,
                "seeds": [0],
                "diverged": [1],
                "windows": 4,
                "exact_match": 0.5,
                "interval": promised(three, "sequences", 2, 2),
                "position_accuracy": [1.0, 0.75, 0.75],
                "loss": 1.0,
                "accuracy": 0.5,
                "evaluations": [
                    {
                        "epoch": 500,
                        "exact_match": 0.5,
                        "interval": promised(three, "sequences", 2, 2),
                        "position_accuracy": [1.0, 0.75, 0.75],
                    }
                ],
                "epochs_to_reach": {"reach": 0.75, "median": None, "reached": 0, "of": 2},
                "slips": {"wrong": 2, "answer": 1, "window": 0, "none": 1, "by_distance": {"1": 1}},
            },
            {
                "settings": {**SETTINGS, "len": 4, "n_in": 4},
                "deterministic": None,
                "planned": True,
                "seeds": [],
                "diverged": [0],
                **without,
                "epochs_to_reach": {"reach": 0.75, "median": None, "reached": 0, "of": 1},
                "slips": None,
            },
            {
                "settings": {**SETTINGS, "len": 5, "n_in": 5},
                "deterministic": None,
                "planned": True,
                "seeds": [],
                "diverged": [],
                **without,
                "epochs_to_reach": {"reach": 0.75, "median": None, "reached": 0, "of": 0},
                "slips": None,
            },
        ],
    }
    assert text.endswith("}\n")


def test_whole_medians_are_whole_numbers(analysis: SweepAnalysis) -> None:
    text = report_json(analysis, 0.5)
    assert '"median": 500,' in text
    assert '"median": 500.0' not in text


def test_json_keeps_the_promised_order_and_no_nan(analysis: SweepAnalysis) -> None:
    text = report_json(analysis, 0.99)
    cell = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))["cells"][0]
    assert list(cell["settings"]) == list(CELL_SETTINGS)
    assert " ".join(cell) == (
        "settings deterministic planned seeds diverged windows exact_match interval position_accuracy "
        "loss accuracy evaluations epochs_to_reach slips"
    )
    assert " ".join(cell["interval"]) == "low high over n n_effective method"
    assert " ".join(cell["evaluations"][0]) == "epoch exact_match interval position_accuracy"
    assert " ".join(cell["epochs_to_reach"]) == "reach median reached of"
    assert " ".join(cell["slips"]) == "wrong answer window none by_distance"


def test_csv_has_one_row_per_cell(analysis: SweepAnalysis) -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(analysis, 0.5))))
    figures = "deterministic planned seeds diverged evaluated_windows exact_match "
    figures += "interval_low interval_high interval_over interval_n interval_n_effective"
    positions = "position_1 position_2 position_3"
    mastery = "reach epochs_to_reach reached reached_of"
    slips = "slips_wrong slips_answer slips_window slips_none slips_by_distance"
    assert list(rows[0]) == [
        *CELL_SETTINGS,
        *figures.split(),
        *positions.split(),
        "loss",
        "accuracy",
        *mastery.split(),
        *slips.split(),
    ]
    assert [row["len"] for row in rows] == ["2", "3", "4", "5"]
    two, three, four, five = rows
    assert (two["seeds"], two["planned"], two["windows"], two["evaluated_windows"]) == (
        "0 1",
        "true",
        "2",
        "8",
    )
    assert (two["exact_match"], two["position_1"], two["position_3"]) == ("0.625", "0.875", "")
    assert (two["interval_over"], two["interval_n"]) == ("seeds", "2")
    assert float(two["interval_n_effective"]) == pytest.approx(WORTH)
    assert (three["diverged"], three["interval_over"], three["position_3"]) == ("1", "sequences", "0.75")
    assert (three["interval_n"], three["interval_n_effective"]) == ("2", "2")
    assert (four["seeds"], four["diverged"], four["loss"], four["interval_low"]) == ("", "0", "", "")
    assert (five["exact_match"], five["evaluated_windows"]) == ("", "0")
    assert [[row[name] for name in mastery.split()] for row in rows] == [
        ["0.5", "500", "2", "2"],
        ["0.5", "", "1", "2"],  # the other seed diverged
        ["0.5", "", "0", "1"],
        ["0.5", "", "0", "0"],
    ]
    assert [[row[name] for name in slips.split()] for row in rows] == [
        ["3", "1", "0", "2", "1:1"],
        ["2", "1", "0", "1", "1:1"],
        ["", "", "", "", ""],
        ["", "", "", "", ""],
    ]


def test_csv_and_json_carry_the_same_numbers_in_full(tmp_path: Path) -> None:
    content = planned({**BLOCK, "len": [3], "seed": [0, 1, 2], "learning_rate": [0.0012345678901]})
    analysis = analyse(write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content))))
    cell = json.loads(report_json(analysis, 0.5))["cells"][0]
    (row,) = csv.DictReader(io.StringIO(report_csv(analysis, 0.5)))
    assert float(row["exact_match"]) == cell["exact_match"] == analysis.cells[0].exact_match
    for name in ("low", "high", "n", "n_effective"):
        assert float(row[f"interval_{name}"]) == cell["interval"][name]
    assert row["interval_over"] == cell["interval"]["over"]
    reach = cell["epochs_to_reach"]
    assert float(row["epochs_to_reach"]) == reach["median"]
    assert [row["reach"], row["reached"], row["reached_of"]] == [
        str(reach[name]) for name in ("reach", "reached", "of")
    ]
    assert [float(row[f"position_{i}"]) for i in (1, 2, 3)] == cell["position_accuracy"]
    assert float(row["learning_rate"]) == cell["settings"]["learning_rate"] == 0.0012345678901
    assert float(row["loss"]) == cell["loss"]


@pytest.mark.parametrize("form", ["as_json", "as_csv"])
@pytest.mark.parametrize("record", [None, b"torn"])
def test_without_a_record_stderr_says_what_the_numbers_cannot(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    record: bytes | None,
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the command's own; pytest keeps its handlers
    content = planned({**BLOCK, "len": [2, 3]})
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)[:1]))
    known = analyse(ledger)
    cli.report(tmp_path / "s", **{form: True})  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""
    ledger.paths.record.unlink()
    if record is not None:
        ledger.paths.record.write_bytes(record)
    unknown = analyse(ledger)
    cli.report(tmp_path / "s", **{form: True})  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert printed.err == f"{PLAN_UNKNOWN}\n"
    assert printed.out == (report_json if form == "as_json" else report_csv)(unknown, 0.99)
    assert known.plan_known
    assert not unknown.plan_known
