"""Signals and closed pipes: what came back is kept, the exit code tells, nothing is left running."""

import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.command import RAYSWEEP, full_pipe
from tests.faults.sandbox import Sandbox, kill, wait_for
from tests.faults.undisturbed import check_nothing_left, check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

SLOW = {"what": "slow", "seconds": 2, "times": -1, "epoch": 0}
"""Makes each trial long enough to be hit in the middle."""

GONE_S = 10.0

Send: TypeAlias = Callable[[Sandbox, int, int], None]


def to_the_command(_: Sandbox, command: int, signum: int) -> None:
    """As `kill` does."""
    os.kill(command, signum)


def to_the_group(_: Sandbox, command: int, signum: int) -> None:
    """As a terminal does on Ctrl-C, or when it is closed."""
    os.killpg(command, signum)


def to_everybody(sandbox: Sandbox, _: int, signum: int) -> None:
    """As Slurm and systemd do: Ray's processes get it too."""
    for process in sandbox.processes():
        kill(process, signum)


def some_are_done(sandbox: Sandbox) -> bool:
    return len(sandbox.ledger.committed()) >= 2


def check_words(sandbox: Sandbox, said: str) -> None:
    done = len(sandbox.ledger.committed())
    assert said.count("Interrupted: ") == 1
    assert f"Interrupted: {done} of 6 trials are done and safe in results/small." in said
    assert f"Continue with: raysweep run {sandbox.grid}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("signals", "exit_code"),
    [
        pytest.param([signal.SIGINT], 130, marks=pytest.mark.slow),
        pytest.param([signal.SIGTERM], 143, marks=pytest.mark.slow),
        pytest.param([signal.SIGHUP], 129, marks=pytest.mark.slow),
        pytest.param([signal.SIGUSR1], 143, marks=pytest.mark.slow),
        pytest.param([signal.SIGUSR2, signal.SIGTERM], 143, marks=pytest.mark.slow),
        pytest.param([signal.SIGINT, signal.SIGINT], 130, marks=pytest.mark.slow),
        pytest.param([signal.SIGTERM, signal.SIGTERM], 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_run_in_order(sandbox: Sandbox, signals: list[int], exit_code: int) -> None:
    with sandbox.running(faults=[SLOW]) as command:
        wait_for(lambda: some_are_done(sandbox))
        began = time.monotonic()
        for signum in signals:
            command.send_signal(signum)
            time.sleep(0.2)
        out, err = command.communicate(timeout=60)
        assert time.monotonic() - began < GONE_S + 5  # the machine may be busy; the promise is 10 s
    assert command.returncode == exit_code, out + err + sandbox.log
    check_words(sandbox, err)
    check_nothing_left(sandbox)
    last = json.loads((sandbox.results / "sweep.json").read_text())["runs"][-1]
    assert last["exit_code"] == exit_code
    if len(signals) == 1:
        assert not (sandbox.results / ".lock").exists()
    assert list((sandbox.results / "failures").iterdir()) == []  # nobody failed
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_two_different_signals_end_it_with_the_code_of_one(sandbox: Sandbox) -> None:
    with sandbox.running(faults=[SLOW]) as command:
        wait_for(lambda: some_are_done(sandbox))
        command.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 143
    check_words(sandbox, err)
    check_undisturbed(sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5, 6.0])
@pytest.mark.parametrize(
    ("send", "signum", "exit_code"),
    [
        (to_the_command, signal.SIGINT, 130),
        (to_the_command, signal.SIGTERM, 143),
        (to_the_group, signal.SIGINT, 130),
        (to_the_group, signal.SIGTERM, 143),
        (to_everybody, signal.SIGINT, 130),
        (to_everybody, signal.SIGTERM, 143),
        (to_the_command, signal.SIGUSR1, 143),
        (to_everybody, signal.SIGUSR2, 143),
    ],
)
def test_a_signal_before_anything_is_trained(
    sandbox: Sandbox, send: Send, seconds: float, signum: int, exit_code: int
) -> None:
    with sandbox.running(popen={"start_new_session": True}) as command:
        wait_for(lambda: (sandbox.results / ".lock").exists())
        time.sleep(seconds)
        send(sandbox, command.pid, signum)
        out, err = command.communicate(timeout=60)
    assert command.returncode == exit_code, out + err
    assert err.count("Interrupted: ") == 1
    assert "Continue with: raysweep run" in err
    assert "Traceback" not in err
    check_nothing_left(sandbox)


@pytest.mark.parametrize(
    ("send", "signum", "exit_code"),
    [
        (to_the_group, signal.SIGINT, 130),
        pytest.param(to_the_group, signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(to_the_group, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(to_everybody, signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(to_everybody, signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_to_many_processes(sandbox: Sandbox, send: Send, signum: int, exit_code: int) -> None:
    with sandbox.running(faults=[SLOW], popen={"start_new_session": True}) as command:
        wait_for(lambda: some_are_done(sandbox))
        send(sandbox, command.pid, signum)
        out, err = command.communicate(timeout=60)
    assert command.returncode == exit_code, out + err + sandbox.log
    check_words(sandbox, err)
    assert "failed" not in out
    assert list((sandbox.results / "failures").iterdir()) == []
    check_undisturbed(sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "both"])
def test_a_closed_pipe_silences_the_run_and_no_more(sandbox: Sandbox, closed: str) -> None:
    read, write = os.pipe()
    both = {"stdout": write, "stderr": write if closed == "both" else subprocess.PIPE}
    with sandbox.running(faults=[SLOW], popen=both) as command:
        os.close(write)
        os.read(read, 1)
        os.close(read)
        _, err = command.communicate(timeout=240)
    assert command.returncode == 0, sandbox.log
    assert closed == "both" or err == ""
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_the_terminal_is_restored_by_the_second_ctrl_c(sandbox: Sandbox) -> None:
    said = b""
    leader, follower = pty.openpty()

    def read() -> None:
        nonlocal said
        while True:
            try:
                said += os.read(leader, 4096)
            except OSError:
                return

    threading.Thread(target=read, daemon=True).start()
    terminal = {"stdout": follower, "stderr": follower}
    with sandbox.running(faults=[SLOW], popen=terminal, TERM="xterm") as command:
        wait_for(lambda: some_are_done(sandbox))
        command.send_signal(signal.SIGINT)
        command.send_signal(signal.SIGINT)
        assert command.wait(timeout=60) == 130
    wait_for(lambda: b"Continue with: raysweep run" in said)
    os.close(follower)  # not before: what is not read yet would be lost
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")  # the cursor is shown again
    check_nothing_left(sandbox)
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_pipe_that_nobody_reads_does_not_make_the_run_deaf(sandbox: Sandbox) -> None:
    read, write = full_pipe()
    with sandbox.running(faults=[SLOW], popen={"stdout": write, "stderr": write}) as command:
        os.close(write)
        wait_for(lambda: (sandbox.results / ".lock").exists())
        time.sleep(5)
        command.send_signal(signal.SIGINT)
        assert command.wait(timeout=GONE_S + 5) == 130
    os.close(read)
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_the_time_that_the_command_stands_still_is_not_the_trials(sandbox: Sandbox) -> None:
    """As after Ctrl-Z: the workers go on, and what they send is read later."""
    with sandbox.running("--trial-timeout", 20, "--retries", 0, faults=[SLOW]) as command:
        wait_for(lambda: some_are_done(sandbox))
        command.send_signal(signal.SIGSTOP)
        time.sleep(25)
        command.send_signal(signal.SIGCONT)
        out, err = command.communicate(timeout=120)
    assert command.returncode == 0, out + err + sandbox.log
    assert "timeout" not in out
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_shell_closed(sandbox: Sandbox, closed: str) -> None:
    script = f'exec "$0" run "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", script, RAYSWEEP, sandbox.grid], cwd=sandbox.folder, env=sandbox.env, check=False
    )
    assert done.returncode == 0
    check_undisturbed(sandbox, rerun=False)
