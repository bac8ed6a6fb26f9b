"""SIGKILL at any moment: of the command, of Ray's daemons, of workers that nobody told to strike."""

import random
import time

import psutil
import pytest

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


@pytest.mark.slow
@pytest.mark.parametrize("daemon", ["raylet", "gcs_server"])
def test_a_cluster_that_is_lost_is_told_at_once(sandbox: Sandbox, daemon: str) -> None:
    with sandbox.running(faults=[SLOW]) as command:
        wait_for(lambda: sandbox.ledger.committed())
        (victim,) = sandbox.processes(daemon)
        began = time.monotonic()
        kill(victim)
        out, err = command.communicate(timeout=60)
        assert time.monotonic() - began < 30
    assert command.returncode == 3, out + err
    assert f"The cluster was lost: Ray's process {victim.pid} died; see results/small/run.log" in err
    assert f"Continue with: raysweep run {sandbox.grid}" in err
    check_nothing_left(sandbox)
    check_undisturbed(sandbox)


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
