"""The map of epochs to a level of exact-match, and `--reach`."""

import csv
import io
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, Group
from typer.testing import CliRunner

from raysweep.analysis.aggregate import Cell, analyse
from raysweep.cli import app
from raysweep.report.epochs_map import epochs_facets, epochs_maps
from raysweep.report.sweep_report import report_view
from tests.analysis.learning import cell_of_seeds
from tests.sweeps import assert_golden, drawn, planned, synthetic_results, trials_of, write_sweep

UP = (0, 50, 99, 99)
LATE = (0, 0, 0, 99)
SHORT = (0, 0, 98, 98)
REMARK = "Epochs: until two held-out evaluations in a row, or the last, have the level.\n"


def maps(cells: Sequence[Cell], reach: float = 0.99) -> Group:
    return Group(*epochs_maps(epochs_facets(cells), reach))


def shown(*exact: Sequence[int], diverged: int = 0, missing: int = 0, reach: float = 0.99) -> list[str]:
    """What a map of one cell says: the cell, then its notes."""
    cell = cell_of_seeds(*exact, diverged=diverged, missing=missing, len=2)
    lines = drawn(maps([cell], reach), 200).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    2 │"))
    return [lines[first].removeprefix("    2 │").strip(), *map(str.strip, lines[first + 1 :])]


def test_golden_at_80_columns() -> None:
    cells = [
        cell_of_seeds(UP, UP, LATE, len=2, mem=16),
        cell_of_seeds(UP, LATE, SHORT, len=2, mem=50),
        cell_of_seeds(SHORT, SHORT, diverged=1, len=2, mem=150),
        cell_of_seeds(UP, SHORT, SHORT, len=3, mem=16),
        cell_of_seeds(SHORT, SHORT, SHORT, len=3, mem=50),
        cell_of_seeds(LATE, diverged=2, len=3, mem=150),
        cell_of_seeds(UP, LATE, missing=1, len=4, mem=16),
        cell_of_seeds(missing=3, len=4, mem=50),
        cell_of_seeds(diverged=3, len=4, mem=150),
        *(
            cell_of_seeds([0] * 141 + [99, 99], [0] * 142 + [99], arch="echo", len=n_out, mem=16)
            for n_out in (2, 3)
        ),
    ]
    assert_golden("epochs_map.txt", drawn(maps(cells)))


@pytest.mark.parametrize(
    ("exact", "text"),
    [
        ([UP], "300"),
        ([LATE], "400"),
        ([SHORT], "> 400"),
        ([UP, LATE], "350"),
        ([[0] * 20 + [99, 99], [0] * 21 + [99]], "2,150"),
        ([UP, UP, UP, LATE], "300"),
        ([SHORT, SHORT, SHORT], "> 400"),
    ],
)
def test_the_median_without_a_note_if_all_or_no_seeds_reached_it(
    exact: Sequence[Sequence[int]], text: str
) -> None:
    assert shown(*exact) == [text]


def test_a_median_between_whole_numbers() -> None:
    cell = cell_of_seeds([0] * 11 + [99], [0] * 10 + [99, 99], len=2, epochs=1125)
    assert "    2 │ 1,112.5\n" in drawn(maps([cell]))


@pytest.mark.parametrize(
    ("exact", "diverged", "lines"),
    [
        ([UP, LATE, SHORT], 0, ["400 ¹", "¹ 2 of 3 seeds reached it, after 300, 400"]),
        ([LATE, SHORT, SHORT], 0, ["> 400 ¹", "¹ 1 of 3 seeds reached it, after 400"]),
        ([UP, SHORT], 0, ["> 350 ¹", "¹ 1 of 2 seeds reached it, after 300"]),
        ([UP, LATE, SHORT, SHORT], 0, ["> 400 ¹", "¹ 2 of 4 seeds reached it, after 300, 400"]),
        ([UP, LATE], 1, ["400 ¹", "¹ 2 of 3 seeds reached it, after 300, 400; 1 diverged"]),
        ([UP], 2, ["never ¹", "¹ 1 of 3 seeds reached it, after 300; 2 diverged"]),
        ([UP, SHORT], 1, ["> 400 ¹", "¹ 1 of 3 seeds reached it, after 300; 1 diverged"]),
        ([UP, UP, SHORT], 1, ["> 350 ¹", "¹ 2 of 4 seeds reached it, after 300, 300; 1 diverged"]),
        ([SHORT, SHORT], 1, ["> 400 ¹", "¹ 0 of 3 seeds reached it; 1 diverged"]),
        ([SHORT], 1, ["never ¹", "¹ 0 of 2 seeds reached it; 1 diverged"]),
        ([SHORT], 2, ["never ¹", "¹ 0 of 3 seeds reached it; 2 diverged"]),
    ],
)
def test_a_note_if_some_seeds_reached_it_or_diverged(
    exact: Sequence[Sequence[int]], diverged: int, lines: list[str]
) -> None:
    assert shown(*exact, diverged=diverged) == lines


