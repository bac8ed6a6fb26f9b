"""The display of a run under way: at fixed widths, from a fixed state, and without a reader."""

import io
import os
from dataclasses import replace

import pytest
from rich.console import Console

from raysweep.report.live import LiveDisplay, Muted, PlainDisplay, Screen
from raysweep.report.reflow import ReflowedRender
from raysweep.report.scoreboard import FinishedTrial, RunningTrial, Scoreboard, Snapshot, clock
from tests.sweeps import drawn

DONE = FinishedTrial("seq2seq len 2 mem 300", 0.998, 41.25)

RUN = Snapshot(
    name="lengths",
    done=1,
    total=6,
    failed=1,
    committed=1,
    elapsed_s=192.0,
    remaining_s=245.0,
    stopping=False,
    running=(
        RunningTrial("seq2seq len 4 mem 300", 5_000, 3_250, 2.114, 0.338),
        RunningTrial("seq2seq len 5 mem 300", 5_000),
    ),
    last=DONE,
    last_failure="seq2seq len 3 mem 300: worker lost (its process died); will be tried again",
)
"""Six trials after 192 s: one done, one failed, two running, of which one has just begun."""


def board(run: Snapshot = RUN) -> Scoreboard:
    return Scoreboard(lambda: run)


@pytest.mark.parametrize("width", [20, 30, 45, 55])
def test_no_number_of_a_running_trial_is_cut_off_on_a_narrow_terminal(width: int) -> None:
    lines = drawn(board(), width).splitlines()
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "1/6 · 1 failed · 03:12 elapsed, ~04:05 left" in text
    assert "seq2seq len 4 mem 300 · 3,250/5,000 · loss 2.11 acc 0.33" in text


def test_the_board_at_80_columns() -> None:
    lines = [line.rstrip() for line in drawn(board()).splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("lengths ━")
    assert lines[0].endswith(" 1/6 · 1 failed · 03:12 elapsed, ~04:05 left")
    assert lines[1].startswith("  seq2seq len 4 mem 300 ━")
    assert lines[1].endswith(" 3,250/5,000 loss 2.11 acc 0.33")
    assert lines[2].split() == ["seq2seq", "len", "5", "mem", "300", "starting"]
    assert lines[3] == "last: seq2seq len 2 mem 300   exact 0.99   41.2 s · 0.3 trials/min"
    assert lines[4].startswith("failed: seq2seq len 3 mem 300: worker lost (its ")
    assert len(lines) == 5


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
def test_no_line_of_the_board_is_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in drawn(board(), width).splitlines())


def test_more_running_trials_than_lines_are_counted() -> None:
    many = replace(RUN, running=[RunningTrial(f"echo len {n}", 500) for n in range(6)])
    file = io.StringIO()
    console = Console(file=file, width=80, height=8, color_system=None)
    console.print(board(many), height=8)
    assert "  and 3 more running\n" in file.getvalue()


def test_before_a_worker_is_up_and_after_a_signal() -> None:
    assert "03:12 elapsed, starting workers" in drawn(board(replace(RUN, remaining_s=None)))
    assert "1 failed · stopping" in drawn(board(replace(RUN, stopping=True)))


def test_plain_lines() -> None:
    file = io.StringIO()
    with PlainDisplay(lambda: RUN, Console(file=file, width=40)) as display:
        display.finished(replace(DONE, exact_match=None, seconds=1.0))
        display.tell("failed: seq2seq len 3: no", "red")
    assert file.getvalue() == (
        "lengths: 1 of 6 trials are done, 5 to train\n"
        "[1/6] seq2seq len 2 mem 300: diverged, 1.0 s\n"
        "failed: seq2seq len 3: no\n"
    )


def test_a_display_whose_reader_is_gone_falls_silent() -> None:
    read, write = os.pipe()
    os.close(read)
    with io.TextIOWrapper(os.fdopen(write, "wb", buffering=0), write_through=True) as file:
        with Muted(PlainDisplay(lambda: RUN, Screen(file=file))) as display:
            display.finished(DONE)
        with pytest.raises(BrokenPipeError):
            PlainDisplay(lambda: RUN, Screen(file=file)).tell("again")


def test_the_live_display_leaves_the_terminal_as_it_was() -> None:
    file = io.StringIO()
    with LiveDisplay(lambda: RUN, Console(file=file, width=80, height=24, force_terminal=True)) as display:
        display.tell("failed: a trial", "red")
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


def test_what_is_typed_is_echoed_below_the_board() -> None:
    """A `^C` after a full last line would begin a row of which nobody knows."""
    file = io.StringIO()
    console = Console(file=file, width=80, height=8, force_terminal=True)
    with LiveDisplay(lambda: RUN, console):
        assert file.getvalue().endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.6, "01:00"), (3599, "59:59"), (3600, "1:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
