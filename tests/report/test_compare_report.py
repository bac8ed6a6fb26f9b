"""The comparison as people see it: goldens, narrow and coloured terminals, the command itself."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from raysweep.analysis.comparison import Comparison, compare
from raysweep.report.compare_report import compare_view
from raysweep.store.ledger import Ledger
from raysweep.trial.settings import TrialSettings
from tests.command import raysweep
from tests.sweeps import assert_golden, drawn, planned, synthetic_results, trials_of, write_sweep

FEW: Mapping[str, Any] = {"eval_sequences": 20}


def learns(trial: TrialSettings) -> float:
    """A made-up law: more memory and a larger step size help echo, and a larger step hurts seq2seq."""
    difficulty = trial.len * (3 if trial.arch == "seq2seq" else 1) * 4 / trial.mem
    better = trial.learning_rate > 0.001
    change = (0.15 if trial.arch == "echo" else -0.2) if better else 0
    return max(0.05, min(1.0, 1.02 - difficulty / 10 + change))


def named(name: str, *blocks: Mapping[str, Any], **sections: Mapping[str, Any]) -> dict[str, Any]:
    return planned(*blocks, **sections) | {"name": name}


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Another learning rate, other seeds in one cell, cells in one sweep only, diverged and missing ones."""
    folder = tmp_path_factory.mktemp("eventful")
    a = named(
        "lengths",
        {"arch": ["echo", "seq2seq"], "len": [2, 4, 8], "mem": [16, 300], "seed": [0, 1, 2]},
        defaults=FEW,
    )
    b = named(
        "lengths-lr3",
        {"arch": ["echo"], "len": [2, 4, 8], "mem": [16, 300], "seed": [0, 1, 2]},
        {"arch": ["seq2seq"], "len": [2, 4], "mem": [16], "seed": [0, 1, 2, 3]},
        {"arch": ["seq2seq"], "len": [4], "mem": [300], "seed": [7]},
        defaults={**FEW, "learning_rate": 0.003},
    )
    came = [one for one in trials_of(b) if (one.arch, one.len, one.mem) != ("echo", 8, 300)]

    def diverged(trial: TrialSettings) -> bool:
        return trial.arch == "echo" and trial.mem == 16 and (trial.len == 4 or trial.seed + trial.len == 10)

    return compare(
        write_sweep(folder / "a", a, synthetic_results(trials_of(a), learns)),
        write_sweep(folder / "b", b, synthetic_results(came, learns, diverged)),
    )


@pytest.fixture(scope="module")
def ambiguous(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two epochs in B for one in A, and architectures that have changed in different ways."""
    folder = tmp_path_factory.mktemp("ambiguous")
    a = named("before", {"arch": ["echo", "seq2seq"], "len": [2], "mem": [4], "seed": [0]}, defaults=FEW)
    b = named(
        "after",
        {"arch": ["echo"], "len": [2], "mem": [4], "epochs": [700]},
        {"arch": ["seq2seq"], "len": [2], "mem": [4], "epochs": [700, 900]},
        defaults=FEW,
    )
    ledgers = [
        write_sweep(folder / one["name"], one, synthetic_results(trials_of(one), learns)) for one in (a, b)
    ]
    return compare(ledgers[0], ledgers[1])


@pytest.fixture(scope="module")
def itself(eventful: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4, 8], "seed": [0]}, defaults=FEW)
    folder = tmp_path_factory.mktemp("itself") / "s"
    ledger = write_sweep(folder, content, synthetic_results(trials_of(content), learns))
    return compare(ledger, Ledger(folder))


ALL = ("eventful", "ambiguous", "itself")


@pytest.mark.parametrize("name", ALL)
def test_golden_at_80_columns(name: str, request: pytest.FixtureRequest) -> None:
    assert_golden(f"compare_{name}.txt", drawn(compare_view(request.getfixturevalue(name))))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_console(name: str, width: int, request: pytest.FixtureRequest) -> None:
    lines = drawn(compare_view(request.getfixturevalue(name)), width).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [1, 5, 14])
def test_no_terminal_is_too_narrow_to_be_drawn_on(eventful: Comparison, width: int) -> None:
    assert drawn(compare_view(eventful), width).strip()


def test_colour_adds_nothing_that_the_text_lacks(eventful: Comparison) -> None:
    console = Console(width=80, force_terminal=True, color_system="truecolor", file=io.StringIO())
    with console.capture() as capture:
        console.print(compare_view(eventful))
    coloured = capture.get()
    assert "48;2;86;180;233" in coloured  # sky blue: up
    assert "48;2;230;159;0" in coloured  # orange: down
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [one.rstrip() for one in plain.splitlines()] == [
        one.rstrip() for one in drawn(compare_view(eventful)).splitlines()
    ]


def test_every_mark_is_of_a_cell_whose_interval_excludes_zero(eventful: Comparison) -> None:
    text = drawn(compare_view(eventful))
    rows = [line for line in text.splitlines() if re.match(r" +\d+ │", line)]
    marks = [one.flagged for one in eventful.compared]
    assert "".join(rows).count("▲") == marks.count("up") > 0
    assert "".join(rows).count("▼") == marks.count("down") > 0


def test_what_files_say_cannot_steer_the_terminal(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4]}, defaults=FEW)
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    record = ledger.paths.record
    record.write_text(
        re.sub(r',\s*"seal": "[^"]*"', "", record.read_text()).replace('"lengths"', '"evil\\u001b[31m"', 1)
    )
    text = drawn(compare_view(compare(ledger, ledger)))
    assert "evil" in text
    assert "\x1b" not in text


@pytest.mark.e2e
def test_the_command(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4], "seed": [0, 1]}, defaults=FEW)
    write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    shown = raysweep("compare", "s", "s", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Bytes agree where settings do: 2 of 2 trials." in shown.stdout
    as_json = raysweep("compare", "s", "s", "--json", "--only", "len=2", cwd=tmp_path)
    assert json.loads(as_json.stdout)["bytes"]["agree"] == 2
    for arguments, message in (
        (("s", "nowhere"), "nowhere: no such results folder"),
        (("s", "s", "--only", "len=3"), "--only len=3: no cell has this value"),
    ):
        refused = raysweep("compare", *arguments, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith(message)
