"""The main story, signals, the lock and clean-up without what only Linux has, as on a Mac.

Hidden are /proc, control groups, affinity and `waitid` (see tests/inject/portable); psutil, whose own way on
each system is not ours to test, stays.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from raysweep.driver import keeper
from tests.faults.sandbox import INJECT, Sandbox, kill, wait_for
from tests.faults.undisturbed import check_nothing_left, check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

HIDDEN = {"RAYSWEEP_PORTABLE": "1"}
SLOW = {"what": "slow", "seconds": 2, "times": -1, "epoch": 0}


def test_a_signal_then_the_main_story(sandbox: Sandbox) -> None:
    with sandbox.running("--plain", faults=[SLOW], RAYSWEEP_PORTABLE="1") as command:
        wait_for(lambda: len(sandbox.ledger.committed()) >= 2)
        assert sandbox.part("keeper") is not None
        command.send_signal(signal.SIGTERM)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 143, out + err
    assert "are done and safe in results/small" in err
    check_nothing_left(sandbox)
    done = sandbox.run("--plain", RAYSWEEP_PORTABLE="1")
    assert (done.returncode, done.stderr) == (0, "")
    check_undisturbed(sandbox)


def test_the_lock_and_what_a_killed_command_and_keeper_leave(sandbox: Sandbox) -> None:
    with sandbox.running("--plain", faults=[SLOW], RAYSWEEP_PORTABLE="1") as command:
        wait_for(lambda: sandbox.ledger.committed())
        second = sandbox.run("--plain", RAYSWEEP_PORTABLE="1")
        assert second.returncode == 3
        assert f"is being written by process {command.pid} on host" in second.stderr
        command.kill()
        if (other := sandbox.part("keeper")) is not None:
            kill(other)
        command.communicate()
    done = sandbox.run("--plain", RAYSWEEP_PORTABLE="1")  # whatever still lives is ended by it
    assert done.returncode == 0, done.stderr
    check_undisturbed(sandbox)


def test_the_death_of_a_daemon_is_noticed(sandbox: Sandbox) -> None:
    with sandbox.running("--plain", faults=[SLOW], RAYSWEEP_PORTABLE="1") as command:
        wait_for(lambda: sandbox.ledger.committed())
        raylet = sandbox.part("raylet")
        assert raylet is not None
        kill(raylet)
        _, err = command.communicate(timeout=60)
    assert command.returncode == 3, err
    assert "The cluster was lost" in err
    check_undisturbed(sandbox)


QUESTIONS = """
import json, os, sys
from pathlib import Path
from raysweep.driver import keeper
from raysweep.machine import *
from raysweep.store.lock import Holder
assert not hasattr(os, "sched_getaffinity")
other = int(sys.argv[1])
holder = Holder.current()
print(json.dumps({
    "cpus": local_cpus(), "notice": quota_notice(), "gpus": local_gpus(), "model": cpu_model(),
    "boot": boot_id() == boot_id(), "alive": holder.may_live(),
    "start": [process_start(other) == process_start(other), process_start(other) is None],
    "gone": holder.model_copy(update={"pid": 2**22 - 1}).may_live(),
    "reused": holder.model_copy(update={"started": holder.started - 10}).may_live(),
    "elsewhere": holder.model_copy(update={"boot": "other", "host": "other"}).may_live(),
    "members": sorted(keeper.members(os.getsid(other))),
}))
"""


def test_what_is_asked_of_the_system_has_an_answer() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        env = {**os.environ, **HIDDEN, "PYTHONPATH": str(INJECT)}
        done = subprocess.run(
            [sys.executable, "-c", QUESTIONS, str(other.pid)],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        other.kill()
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("cpus") >= 1
    assert found.pop("model")
    assert found == {
        "notice": "",
        "gpus": 0,
        "boot": True,
        "alive": True,
        "start": [True, False],
        "gone": False,
        "reused": False,
        "elsewhere": True,
        "members": [other.pid],
    }


def test_both_ways_to_find_the_processes_of_a_session_agree() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True) as leader:
        wait_for(lambda: len(in_session(keeper._sessions_of_proc, leader.pid)) == 2)
        found = [in_session(way, leader.pid) for way in (keeper._sessions_of_proc, keeper._sessions_of_ps)]
        os.killpg(leader.pid, signal.SIGKILL)
    assert found[0] == found[1]


def in_session(way: Any, session: int) -> list[int]:
    return sorted(pid for pid, its_session, state in way() if its_session == session and state not in "ZX")
