"""Workers that die, raise, hang, stop, eat memory or send nonsense: each trial pays for itself alone."""

import json
from typing import Any

import pytest

from tests.command import raysweep
from tests.faults.sandbox import Sandbox
from tests.faults.undisturbed import check_nothing_left, check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

ALWAYS = {"times": -1}


def failure_of(sandbox: Sandbox, beginning: str) -> dict[str, Any]:
    (path,) = (sandbox.results / "failures").glob(f"{beginning}*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_fault_of_a_worker_in_one_run(sandbox: Sandbox) -> None:
    faults = (
        {"what": "exit", "trial": "echo-len2"},
        {"what": "raise", "trial": "echo-len3", "message": "no \x1b[31muse\u202e\nat all", **ALWAYS},
        {"what": "raise", "trial": "echo-len4", "message": "bad luck"},
        {"what": "hang", "trial": "seq2seq-len1"},
        {"what": "stop", "trial": "seq2seq-len2"},
        {"what": "garble", "trial": "seq2seq-len3"},
    )
    done = sandbox.run("--trial-timeout", 15, "--retries", 1, faults=faults)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said + sandbox.log
    again = "will be tried again"
    late = "timeout (no result after 15 s; its worker was killed)"
    assert f"echo len 2 mem 4: worker lost (its process died); {again}" in said
    assert f"echo len 3 mem 4: RuntimeError: no use\ufffd; {again}" in said
    assert "echo len 3 mem 4: RuntimeError: no use\ufffd; not tried again in this run" in said
    assert f"echo len 4 mem 4: RuntimeError: bad luck; {again}" in said
    assert f"seq2seq len 1 mem 4: {late}; {again}" in said
    assert f"seq2seq len 2 mem 4: {late}; {again}" in said
    assert "seq2seq len 3 mem 4: the tables sent for 'seq2seq-len3-mem4-seed0-" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    check_nothing_left(sandbox)
    check_the_one_failure(sandbox)
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_worker_that_stops_between_two_trials_is_ended(sandbox: Sandbox) -> None:
    """Tune calls a trial running only when its worker has taken it up."""
    fault = {"what": "stop-at-reset", "trial": "echo"}
    done = sandbox.run("--trial-timeout", 15, "--retries", 1, faults=[fault])
    said = done.stdout + done.stderr
    assert done.returncode == 0, said + sandbox.log
    assert said.count("timeout (no result after 15 s; its worker was killed); will be tried again") == 1
    assert said.count("failed:") == 1
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_worker_that_never_comes_up_is_given_up(sandbox: Sandbox) -> None:
    fault = {"what": "stop-at-setup"}
    floor = json.dumps({"raysweep.driver.deadlines.WORKER_S": 60})
    done = sandbox.run("--cpus", 1, "--retries", 1, faults=[fault], RAYSWEEP_CONSTANTS=floor)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said + sandbox.log
    assert said.count("timeout (no worker came up in 60 s); will be tried again") == 1
    assert said.count("failed:") == 1
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_cluster_where_no_worker_comes_up_is_given_up(sandbox: Sandbox) -> None:
    fault = {"what": "stop-at-setup", **ALWAYS}
    floor = json.dumps({"raysweep.driver.deadlines.WORKER_S": 20})
    done = sandbox.run("--cpus", 1, "--retries", 5, faults=[fault], RAYSWEEP_CONSTANTS=floor)
    assert done.returncode == 3, done.stdout + done.stderr + sandbox.log
    assert done.stdout.count("failed:") == 2
    assert "no worker came up in 2 rounds" in done.stderr
    assert "Traceback" not in done.stderr
    check_undisturbed(sandbox)


def check_the_one_failure(sandbox: Sandbox) -> None:
    """What is left of a trial that failed in all its attempts, for people to read."""
    (only,) = (sandbox.results / "failures").iterdir()
    assert only.name.startswith("echo-len3")
    failure = failure_of(sandbox, "echo-len3")
    assert (failure["kind"], failure["attempts"]) == ("error", 2)
    assert failure["message"] == "RuntimeError: no use\ufffd"
    assert failure["host"]
    assert 'raise RuntimeError(fault["message"])' in failure["traceback"]
    assert "\x1b" not in failure["traceback"]
    assert "[36m" not in failure["traceback"]
    report = json.loads(raysweep("report", sandbox.results, "--json", cwd=sandbox.folder).stdout)
    assert report["trials"] == {"done": 5, "diverged": 0, "failed": 1, "missing": 0}
    shown = raysweep("show", sandbox.results, "echo-len3", cwd=sandbox.folder).stdout
    assert "failed" in shown
    assert "RuntimeError: no use" in shown


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_is_a_result(sandbox: Sandbox) -> None:
    fault = {"what": "nan", "trial": "echo-len3", **ALWAYS}
    done = sandbox.run(faults=[fault])
    assert done.returncode == 0, done.stderr
    assert "echo len 3 mem 4: diverged" in done.stdout
    report = json.loads(raysweep("report", sandbox.results, "--json", cwd=sandbox.folder).stdout)
    assert report["trials"] == {"done": 5, "diverged": 1, "failed": 0, "missing": 0}
    assert not list((sandbox.results / "predictions").glob("echo-len3*"))
    again = sandbox.run()
    assert again.returncode == 0
    assert "to train" not in again.stdout  # a diverged trial is not tried again


@pytest.mark.slow
def test_what_nobody_expects_costs_that_trial_alone(sandbox: Sandbox) -> None:
    """In the driver, which cannot send what a worker gave, and in the command, whose commit raises."""
    always, once = (
        {"what": "miscommit", "trial": "echo-len3", **ALWAYS},
        {"what": "break", "trial": "seq2seq-len2"},
    )
    done = sandbox.run("--retries", 1, faults=[always, once])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "echo len 3 mem 4: ArithmeticError: nobody expects it; " in done.stdout + done.stderr
    assert "seq2seq len 2 mem 4: TypeError: " in done.stdout + done.stderr
    (only,) = (sandbox.results / "failures").iterdir()
    assert only.name.startswith("echo-len3")
    assert "raysweep/run/rounds.py" in failure_of(sandbox, "echo-len3")["traceback"]
    assert len(sandbox.ledger.committed()) == 5
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_controller_that_gives_up_is_another_round(sandbox: Sandbox) -> None:
    slow = {"what": "slow", "seconds": 1, **ALWAYS}
    done = sandbox.run(faults=[slow], RAYSWEEP_CONTROLLER="once")
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    assert "worker lost (Tune's controller gave up); will be tried again" in done.stdout
    assert "the controller lost its head" in sandbox.log
    assert "Traceback" not in done.stdout + done.stderr
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_controller_that_never_works_ends_the_run(sandbox: Sandbox) -> None:
    done = sandbox.run(RAYSWEEP_CONTROLLER="always")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Ray Tune made no progress" in done.stderr
    assert "the controller lost its head" in done.stderr
    assert "Traceback" not in done.stderr
    check_undisturbed(sandbox)
