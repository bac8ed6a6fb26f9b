"""Clusters: the private one is closed to others, those of other machines are joined with care."""

import ipaddress
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from raysweep.driver.trust import check_trust, lets_anybody_in
from raysweep.errors import ClusterError
from tests.command import RAYSWEEP, tables
from tests.faults.hosts import LossyCable, TwoHosts, own_cluster
from tests.faults.sandbox import SMALL, Sandbox, wait_for
from tests.faults.test_kills import SLOW
from tests.faults.undisturbed import check_nothing_left, check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

UNKNOWN_HOST = ipaddress.ip_address("10.9.8.7")


def test_the_private_cluster_is_closed_to_others(sandbox: Sandbox) -> None:
    """Loopback only, a token that nobody else can read, and no class of the environment's choosing."""
    home = sandbox.folder / "home"
    home.mkdir()
    sandbox.env |= {"HOME": str(home), "RAY_TUNE_CALLBACKS": "nobody.Knows"}
    with sandbox.running(faults=[SLOW]) as command:
        wait_for(lambda: sandbox.ledger.committed())
        sockets = [c for process in sandbox.processes() for c in process.net_connections("inet")]
        listening = {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}
        (scratch,) = sandbox.temporary.glob("raysweep-*")
        token = scratch / "token"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
        # A signal to the command's group reaches none of Ray's processes.
        daemons = [*sandbox.processes("raylet"), *sandbox.processes("gcs_server")]
        assert len(daemons) == 2
        assert os.getsid(command.pid) not in {os.getsid(daemon.pid) for daemon in daemons}
        # What they put into the temporary folder goes with the run.
        assert {p.environ()["TMPDIR"] for p in [*daemons, *sandbox.workers()]} == {str(scratch)}
        out, err = command.communicate(timeout=240)
    assert command.returncode == 0, out + err + sandbox.log
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert not (home / ".ray").exists()
    check_nothing_left(sandbox)


def test_a_cluster_without_a_token_is_not_joined_unless_told(sandbox: Sandbox) -> None:
    done = sandbox.run("--address", "10.9.8.7:6379")
    assert done.returncode == 3
    assert done.stderr.startswith("--address 10.9.8.7:6379: whoever reaches a cluster without a token")
    assert "--trust-cluster" in done.stderr
    assert not sandbox.results.exists()


