"""`report --watch`: drawn anew when something changed, on a screen of any size, printed whole at the end."""

import io
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from raysweep.analysis.aggregate import SweepAnalysis, analyse
from raysweep.errors import ResultsError
from raysweep.report import watch
from raysweep.report.sweep_report import report_view
from raysweep.report.watch import Frame, Watch
from raysweep.store.changes import mark
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from tests.command import RAYSWEEP, environment, raysweep
from tests.make_results import PROVENANCE
from tests.sweeps import drawn, failure_of, planned, synthetic_results, trials_of, write_sweep

CONTENT = planned({"arch": ["echo"], "len": [2, 3, 4], "mem": [4]}, defaults={"eval_sequences": 3})
RESULTS = [*synthetic_results(trials_of(CONTENT))]
LEAVE, ENTER = "\x1b[?1049l", "\x1b[?1049h"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of three trials, one is done."""
    return write_sweep(tmp_path / "sweep", CONTENT, RESULTS[:1])


def commit(ledger: Ledger, *numbers: int) -> None:
    with ledger.open_for_writing() as writer:
        for number in numbers:
            writer.commit(encode(RESULTS[number], PROVENANCE))


def watched(
    ledger: Ledger, steps: list[Callable[[], object]], read: Callable[[], SweepAnalysis] | None = None
) -> tuple[list[str], str]:
    """Do one step after another while the report is watched; return the frames drawn, and what stays."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, color_system=None)

    def wait(_: float) -> bool:
        if not steps:
            return True
        steps.pop(0)()
        return False

    Watch(read or (lambda: analyse(ledger)), lambda: mark(ledger.paths), report_view, wait, console).run()
    drawing, _, end = file.getvalue().rpartition(LEAVE)
    frames = drawing.split("\x1b[H")[1:]
    plain = [re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", frame) for frame in frames]
    return [frame for frame in plain if frame.strip()], end.lstrip("\x1b[?25h")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.0)
    monkeypatch.setattr(watch, "SHARE", 0)


def nothing() -> None:
    pass


def test_a_frame_is_drawn_only_when_something_has_changed(ledger: Ledger) -> None:
    frames, end = watched(ledger, [nothing, nothing, lambda: commit(ledger, 1), nothing, nothing])
    headings = [line for frame in frames for line in frame.splitlines() if "of 3 trials" in line]
    assert [heading.partition(" · seed")[0] for heading in headings] == [
        "lengths · 1 of 3 trials",
        "lengths · 2 of 3 trials",
    ]
    assert end == drawn(report_view(analyse(ledger)), 80)


def test_it_ends_by_itself_when_every_planned_trial_is_done(ledger: Ledger) -> None:
    left: list[Callable[[], object]] = [
        nothing,
        lambda: commit(ledger, 1, 2),
        nothing,
        nothing,
    ]
    _, end = watched(ledger, left)
    assert left == [nothing, nothing]
    assert end.startswith("lengths · 3 of 3 trials")


def test_a_complete_sweep_is_printed_once_and_nothing_is_drawn(tmp_path: Path) -> None:
    ledger = write_sweep(tmp_path / "sweep", CONTENT, RESULTS)
    frames, end = watched(ledger, [])
    assert frames == []
    assert end == drawn(report_view(analyse(ledger)), 80)


def test_a_failed_trial_may_be_trained_yet(tmp_path: Path) -> None:
    failed = [failure_of(RESULTS[2].settings)]
    ledger = write_sweep(tmp_path / "sweep", CONTENT, RESULTS[:2], failed)
    left: list[Callable[[], object]] = [nothing, nothing, lambda: commit(ledger, 2)]
    _, end = watched(ledger, left)
    assert left == []
    assert end.startswith("lengths · 3 of 3 trials")


