"""The report as people see it: goldens at fixed widths, and what must hold at every width."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from raysweep.analysis.aggregate import SweepAnalysis, analyse
from raysweep.analysis.facets import facets
from raysweep.errors import UsageError
from raysweep.report.sweep_report import report_view
from raysweep.trial.settings import TrialSettings
from tests.sweeps import (
    assert_golden,
    drawn,
    failure_of,
    planned,
    synthetic_results,
    trials_of,
    write_sweep,
)

FEW: Mapping[str, Any] = {"defaults": {"eval_sequences": 5}}


def learns(trial: TrialSettings) -> float:
    """A made-up law of accuracy per position: more memory and epochs help, length hurts."""
    difficulty = trial.len * (3 if trial.arch == "seq2seq" else 1) * 16 / trial.mem
    return max(0.05, min(1.0, 1.02 - difficulty / 40 * 5000 / (trial.epochs + 3000)))


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> SweepAnalysis:
    """The main job in small: one seed, everything done."""
    content = planned({"arch": ["echo", "seq2seq"], "len": [2, 3, 4, 8], "mem": [16, 50, 150, 300]}, **FEW)
    folder = tmp_path_factory.mktemp("one") / "s"
    return analyse(write_sweep(folder, content, synthetic_results(trials_of(content), learns)))


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> SweepAnalysis:
    """Grown to three seeds, in the middle of a run: some failed, diverged, missing, no longer asked for."""
    axes = {"arch": ["echo", "seq2seq"], "len": [2, 4, 8], "seed": [0, 1, 2]}
    earlier = planned({**axes, "mem": [8, 16, 300], "seed": [0, 1, 2, 3]}, **FEW)
    latest = planned({**axes, "mem": [16, 50, 300]}, **FEW)
    fate = {
        ("seq2seq", 2, 50, 0): "failed",
        ("seq2seq", 2, 50, 1): "diverged",
        ("seq2seq", 4, 50, 0): "failed",
        ("seq2seq", 4, 50, 1): "failed",
        ("seq2seq", 4, 50, 2): "failed",
        ("seq2seq", 4, 300, 1): "missing",
        ("seq2seq", 4, 300, 2): "missing",
        ("seq2seq", 8, 50, 0): "diverged",
        ("seq2seq", 8, 50, 1): "diverged",
        ("seq2seq", 8, 50, 2): "diverged",
        ("seq2seq", 8, 300, 0): "missing",
        ("seq2seq", 8, 300, 1): "missing",
        ("seq2seq", 8, 300, 2): "missing",
    }

    def of(trial: TrialSettings) -> str:
        return fate.get((trial.arch, trial.len, trial.mem, trial.seed), "done")

    known = {trial.trial_id: trial for trial in trials_of(latest)}
    former = [trial for trial in trials_of(earlier) if trial.mem == 8 and trial.arch == "echo"]
    extra = [trial for trial in trials_of(earlier) if trial.seed == 3 and trial.mem == 16 and trial.len == 2]
    came = [trial for trial in known.values() if of(trial) in ("done", "diverged")]
    failed = [failure_of(trial) for trial in known.values() if of(trial) == "failed"]
    results = synthetic_results([*came, *former, *extra], learns, lambda trial: of(trial) == "diverged")
    return analyse(write_sweep(tmp_path_factory.mktemp("eventful") / "s", latest, results, failed))


@pytest.fixture(scope="module")
def many_axes(tmp_path_factory: pytest.TempPathFactory) -> SweepAnalysis:
    """Epochs, learning rate and n_in vary, one LEN is long, and MEM has more values than fit a line."""
    content = planned(
        {"arch": ["seq2seq"], "len": [4, 6], "mem": [150], "epochs": [5000, 20000], "seed": [0, 1]},
        {"arch": ["seq2seq"], "len": [4, 60], "mem": [*range(100, 108)], "learning_rate": [0.01]},
        {"arch": ["seq2seq"], "len": [4, 6], "mem": [150], "n_in": [9]},
        {"arch": ["echo"], "len": [5], "mem": [20], "windows": [21], "batch_size": [7], "values": [100]},
        defaults={"eval_sequences": 2},
    )
    folder = tmp_path_factory.mktemp("axes") / "s"
    return analyse(write_sweep(folder, content, synthetic_results(trials_of(content), learns)))


@pytest.mark.parametrize("name", ["one_seed", "eventful", "many_axes"])
def test_golden_at_80_columns(name: str, request: pytest.FixtureRequest) -> None:
    assert_golden(f"report_{name}.txt", drawn(report_view(request.getfixturevalue(name))))


def test_golden_at_120_columns_with_another_mem(eventful: SweepAnalysis) -> None:
    assert_golden("report_eventful_120.txt", drawn(report_view(eventful, mem=16), width=120))


@pytest.mark.parametrize("name", ["one_seed", "eventful", "many_axes"])
@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_console(name: str, width: int, request: pytest.FixtureRequest) -> None:
    lines = drawn(report_view(request.getfixturevalue(name)), width).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [1, 2, 5, 8, 14])
def test_no_terminal_is_too_narrow_to_be_drawn_on(eventful: SweepAnalysis, width: int) -> None:
    assert drawn(report_view(eventful), width).strip()


@pytest.mark.parametrize("name", ["one_seed", "eventful", "many_axes"])
def test_colour_adds_nothing_that_the_text_lacks(name: str, request: pytest.FixtureRequest) -> None:
    view = report_view(request.getfixturevalue(name))
    console = Console(width=80, force_terminal=True, color_system="truecolor", file=io.StringIO())
    with console.capture() as capture:
        console.print(view)
    coloured = capture.get()
    assert "\x1b[38;2;0;0;0;48;2;253;231;37m" in coloured  # black on the bright end: exact-match 1
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == [
        line.rstrip() for line in drawn(view).splitlines()
    ]


def test_no_color_is_obeyed(one_seed: SweepAnalysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(width=80, force_terminal=True, color_system="truecolor", file=io.StringIO())
    with console.capture() as capture:
        console.print(report_view(one_seed))
    assert not re.search(r"\x1b\[[0-9;]*[34]8;", capture.get())


def test_an_unknown_mem_is_answered_with_those_there_are(one_seed: SweepAnalysis) -> None:
    with pytest.raises(UsageError, match=r"--mem 17: .* use one of 16, 50, 150, 300"):
        report_view(one_seed, mem=17)


def test_what_files_say_cannot_steer_the_terminal(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4]}) | {"name": "lengths"}
    (trial,) = trials_of(content)
    evil = "\x1b]0;owned\x07 \x9b31m [bold]loud[/bold] \u202egnirts\u2066 \x00\nsecond line"
    ledger = write_sweep(tmp_path / "s", content, [], [failure_of(trial, evil)])
    text = drawn(report_view(analyse(ledger)), width=200)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "[bold]loud[/bold]" in text
    assert "second line" not in text


def test_before_the_first_trial_is_done(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4]})
    (first, _) = trials_of(content)
    ledger = write_sweep(tmp_path / "s", content, [], [failure_of(first)])
    assert drawn(report_view(analyse(ledger))) == (
        "lengths · 0 of 2 trials · 50 sequences a trial\n"
        "1 failed, 1 missing\n"
        "\n"
        "echo · 500 epochs, 2,000 updates                                     exact-match\n"
        "  LEN │ MEM 4\n"
        "    2 │ failed\n"
        "    3 │ not run\n"
        "\n"
        "findings\n"
        "  echo: no results yet.\n"
        "\n"
        "failed\n"
        f"  {first.trial_id}  worker lost: killed by signal 9\n"
    )


def test_what_holds_for_every_cell_is_told_once_and_without_marks(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4, 8], "seed": [0, 1, 2]}, **FEW)
    came = [trial for trial in trials_of(content) if trial.seed == 1]
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, synthetic_results(came)))))
    assert "exact-match, one run, 95 % over its sequences" in text
    assert "  each cell: 1 seed × 5 sequences × 20 windows\n  every cell: 1 of 3 seeds (2 not run)\n" in text
    assert "¹" not in text


def test_a_cell_of_one_seed_among_others_says_what_its_interval_is_over(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3, 4, 5], "mem": [4], "seed": [0, 1]}, **FEW)
    came = [trial for trial in trials_of(content) if trial.len < 4 or trial.seed == 0]
    results = synthetic_results(came, lambda trial: 1.0 if trial.len == 5 else 0.5)
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, results))))
    assert "exact-match, mean over 2 seeds, 95 %\n" in text
    assert "  ¹ 1 of 2 seeds (1 not run); 95 % over its sequences\n" in text
    # All of 5 sequences right: 0.025 ** (1 / 5) = 0.478.
    assert re.search(r"^    4 │ 0\.\d\d \.\d\d–\S+ ¹\n    5 │ 1\.00 \.47–1 ¹$", text, re.MULTILINE)


def test_a_cell_of_several_seeds_among_single_ones_says_so_too(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3, 4], "mem": [4], "seed": [0, 1]}, **FEW)
    came = [trial for trial in trials_of(content) if trial.len == 2 or trial.seed == 0]
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, synthetic_results(came)))))
    assert "exact-match, one run, 95 % over its sequences\n" in text
    assert "  ¹ 2 seeds; 95 % over seeds\n  ² 1 of 2 seeds (1 not run)\n" in text


def test_one_run_of_one_sequence_has_no_interval(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4]}, defaults={"eval_sequences": 1})
    results = synthetic_results(trials_of(content), lambda _: 1.0)
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, results))))
    assert "exact-match, one run\n" in text
    assert "    2 │ 1.00\n" in text
    assert "95 %" not in text


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("sequences", [1, 4])
def test_the_legend_explains_the_intervals_that_are_shown(
    tmp_path: Path, sequences: int, several: bool
) -> None:
    axes = {"arch": ["echo"], "len": [2, 3], "mem": [4]}
    content = planned({**axes, "seed": [0, 1]}, defaults={"eval_sequences": sequences})
    came = [trial for trial in trials_of(content) if trial.seed == 0 or (several and trial.len == 2)]
    text = drawn(report_view(analyse(write_sweep(tmp_path / "s", content, synthetic_results(came)))))
    over_sequences = sequences > 1
    assert ("Ranges are 95 % intervals (Korn & Graubard)" in text) == (several or over_sequences)
    assert ("Over seeds: for other weights and other data.\n" in text) == several
    assert ("Over sequences: for this network and other sequences" in text) == over_sequences


def test_a_mem_without_results_says_so(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4, 8]}, **FEW)
    (first, _) = trials_of(content)
    analysis = analyse(write_sweep(tmp_path / "s", content, synthetic_results([first])))
    assert "position accuracy · MEM 4 (choose with --mem: 8)\n" in drawn(report_view(analysis))
    assert "MEM 8 (choose with --mem: 4)\n  no results with this MEM yet" in drawn(
        report_view(analysis, mem=8)
    )


def test_a_mem_of_former_results_can_be_chosen(eventful: SweepAnalysis) -> None:
    text = drawn(report_view(eventful, mem=8), width=100)
    table = text.index("position accuracy · MEM 8, no longer in the grid (choose with --mem: 16, 50, 300)\n")
    rows = text[table:].split("\n\n")[0].splitlines()[2:]
    assert [row[:13] for row in rows] == ["  echo    2 │", "  echo    4 │", "  echo    8 │"]


@pytest.mark.parametrize("committed", [0, 1])
def test_without_a_record_the_report_says_what_it_cannot_know(tmp_path: Path, committed: int) -> None:
    trials = trials_of(planned({"arch": ["echo"], "len": [2, 3], "mem": [4]}))
    results = synthetic_results(trials[:committed])
    ledger = write_sweep(tmp_path / "s", None, results, [failure_of(trials[1])])
    text = drawn(report_view(analyse(ledger)))
    assert f"s · {committed} of {committed + 1} trial" in text
    assert "sweep.json is missing or unreadable, so the planned trials are unknown" in text
    assert "no longer in the grid" not in text
    assert ("MEM 4" in text) == bool(committed)


def test_nothing_but_len_mem_and_seed_varies_within_a_panel(many_axes: SweepAnalysis) -> None:
    found = facets(many_axes.cells)
    assert sum(len(facet.cells) for facet in found) == len(many_axes.cells)
    for facet in found:
        others = [
            {name: value for name, value in one.settings.items() if name not in ("len", "mem", "n_in")}
            for one in facet.cells.values()
        ]
        assert all(settings == others[0] for settings in others)
    assert len({facet.title for facet in found}) == len(found)