def test_the_level_is_the_one_asked_for() -> None:
    assert shown(UP, reach=0.5) == ["200"]
    assert shown(SHORT, reach=0.98) == ["300"]
    assert shown(UP, reach=1.0) == ["> 400"]
    for reach, level in ((0.5, "0.5"), (0.9999999, "0.9999999"), (1.0, "1")):
        text = drawn(maps([cell_of_seeds(UP, len=2)], reach), 200)
        assert text.startswith(f"seq2seq · epochs until exact-match {level}  ")


@pytest.mark.parametrize(
    ("cells", "caption", "rows"),
    [
        ([[UP], [LATE]], "one run, looked at every 100", ["300", "400"]),
        ([[UP, UP, UP], [LATE] * 3], "median of 3 seeds, looked at every 100", ["300", "400"]),
        (
            [[UP, UP], [UP] * 3, [LATE] * 3, [SHORT]],
            "median of 3 seeds, looked at every 100",
            ["300 ¹", "300", "400", "> 400 ²", "¹ 2 seeds", "² 1 seed"],
        ),
        (
            [[UP], [UP, UP, LATE], [LATE]],
            "one run, looked at every 100",
            ["300", "300 ¹", "400", "¹ 3 seeds"],
        ),
    ],
)
def test_the_caption_has_the_usual_number_of_seeds_and_the_notes_the_others(
    cells: Sequence[Sequence[Sequence[int]]], caption: str, rows: list[str]
) -> None:
    text = drawn(maps([cell_of_seeds(*exact, len=n_out) for n_out, exact in enumerate(cells, start=2)]))
    first, _, *rest = text.splitlines()
    assert first.endswith(f"  {caption}")
    assert [re.sub(r"^ +\d │", "", line).strip() for line in rest] == rows


def test_the_usual_number_of_seeds_includes_those_that_diverged() -> None:
    cells = [cell_of_seeds(UP, UP, len=2, diverged=1), cell_of_seeds(UP, UP, UP, len=3)]
    cells.append(cell_of_seeds(len=4, missing=3))
    text = drawn(maps(cells))
    assert "median of 3 seeds" in text
    assert "    2 │ 300 ¹\n    3 │ 300\n    4 │ not run\n  ¹ 2 of 3 seeds reached it" in text


def test_equal_notes_share_a_mark() -> None:
    cells = [cell_of_seeds(UP, SHORT, SHORT, len=n_out) for n_out in (2, 3)]
    text = drawn(maps([*cells, cell_of_seeds(LATE, SHORT, SHORT, len=4)]))
    assert [line[7:].strip() for line in text.splitlines() if "│" in line][1:] == [
        "> 400 ¹",
        "> 400 ¹",
        "> 400 ²",
    ]
    assert text.count("1 of 3 seeds reached it") == 2


