"""Nodes of a shared cluster that join and leave while a sweep runs on it."""

import os
import random
import time
from contextlib import suppress

import psutil
import pytest

from raysweep.driver import keeper
from tests.faults.hosts import own_cluster, start_node
from tests.faults.sandbox import Sandbox, kill, wait_for
from tests.faults.test_clusters import forget_the_cluster
from tests.faults.undisturbed import check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

MANY = """
name: many
grid: {arch: echo, len: [2, 3], mem: 4, seed: 0..19}
defaults: {epochs: 30, eval_sequences: 2}
"""
"""Forty trials of a second and more: a node that joins finds some left."""

USED_S = 30.0
"""Seconds after which a node that has joined must train."""


def join(sandbox: Sandbox, address: str) -> None:
    """Start a node of one core on this machine, beside those that are there."""
    ports = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
    start_node(sandbox, "", f"--address={address}", "--node-ip-address=127.0.0.1", "--num-cpus=1", *ports)


def training(sandbox: Sandbox) -> set[int]:
    """Name the nodes on which a worker trains, by the sessions of their processes."""
    found = set()
    for worker in sandbox.workers():
        with suppress(psutil.Error, ProcessLookupError):  # it has ended since it was listed
            if "IDLE" not in worker.name():
                found.add(os.getsid(worker.pid))
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_joins_is_used_and_one_that_leaves_is_not_missed(
    sandbox: Sandbox, chance: random.Random
) -> None:
    sandbox.set_grid(MANY)
    with own_cluster(sandbox) as address, sandbox.running("--address", address, "--retries", 5) as command:
        wait_for(lambda: len(sandbox.ledger.committed()) >= 2)
        before = training(sandbox)
        join(sandbox, address)
        (node,) = wait_for(lambda: training(sandbox) - before, USED_S)
        time.sleep(chance.uniform(0, 5))
        keeper.kill(list(keeper.members(node)))
        out, err = command.communicate(timeout=400)
    assert command.returncode == 0, out + err + sandbox.log
    for process in sandbox.processes():
        kill(process)
    forget_the_cluster(sandbox)
    check_undisturbed(sandbox)