@pytest.mark.slow
def test_a_token_here_does_not_hide_that_the_cluster_asks_for_none(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with own_cluster(sandbox, token=False) as address:
        assert lets_anybody_in(address)
        monkeypatch.setattr("raysweep.driver.trust.ipaddress.ip_address", lambda host: UNKNOWN_HOST)
        with pytest.raises(ClusterError, match="can run code on it"):
            check_trust(address)
    for process in sandbox.processes():
        process.kill()
    with own_cluster(sandbox) as address:
        assert not lets_anybody_in(address)
        check_trust(address)


@pytest.mark.slow
def test_a_cluster_that_nobody_answers_for(sandbox: Sandbox) -> None:
    done = sandbox.run("--address", "127.0.0.1:9")
    assert done.returncode == 3, done.stderr
    assert "--address 127.0.0.1:9: nobody answers (Connection refused)" in done.stderr
    assert "Traceback" not in done.stderr
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_cluster_that_exists_gets_the_code_and_gives_the_results(sandbox: Sandbox) -> None:
    with own_cluster(sandbox) as address:
        too_much = SMALL + "resources: {cpu: 3}\n"
        sandbox.set_grid(too_much)
        refused = sandbox.run("--address", address)
        assert refused.returncode == 3, refused.stderr
        assert "no node can run a trial of 3 cores" in refused.stderr
        sandbox.set_grid(SMALL)
        done = sandbox.run("--address", address)
        assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
        code = {path.read_text().split()[2] for path in (sandbox.folder / "struck").glob("begun-*")}
        assert code
        assert all(file.startswith(str(sandbox.temporary)) for file in code)
        assert sandbox.processes("raylet")  # it is not ours to end
    for process in sandbox.processes():
        process.kill()
    subprocess.run(["rm", "-rf", sandbox.temporary / "head"], check=True)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        del sandbox.env[name]
    check_undisturbed(sandbox, rerun=False)


def run_on(hosts: TwoHosts, sandbox: Sandbox, *options: str) -> "subprocess.Popen[str]":
    command: list[str | Path] = [
        "ip",
        "netns",
        "exec",
        hosts.head,
        RAYSWEEP,
        "run",
        sandbox.grid,
        "--address",
        hosts.ADDRESS,
    ]
    return subprocess.Popen(
        [*command, *options],
        cwd=sandbox.folder,
        env=sandbox.env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )


def both_train(sandbox: Sandbox) -> bool:
    hosts = {worker.environ().get("RAY_NODE_ID", "") for worker in sandbox.workers()}
    return len(hosts) >= 2 and bool(sandbox.ledger.committed())


@pytest.mark.slow
@pytest.mark.parametrize("daemon", ["raylet", "gcs_server"])
def test_a_cluster_of_others_that_is_lost(sandbox: Sandbox, daemon: str) -> None:
    with own_cluster(sandbox) as address, sandbox.running("--address", address) as command:
        wait_for(lambda: sandbox.ledger.committed())
        for process in sandbox.processes(daemon):
            process.kill()
        out, err = command.communicate(timeout=60)
    assert command.returncode == 3, out + err
    assert "The cluster was lost: " in err
    assert "Continue with: raysweep run" in err


LARGE = SMALL.replace("eval_sequences: 2", "eval_sequences: 20000")
"""Results that are too large for Ray's messages: they wait on the worker's host until they are fetched."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_host_is_lost_before_the_results_on_it_were_fetched(sandbox: Sandbox) -> None:
    sandbox.set_grid(LARGE)
    with TwoHosts(sandbox) as hosts:
        command = run_on(hosts, sandbox, "--retries", "5")
        try:
            wait_for(lambda: len(sandbox.ledger.committed()) >= 2)
            command.send_signal(signal.SIGSTOP)
            time.sleep(10)  # what is trained now is finished meanwhile
            hosts.kill_second()
            command.send_signal(signal.SIGCONT)
            out, err = command.communicate(timeout=400)
        finally:
            command.kill()
        assert command.returncode == 0, out + err + sandbox.log
        assert "lost" in out, out
    assert max(len(table) for table in tables(sandbox.results).values()) > 200_000
    forget_the_cluster(sandbox)
    check_undisturbed(sandbox)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "what", ["nothing", "killed", "cut for 5 s", "cut for 30 s", "cut for 120 s", "20 % loss"]
)
def test_two_hosts(sandbox: Sandbox, what: str, chance: random.Random) -> None:
    cable = LossyCable(0.2, chance) if what == "20 % loss" else None
    with TwoHosts(sandbox, cable) as hosts:
        command = run_on(hosts, sandbox, "--retries", "5")
        try:
            wait_for(lambda: len(sandbox.ledger.committed()) >= 2)
            if what == "killed":
                hosts.kill_second()
            if what.startswith("cut"):
                hosts.link("down")
                time.sleep(int(what.split()[2]))
                hosts.link("up")
            out, err = command.communicate(timeout=400)
        finally:
            command.kill()
        assert command.returncode == 0, out + err + sandbox.log
    if cable is not None:
        assert 0.15 < cable.lost / (cable.lost + cable.carried) < 0.25
    forget_the_cluster(sandbox)
    check_undisturbed(sandbox)


def forget_the_cluster(sandbox: Sandbox) -> None:
    """Remove what the killed nodes of a cluster left, and run on this machine alone from now on."""
    subprocess.run(f"rm -rf {sandbox.temporary}/*", shell=True, check=True)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        del sandbox.env[name]