def test_marks_are_numbered_as_they_are_read() -> None:
    cells = [
        cell_of_seeds((*UP, 99), (*SHORT, 98), (*SHORT, 98), len=2),
        cell_of_seeds(LATE, SHORT, SHORT, len=3),
    ]
    assert "    2 │ > 500 ¹\n    3 │ > 400 ²\n  ¹ 1 of 3 seeds reached it, after 300\n" in drawn(maps(cells))
    backwards = [
        cell_of_seeds([0] * i + [99] * (4 - i), SHORT, SHORT, len=3 - i // 2, mem=8 - i % 2) for i in range(4)
    ]
    assert drawn(maps(backwards)).splitlines()[2:] == [
        "    2 │ > 400 ¹  > 400 ²",
        "    3 │ > 400 ³  > 400 ⁴",
        *(f"  {mark} 1 of 3 seeds reached it, after {n}00" for mark, n in zip("¹²³⁴", "4321", strict=True)),
    ]


def test_fewer_epochs_are_brighter() -> None:
    cells = [
        cell_of_seeds(exact, len=2, mem=mem)
        for mem, exact in ((1, (99, 99, 99, 99)), (2, UP), (3, LATE), (4, SHORT))
    ]
    console = Console(width=80, force_terminal=True, color_system="truecolor", file=io.StringIO())
    with console.capture() as capture:
        console.print(maps(cells))
    backgrounds = re.findall(r"48;2;(\d+);(\d+);(\d+)m", capture.get())
    light = [sum(map(int, colour)) for colour in backgrounds]
    assert light[0] > light[1] > light[2] == light[3]


LEARNS: dict[str, Any] = {"arch": ["seq2seq"], "len": [2], "mem": [4], "windows": [200], "batch_size": [200]}


def text_of(folder: Path, *blocks: dict[str, Any]) -> str:
    content = planned(*blocks, defaults={"eval_sequences": 2})
    results = synthetic_results(trials_of(content), lambda _: 1.0)
    return drawn(report_view(analyse(write_sweep(folder / "s", content, results))), 120)


@pytest.mark.parametrize(
    "settings", [{"eval_every": [0]}, {"epochs": [250]}, {"epochs": [100], "eval_every": [250]}]
)
def test_without_evaluations_during_training_there_is_no_map(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    text = text_of(tmp_path, {**LEARNS, **settings})
    assert "seq2seq reaches exact-match 0.99" in text
    assert "epochs until" not in text
    assert "first holds" not in text
    assert REMARK not in text


def test_without_a_cell_that_reaches_the_level_no_finding_is_on_epochs(tmp_path: Path) -> None:
    content = planned(LEARNS, defaults={"eval_sequences": 2})
    results = synthetic_results(trials_of(content), lambda _: 0.5)
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, results))))
    assert "    2 │ > 5,000\n" in text
    (sentence,) = re.findall(r"^findings\n(.*)\n\n", text, re.MULTILINE)
    assert sentence == "  seq2seq does not reach exact-match 0.99 in one run at LEN 2 in 5,000 epochs."
    assert REMARK in text


def test_only_facets_with_evaluations_during_training_have_a_map(tmp_path: Path) -> None:
    text = text_of(tmp_path, {**LEARNS, "arch": ["echo"], "eval_every": [0]}, LEARNS)
    assert "seq2seq · epochs until" in text
    assert "echo · epochs until" not in text
    assert text.count(" first holds ") == 1
    assert "  seq2seq first holds exact-match 0.99 after 5,000 epochs at LEN 2 with MEM 4 (in" in text
    assert text.count(REMARK) == 1


def test_an_axis_of_epochs_has_one_map_of_the_longest_training(tmp_path: Path) -> None:
    text = text_of(tmp_path, {**LEARNS, "epochs": [500, 750, 2000]})
    assert len(re.findall(r"^seq2seq · [\d,]+ epochs", text, re.MULTILINE)) == 3
    assert text.count("epochs until") == 1
    assert "    2 │ 2,000\n" in text


def test_a_longer_training_that_is_not_done_gives_way(tmp_path: Path) -> None:
    content = planned({**LEARNS, "len": [2, 3], "epochs": [500, 2000]}, defaults={"eval_sequences": 2})
    done = [trial for trial in trials_of(content) if trial.epochs == 500 or trial.len == 3]
    results = synthetic_results(done, lambda _: 1.0)
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, results))), 120)
    (table,) = re.findall(r"epochs until.*?\n\n", text, re.DOTALL)
    assert "    2 │ 500\n    3 │ 2,000\n" in table


def test_reach_is_the_level_of_every_form_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the command's own; pytest keeps its handlers
    monkeypatch.setenv("COLUMNS", "120")
    text_of(tmp_path, {**LEARNS, "epochs": [1000], "seed": [0, 1, 2]})

    def report(*options: str) -> str:
        done = CliRunner().invoke(app, ["report", str(tmp_path / "s"), *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    usual, lower = report(), report("--reach", "0.4")
    assert "epochs until exact-match 0.99" in usual
    assert "epochs until exact-match 0.4" in lower
    assert "seq2seq reaches exact-match 0.4" in lower
    assert "seq2seq first holds exact-match 0.4 after 750 epochs" in lower
    assert "0.99" not in lower.replace("0.99 means at least 0.99", "")
    (cell,) = json.loads(report("--reach", "0.4", "--json"))["cells"]
    (row,) = csv.DictReader(io.StringIO(report("--reach", "0.4", "--csv")))
    found = cell["epochs_to_reach"]
    assert (found["reach"], found["reached"], found["of"]) == (0.4, 3, 3)
    assert found["median"] == 750 == float(row["epochs_to_reach"])  # 0.75² > 0.4 > 0.5²
    assert row["reach"] == "0.4"
    assert json.loads(report("--json"))["cells"][0]["epochs_to_reach"]["reach"] == 0.99


@pytest.mark.parametrize("reach", ["1.01", "-0.1", "nan", "much"])
def test_a_level_outside_of_0_to_1_is_a_usage_error(tmp_path: Path, reach: str) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--reach", reach])
    assert done.exit_code == 2
    assert "--reach" in done.output