def test_what_cannot_be_read_for_a_while_is_said_below_the_last_report(ledger: Ledger) -> None:
    damaged = [False]

    def read() -> SweepAnalysis:
        if damaged[0]:
            raise ResultsError("trials/x: the row does not match its checksum\nmore")
        return analyse(ledger)

    def damage() -> None:
        damaged[0] = True
        commit(ledger, 1)

    frames, end = watched(ledger, [damage, nothing, lambda: damaged.__setitem__(0, False), nothing], read)
    first, second, third = (frame.rstrip().splitlines() for frame in frames)
    assert re.fullmatch(
        r"as of [\d:]{8} · Ctrl-C ends · \d+ more lines, printed at the end", first[-1].strip()
    )
    assert second[0].strip().startswith("lengths · 1 of 3 trials")
    assert second[-1].strip().startswith("trials/x: the row does not match its checksum")
    assert third[0].strip().startswith("lengths · 2 of 3 trials")
    assert end.startswith("lengths · 2 of 3 trials")


@pytest.mark.parametrize("height", [1, 2, 10, 24, 200])
def test_a_frame_fills_the_screen_and_no_more(ledger: Ledger, height: int) -> None:
    report = report_view(analyse(ledger))
    whole = drawn(report).splitlines()
    console = Console(width=80, height=height, color_system=None, file=io.StringIO(), force_terminal=True)
    with console.capture() as capture:
        console.print(Frame(report, "as of 12:00:00"), end="")
    lines = capture.get().split("\n")
    assert len(lines) == height
    assert [line.rstrip() for line in lines[:-1]][: len(whole)] == [line.rstrip() for line in whole][
        : height - 1
    ]
    hidden = max(len(whole) - height + 1, 0)
    more = f" · {hidden} more lines, printed at the end" if hidden else ""
    assert lines[-1] == f"as of 12:00:00{more}"


def test_the_mark_changes_with_every_commit_and_failure_and_else_stays(ledger: Ledger) -> None:
    first = mark(ledger.paths)
    assert mark(ledger.paths) == first
    commit(ledger, 1)
    assert (second := mark(ledger.paths)) != first
    with ledger.open_for_writing() as writer:
        writer.record_failure(failure_of(RESULTS[2].settings))
    assert mark(ledger.paths) != second
    assert mark(Ledger(ledger.paths.folder / "nowhere").paths) == (None, None, None)


@contextmanager
def on_a_terminal(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """Run the command with a terminal; what it has written there so far can be asked for."""
    said = bytearray()
    leader, follower = pty.openpty()

    def read() -> None:
        while True:
            try:
                said.extend(os.read(leader, 4096))
            except OSError:
                return

    threading.Thread(target=read, daemon=True).start()
    command: list[str | Path] = [RAYSWEEP, "report", "sweep", "--watch"]
    env = environment(folder, TERM="xterm", LINES="20")
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=follower, stdout=follower, stderr=follower)
    try:
        yield process, lambda: said.decode(errors="replace")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(follower)


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.e2e
def test_the_command_follows_a_sweep_to_its_end(ledger: Ledger, tmp_path: Path) -> None:
    with on_a_terminal(tmp_path) as (command, said):
        wait_for(lambda: "1 of 3 trials" in said())
        assert ENTER in said()
        commit(ledger, 1)
        wait_for(lambda: "2 of 3 trials" in said())
        commit(ledger, 2)
        assert command.wait(timeout=60) == 0
        wait_for(lambda: "Shares are rounded down" in said().rpartition(LEAVE)[2])
    assert "3 of 3 trials" in said().rpartition(LEAVE)[2]
    assert said().rindex("\x1b[?25h") > said().rindex("\x1b[?25l")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_and_the_terminal_is_restored(
    ledger: Ledger, tmp_path: Path, signum: int, code: int
) -> None:
    with on_a_terminal(tmp_path) as (command, said):
        wait_for(lambda: "Ctrl-C ends" in said())
        command.send_signal(signum)
        assert command.wait(timeout=30) == code
        wait_for(lambda: LEAVE in said())
        if code == 0:  # Ctrl-C is how one ends a watch
            wait_for(lambda: "1 of 3 trials" in said().rpartition(LEAVE)[2])
    assert said().rindex("\x1b[?25h") > said().rindex("\x1b[?25l")


@pytest.mark.e2e
@pytest.mark.parametrize("option", [(), ("--json",), ("--csv",)])
def test_without_a_terminal_or_for_programs_there_is_nothing_to_renew(
    ledger: Ledger, tmp_path: Path, option: tuple[str, ...]
) -> None:
    done = raysweep("report", "sweep", "--watch", *option, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--watch" in done.stderr
