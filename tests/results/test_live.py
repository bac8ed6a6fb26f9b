"""The display of a run under way: at fixed widths, without a clock of its own, and without a reader."""

import io
import os

import pytest
from rich.console import Console

from raysweep.cost import Pace
from raysweep.results.live import LiveDisplay, Muted, PlainDisplay, Screen
from raysweep.results.reflow import ReflowedRender
from raysweep.results.scoreboard import ETA_REFRESH_S, FinishedTrial, Scoreboard, clock
from raysweep.settings import TrialSettings
from tests.results.sweeps import drawn

TRIALS = [TrialSettings(arch="seq2seq", len=n_out, mem=300, seed=0) for n_out in range(2, 8)]


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Scoreboard:
    """Six trials after 192 s: one done, one failed, two running, of which one has just begun."""
    now = [1000.0]
    monkeypatch.setattr("raysweep.results.scoreboard.time.monotonic", lambda: now[0])
    planned = {trial.trial_id: trial for trial in TRIALS}
    board = Scoreboard("lengths", planned, dict(planned), Pace(()), slots=2, started=1000.0)
    done, failing, running, starting = list(planned)[:4]
    for trial_id in (done, failing, running, starting):
        board.start(trial_id)
    now[0] = 1192.0
    board.finish(done, FinishedTrial(planned[done], 0.998, 41.25))
    board.fail(failing, "worker lost (its \x1b[31mprocess\x1b[0m died)", again=True)
    board.progress(running, 3_250, 2.114, 0.338)
    return board


def test_the_board_at_80_columns(board: Scoreboard) -> None:
    lines = [line.rstrip() for line in drawn(board).splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("lengths ━")
    assert " 1/6 · 1 failed · 03:12 gone, ~" in lines[0]
    assert lines[0].endswith(" left")
    assert lines[1].startswith("  seq2seq len 4 mem 300 ━")
    assert lines[1].endswith(" 3,250/5,000 loss 2.11 acc 0.33")
    assert lines[2].split() == ["seq2seq", "len", "5", "mem", "300", "starting"]
    assert lines[3] == "last: seq2seq len 2 mem 300   exact 0.99   41.2 s · 0.3 trials/min"
    assert lines[4].startswith("failed: seq2seq len 3 mem 300: worker lost (its ")
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 5


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
def test_no_line_of_the_board_is_wider_than_the_terminal(board: Scoreboard, width: int) -> None:
    assert all(len(line) <= width for line in drawn(board, width).splitlines())


def test_more_running_trials_than_lines_are_counted(board: Scoreboard) -> None:
    for trial_id in board.planned:
        board.start(trial_id)
    file = io.StringIO()
    console = Console(file=file, width=80, height=8, color_system=None)
    console.print(board, height=8)
    assert "  and 3 more running\n" in file.getvalue()


def test_a_trial_on_its_way_to_the_disk_is_neither_running_nor_left() -> None:
    (only,) = TRIALS[:1]
    board = Scoreboard("lengths", {only.trial_id: only}, {only.trial_id: only}, Pace(()))
    assert "starting workers" in drawn(board)
    board.start(only.trial_id)
    assert board.eta() > 0
    board._eta = (-ETA_REFRESH_S, 0.0)
    board.trained(only.trial_id)
    assert board.eta() == 0
    assert "seq2seq" not in drawn(board)
    assert "0/1 · 00:00 gone, ~00:00 left" in drawn(board)


def test_what_is_left_weighs_its_cost(board: Scoreboard) -> None:
    pace = board.pace
    left = [pace.seconds(trial) for trial in board.to_do.values()]
    half_done = pace.seconds(TRIALS[2]) * 3_250 / 5_000
    assert board.eta() == pytest.approx((sum(left) - half_done) / 2)


def test_nothing_is_left_of_a_trial_that_is_given_up(board: Scoreboard) -> None:
    for trial_id in list(board.to_do):
        board.fail(trial_id, "no luck", again=False)
    assert board.eta() == 0.0


def test_only_settings_that_vary_are_named() -> None:
    trials = [TrialSettings(arch="echo", len=2, mem=4, seed=seed, epochs=9) for seed in (0, 1)]
    planned = {trial.trial_id: trial for trial in trials}
    assert Scoreboard("s", planned, {}, Pace(())).label(trials[1]) == "echo len 2 mem 4 seed 1"
    assert Scoreboard("s", {"x": trials[0]}, {}, Pace(())).label(trials[0]) == "echo len 2 mem 4"


def test_a_label_tells_the_n_in_that_the_grid_sets() -> None:
    trials = [TrialSettings(arch="seq2seq", len=2, mem=4, seed=0, n_in=n_in) for n_in in (2, 5)]
    board = Scoreboard("s", {t.trial_id: t for t in trials}, {}, Pace(()))
    assert [board.label(t) for t in trials] == ["seq2seq len 2 mem 4 n_in 2", "seq2seq len 2 mem 4 n_in 5"]


def test_plain_lines(board: Scoreboard) -> None:
    file = io.StringIO()
    with PlainDisplay(board, Console(file=file, width=40)) as display:
        display.finished(FinishedTrial(TRIALS[0], None, 1.0))
        display.failed("seq2seq len 3: no")
    assert file.getvalue() == (
        "lengths: 1 of 6 trials are done, 5 to train\n"
        "[1/6] seq2seq len 2 mem 300: diverged, 1.0 s\n"
        "failed: seq2seq len 3: no\n"
    )


def test_a_display_whose_reader_is_gone_falls_silent(board: Scoreboard) -> None:
    read, write = os.pipe()
    os.close(read)
    with io.TextIOWrapper(os.fdopen(write, "wb", buffering=0), write_through=True) as file:
        with Muted(PlainDisplay(board, Screen(file=file))) as display:
            display.finished(FinishedTrial(TRIALS[0], 1.0, 1.0))
        with pytest.raises(BrokenPipeError):
            PlainDisplay(board, Screen(file=file)).failed("again")


def test_the_live_display_leaves_the_terminal_as_it_was(board: Scoreboard) -> None:
    file = io.StringIO()
    with LiveDisplay(board, Console(file=file, width=80, height=24, force_terminal=True)) as display:
        display.failed("a trial")
    shown = file.getvalue()
    assert shown.count("\x1b[?25l") == 1  # the cursor is hidden,
    assert shown.rstrip().endswith("\x1b[2K")  # the board erased,
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # and the cursor shown again
    assert "failed: a trial" in shown


def test_a_narrower_terminal_is_gone_back_through_by_the_rows_it_wrapped() -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    render = ReflowedRender(console, "x" * 80 + "\nshort")
    console.print(render)
    up = "\x1b[1A\x1b[2K"
    assert str(render.position_cursor()) == "\r\x1b[2K" + 2 * up
    console.width = 30  # the first line takes three rows now
    assert str(render.position_cursor()) == "\r\x1b[2K" + 4 * up


def test_what_is_typed_is_echoed_below_the_board(board: Scoreboard) -> None:
    """A `^C` after a full last line would begin a row of which nobody knows."""
    file = io.StringIO()
    console = Console(file=file, width=80, height=8, force_terminal=True)
    with LiveDisplay(board, console):
        assert file.getvalue().endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.6, "01:00"), (3599, "59:59"), (3600, "1:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
