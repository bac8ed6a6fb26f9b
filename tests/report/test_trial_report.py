"""One trial as people see it, whatever came of it, and how it is found."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from raysweep.errors import ResultsError, UsageError
from raysweep.report.trial_report import trial_view
from raysweep.store.ledger import Ledger
from raysweep.trial.result import Curve
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

TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 3, in step
    raise ValueError("no \x1b[2Jluck")
ValueError: no \x1b[2Jluck
"""
CONTENT = planned(
    {"arch": ["seq2seq"], "len": [4], "mem": [300], "seed": [0, 1, 2, 3]},
    {"arch": ["echo"], "len": [30], "mem": [16], "windows": [30], "batch_size": [10]},
    defaults={"eval_sequences": 5},
)


@pytest.fixture(scope="module")
def trials() -> Sequence[TrialSettings]:
    """Done, diverged, failed, not run; and a long one that is done."""
    return trials_of(CONTENT)


@pytest.fixture(scope="module")
def ledger(trials: Sequence[TrialSettings], tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    done, diverged, failed, _, long = trials
    results = synthetic_results([done, diverged, long], diverged=lambda trial: trial == diverged)
    failure = failure_of(failed, "no luck", kind="error", traceback=TRACEBACK, host="node\u202e-1")
    return write_sweep(tmp_path_factory.mktemp("show") / "s", CONTENT, results, [failure])


def show(tmp_path: Path, **changes: Any) -> str:
    """What is shown of a done trial some of whose figures are others."""
    (result,) = synthetic_results(trials_of(CONTENT)[:1])
    ledger = write_sweep(tmp_path / "s", CONTENT, [replace(result, **changes)])
    return drawn(trial_view(ledger, result.settings.trial_id))


@pytest.mark.parametrize(
    ("train_s", "text"), [(0.3, "< 1 s"), (9.96, "10 s"), (470.0, "7 min 50 s"), (7200.0, "2 h")]
)
def test_a_duration_is_told_as_a_plan_tells_it(tmp_path: Path, train_s: float, text: str) -> None:
    assert f"· done · {text} on node-1" in show(tmp_path, trace_s=0.0, train_s=train_s, eval_s=0.0)


def test_no_accuracy_is_rounded_up(tmp_path: Path) -> None:
    never = np.full(2, np.nan)
    curve = Curve(
        np.array([25, 5000], np.int32),
        np.array([4.6, 0.3]),
        np.array([0.019, 0.9]),
        never,
        np.full((2, 4), np.nan),
    )
    shown = show(tmp_path, curve=curve, loss=0.25, accuracy=0.996)
    assert "accuracy  0.01 ▁█ 0.99\n" in shown  # the last epoch's, not the last point's mean
    assert "loss      4.60 █▁ 0.25\n" in shown


def lines_of(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(("fate", "index"), [("done", 0), ("diverged", 1), ("failed", 2), ("not_run", 3)])
def test_golden_at_80_columns(ledger: Ledger, trials: Sequence[TrialSettings], fate: str, index: int) -> None:
    assert_golden(f"show_{fate}.txt", lines_of(drawn(trial_view(ledger, trials[index].trial_id))))


def test_every_wrong_position_stands_in_brackets(ledger: Ledger, trials: Sequence[TrialSettings]) -> None:
    text = drawn(trial_view(ledger, trials[0].trial_id))
    windows = re.findall(r"  expected  (.*)  predicted (.*)", text)
    assert len(windows) == 21
    wrong_windows = 0
    for expected, predicted in windows:
        inside = False
        wrong = []
        for token in re.findall(r"\[|\]|\d+", predicted):
            if token.isdigit():
                wrong.append(inside)
            else:
                inside = token == "["
        wanted, got = re.findall(r"\d+", expected), re.findall(r"\d+", predicted)
        assert [a != b for a, b in zip(wanted, got, strict=True)] == wrong
        wrong_windows += any(wrong)
    assert 0 < wrong_windows < 21
    assert f"exact {21 - wrong_windows} of 21" in text


def test_a_long_trial_has_its_numbers_on_two_lines(ledger: Ledger, trials: Sequence[TrialSettings]) -> None:
    narrow, wide = (drawn(trial_view(ledger, trials[4].trial_id), width) for width in (120, 240))
    assert re.search(r"^  expected .*\n  predicted ", narrow, re.MULTILINE)
    assert re.search(r"^  expected .* predicted ", wide, re.MULTILINE)
    assert max(map(cell_len, narrow.splitlines())) <= 120
    assert "and 5 more windows" in narrow


def test_nothing_that_a_failure_says_steers_the_terminal(
    ledger: Ledger, trials: Sequence[TrialSettings]
) -> None:
    text = drawn(trial_view(ledger, trials[2].trial_id))
    assert "ValueError: no \N{REPLACEMENT CHARACTER}[2Jluck" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize(("prefix", "index"), [("seq2seq-len4-mem300-seed1", 1), ("e", 4)])
def test_any_unique_beginning_finds_a_trial(
    ledger: Ledger, trials: Sequence[TrialSettings], prefix: str, index: int
) -> None:
    assert ledger.find_trial(prefix) == trials[index].trial_id


def test_a_whole_id_is_found_whatever_came_of_the_trial(
    ledger: Ledger, trials: Sequence[TrialSettings]
) -> None:
    assert [ledger.find_trial(trial.trial_id) for trial in trials] == [trial.trial_id for trial in trials]


def test_an_ambiguous_beginning_lists_its_trials(ledger: Ledger, trials: Sequence[TrialSettings]) -> None:
    with pytest.raises(UsageError) as caught:
        ledger.find_trial("seq2seq")
    first, *listed = str(caught.value).splitlines()
    assert first == "seq2seq: 4 trials match; give a longer prefix:"
    assert listed == [f"  {trial.trial_id}" for trial in trials[:4]]


def test_an_unknown_trial_is_answered_with_some_that_there_are(ledger: Ledger) -> None:
    with pytest.raises(
        UsageError, match=r"(?s)seq2seq-len5: no trial in .* matches; the closest are:\n  seq2seq-len4"
    ):
        ledger.find_trial("seq2seq-len5")


def test_no_sweep_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sweep has written here"):
        Ledger(tmp_path / "nothing").find_trial("echo")


@pytest.mark.parametrize("kind", ["predictions", "curves"])
def test_a_committed_trial_that_lacks_a_file_is_damaged(tmp_path: Path, kind: str) -> None:
    trials = trials_of(CONTENT)[:1]
    ledger = write_sweep(tmp_path / "s", CONTENT, synthetic_results(trials))
    (tmp_path / "s" / kind / f"{trials[0].trial_id}.parquet").unlink()
    with pytest.raises(ResultsError, match="raysweep verify"):
        trial_view(ledger, trials[0].trial_id)


def test_a_damaged_row_is_told(tmp_path: Path) -> None:
    trials = trials_of(CONTENT)[:1]
    ledger = write_sweep(tmp_path / "s", CONTENT, synthetic_results(trials))
    (row,) = (tmp_path / "s" / "trials").iterdir()
    row.write_bytes(row.read_bytes()[:-1])
    with pytest.raises(
        ResultsError, match=f"{trials[0].trial_id}: the row does not match its checksum; `raysweep"
    ):
        trial_view(ledger, trials[0].trial_id)


def test_trials_whose_ids_differ_in_the_checksum_only_are_told_apart(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4], "seed": [0], "epochs": [500, 1500]})
    longer = planned({"arch": ["echo"], "len": [2], "mem": [4], "seed": [0], "epochs": [1500]})
    ledger = write_sweep(tmp_path / "s", longer, synthetic_results(trials_of(content)))  # one is former
    with pytest.raises(UsageError) as caught:
        ledger.find_trial("echo")
    lines = str(caught.value).splitlines()[1:]
    told = {trial.trial_id: trial.epochs for trial in trials_of(content)}
    assert lines == [f"  {trial_id}  {told[trial_id]:,} epochs" for trial_id in sorted(told)]
