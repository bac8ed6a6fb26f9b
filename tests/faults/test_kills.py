"""SIGKILL at any moment: of the command, of Ray's daemons, of workers that nobody told to strike."""

import random
import signal
import time

import psutil
import pytest

from raysweep.store.lock import live_holder
from tests.faults.sandbox import Sandbox, kill, wait_for, wait_until_gone
from tests.faults.undisturbed import check_nothing_left, check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

SLOW = {"what": "slow", "seconds": 1, "times": -1}


GUARDED_S = 15
"""Seconds until nothing of a killed command is left; the promise is a minute."""


def rows(sandbox: Sandbox) -> dict[str, bytes]:
    """The rows, which tell when a trial was done: a trial that is done twice has another."""
    return {path.name: path.read_bytes() for path in (sandbox.results / "trials").glob("*.parquet")}


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_the_command_is_killed_again_and_again(sandbox: Sandbox, kills: int, chance: random.Random) -> None:
    known: dict[str, bytes] = {}
    for _ in range(kills):
        with sandbox.running(faults=[SLOW]) as command:
            wait_for(lambda: sandbox.workers() or command.poll() is not None)
            time.sleep(chance.uniform(0, 12))
            before = sandbox.processes()
            command.kill()
        assert psutil.wait_procs(before, timeout=GUARDED_S)[1] == []  # agents that lost their raylet, too
        wait_until_gone(sandbox, GUARDED_S)
        assert known.items() <= rows(sandbox).items()  # nothing that was done is done again
        known = rows(sandbox)
    check_undisturbed(sandbox)
    assert known.items() <= rows(sandbox).items()


DAEMONS = ["raylet", "gcs_server", "ray::DashboardA", "ray::RuntimeEnv"]
"""Ray's own processes, by the beginnings of their names; a raylet ends itself when it misses its agents."""

PARTS = [*DAEMONS, "driver", "keeper"]
"""What a run cannot do without."""


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_cluster_that_is_lost_is_reported_at_once(sandbox: Sandbox, part: str) -> None:
    with sandbox.running(faults=[SLOW]) as command:
        wait_for(lambda: sandbox.ledger.committed())
        victim = sandbox.part(part)
        assert victim is not None
        began = time.monotonic()
        kill(victim)
        out, err = command.communicate(timeout=60)
        assert time.monotonic() - began < 30
    assert command.returncode == 3, out + err
    check_lost(sandbox, err)
    record = sandbox.ledger.record()
    assert record is not None
    assert record.runs[-1].exit_code == 3
    check_nothing_left(sandbox)
    check_undisturbed(sandbox)


def check_lost(sandbox: Sandbox, err: str) -> None:
    assert "The cluster was lost: " in err
    assert "see results/small/run.log" in err
    assert f"Continue with: raysweep run {sandbox.grid}" in err
    assert "Traceback" not in err
    assert not sandbox.ledger.paths.lock.exists()


@pytest.mark.parametrize("part", [pytest.param(part, marks=pytest.mark.slow) for part in PARTS])
def test_a_cluster_that_is_lost_while_it_starts(sandbox: Sandbox, part: str, chance: random.Random) -> None:
    # Up to 15 s pass until Ray notices that an agent has ended while it started.
    with sandbox.running(faults=[{**SLOW, "seconds": 10}]) as command:
        victim = wait_for(lambda: sandbox.part(part))
        time.sleep(chance.uniform(0, 3))
        kill(victim)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 3, out + err
    assert "Continue with: raysweep run" in err
    assert "Traceback" not in out + err
    assert not sandbox.ledger.paths.lock.exists()
    check_nothing_left(sandbox)
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_the_command_and_its_keeper_are_killed_together(sandbox: Sandbox, chance: random.Random) -> None:
    for _ in range(3):
        with sandbox.running(faults=[SLOW]) as command:
            keeper = wait_for(lambda: sandbox.part("keeper"))
            time.sleep(chance.uniform(0, 8))
            kill(keeper)
            command.kill()
    check_undisturbed(sandbox)


def test_a_run_whose_folder_was_moved_away_leaves_the_next_ones_lock(sandbox: Sandbox) -> None:
    with sandbox.running(faults=[SLOW]) as moved:
        wait_for(lambda: sandbox.workers())
        sandbox.results.rename(sandbox.folder / "elsewhere")
        with sandbox.running(faults=[SLOW]) as command:
            wait_for(lambda: live_holder(sandbox.ledger.paths.lock))
            moved.send_signal(signal.SIGINT)
            moved.send_signal(signal.SIGINT)
            moved.wait(timeout=20)
            assert live_holder(sandbox.ledger.paths.lock)
            refused = sandbox.run()
            assert refused.returncode == 3
            assert "is being written by process" in refused.stderr
            out, err = command.communicate(timeout=240)
    assert moved.returncode == 130
    assert command.returncode == 0, out + err + sandbox.log
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_workers_are_killed_at_random(sandbox: Sandbox, chance: random.Random) -> None:
    with sandbox.running("--retries", 20, faults=[SLOW]) as command:
        for _ in range(8):
            wait_for(lambda: sandbox.workers() or command.poll() is not None)
            time.sleep(chance.uniform(0, 5))
            if workers := sandbox.workers():
                kill(chance.choice(workers))
        out, err = command.communicate(timeout=240)
    assert command.returncode == 0, out + err + sandbox.log
    check_undisturbed(sandbox, rerun=False)
