"""Networks of users under faults: what built-in ones are promised, and no code but the grid's file."""

import json
import re
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.command import raysweep, tables
from tests.e2e.own_networks import MARK, NETWORKS, RESUMED, SHUFFLED, write_networks
from tests.faults.hosts import RAY, TwoHosts
from tests.faults.sandbox import Faults, Sandbox, kill, wait_for
from tests.faults.test_checkpoints import NOTHING, SLICES
from tests.faults.test_clusters import forget_the_cluster, run_on
from tests.faults.test_states import begun
from tests.faults.undisturbed import check_nothing_left

pytestmark = [pytest.mark.fault, pytest.mark.ray]


@pytest.fixture
def own(sandbox: Sandbox) -> Sandbox:
    """A sandbox with a networks file and the grid that names it."""
    write_networks(sandbox.folder)
    sandbox.set_grid(RESUMED)
    return sandbox


@cache
def undisturbed(grid: str, networks: str = NETWORKS) -> dict[str, bytes]:
    """Predictions and curves of a grid on one core, by name; trained once a session."""
    with TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), grid)
        try:
            write_networks(sandbox.folder, networks)
            done = sandbox.run("--cpus", 1)
            assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
            return tables(sandbox.results)
        finally:
            sandbox.close()


def check_undisturbed(sandbox: Sandbox, expected: dict[str, bytes], *, rerun: bool = True) -> None:
    """Run once more, and compare everything with an undisturbed run."""
    if rerun:
        done = sandbox.run()
        assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    found = tables(sandbox.results)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert {p.stem for p in (sandbox.results / "trials").iterdir()} == {Path(n).stem for n in expected}
    verified = raysweep("verify", sandbox.results, cwd=sandbox.folder, env=sandbox.env)
    assert verified.returncode == 0, verified.stdout
    assert not any((sandbox.results / "checkpoints").iterdir())
    assert len(list((sandbox.results / "networks").iterdir())) == 1
    check_nothing_left(sandbox)


def test_a_trial_goes_on_after_its_worker_died(own: Sandbox) -> None:
    """Two workers, each killed at some epoch; what is compared was trained in another order on one."""
    faults = [
        {"what": "exit", "epoch": 7, "trial": "Gru_2-len2"},
        {"what": "exit", "epoch": 23, "trial": "Gru_2-len3"},
    ]
    done = own.run("--cpus", 2, "--retries", 4, faults=faults, RAYSWEEP_CONSTANTS=SLICES)
    assert done.returncode == 0, done.stdout + done.stderr + own.log
    assert len([epoch for epoch in begun(own) if epoch >= 7]) >= 2
    check_undisturbed(own, undisturbed(SHUFFLED), rerun=False)


@pytest.mark.slow
def test_a_command_is_killed_and_the_next_goes_on(own: Sandbox) -> None:
    slow = {"what": "slow", "epoch": 20, "seconds": 1, "times": -1, "trial": "Gru_2"}
    with own.running("--cpus", 2, faults=[slow], RAYSWEEP_CONSTANTS=SLICES) as command:
        wait_for(lambda: len(list((own.results / "checkpoints").glob("Gru_2*.checkpoint"))) >= 2)
        time.sleep(2)
        command.send_signal(signal.SIGKILL)
        command.wait(timeout=60)
    begun(own)
    done = own.run("--cpus", 2, faults=[NOTHING])
    assert done.returncode == 0, done.stdout + done.stderr + own.log
    assert len([epoch for epoch in begun(own) if epoch >= 5]) >= 1
    check_undisturbed(own, undisturbed(SHUFFLED), rerun=False)


@pytest.mark.slow
def test_workers_are_killed_from_outside(own: Sandbox) -> None:
    slow = {"what": "slow", "seconds": 0.1, "times": -1}
    with own.running("--cpus", 2, "--retries", 20, faults=[slow], RAYSWEEP_CONSTANTS=SLICES) as command:
        for _ in range(3):
            wait_for(lambda: own.workers() or command.poll() is not None)
            time.sleep(4)
            for worker in own.workers()[:1]:
                kill(worker)
        out, err = command.communicate(timeout=240)
    assert command.returncode == 0, out + err + own.log
    check_undisturbed(own, undisturbed(SHUFFLED), rerun=False)


KEPT = RESUMED.replace("name: resumed", "name: resumed\nkeep_state: true")
LONGER = KEPT.replace("epochs: 40", "epochs: 70")


@pytest.mark.slow
def test_a_sweep_is_trained_longer(own: Sandbox) -> None:
    notes: Faults = [NOTHING]
    own.set_grid(KEPT)
    assert own.run(faults=notes).returncode == 0
    assert begun(own) == [0] * 6
    own.set_grid(LONGER)
    plan = raysweep("plan", own.grid, cwd=own.folder, env=own.env).stdout
    assert "6 trials to train will go on from saved states, which saves 240 epochs." in " ".join(plan.split())
    done = own.run(faults=notes)
    assert done.returncode == 0, done.stdout + done.stderr + own.log
    assert begun(own) == [40] * 6
    expected = undisturbed(KEPT.replace("keep_state: true\n", "")) | undisturbed(
        LONGER.replace("keep_state: true\n", "")
    )
    check_undisturbed(own, expected, rerun=False)


@pytest.mark.slow
def test_states_of_a_changed_file_are_not_used(own: Sandbox) -> None:
    own.set_grid(KEPT)
    assert own.run(faults=[NOTHING]).returncode == 0
    begun(own)
    write_networks(own.folder, NETWORKS + "# changed\n")
    own.set_grid(LONGER)
    done = own.run(faults=[NOTHING])
    assert done.returncode == 0, done.stdout + done.stderr + own.log
    assert begun(own) == [0] * 5 + [40]  # echo is no network of the file


@pytest.mark.slow
def test_a_file_that_is_edited_or_deleted_meanwhile_changes_nothing(own: Sandbox) -> None:
    slow = {"what": "slow", "seconds": 1, "times": -1}
    with own.running("--cpus", 1, faults=[slow]) as command:
        wait_for(lambda: own.ledger.committed())
        write_networks(own.folder, NETWORKS.replace("Dropout(rate)", "Dropout(0.9)"))
        wait_for(lambda: len(own.ledger.committed()) >= 3)
        (own.folder / "nets.py").unlink()
        shutil.rmtree(own.results / "networks")
        own.workers()[0].kill()  # the next worker must have the text, too
        out, err = command.communicate(timeout=240)
    assert command.returncode == 0, out + err + own.log
    write_networks(own.folder)
    check_undisturbed(own, undisturbed(SHUFFLED))


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_folder_of_copies_that_is_none_is_refused(own: Sandbox, what: str) -> None:
    elsewhere = own.folder / "elsewhere"
    elsewhere.mkdir()
    own.results.mkdir(parents=True)
    if what == "link":
        (own.results / "networks").symlink_to(elsewhere)
    else:
        (own.results / "networks").write_text("mine")
    done = own.run()
    assert done.returncode == (1 if what == "link" else 3), done.stdout + done.stderr
    assert "networks" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert not any(elsewhere.iterdir())
    assert not own.ledger.committed()
    check_nothing_left(own)


@pytest.mark.slow
def test_a_folder_of_copies_that_cannot_be_written(own: Sandbox) -> None:
    networks = own.results / "networks"
    networks.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", networks], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        done = own.run()
    finally:
        subprocess.run(["umount", networks], check=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert str(Path("networks")) in done.stderr
    assert "Traceback" not in done.stderr
    assert not own.ledger.committed()
    check_nothing_left(own)
    check_undisturbed(own, undisturbed(SHUFFLED))


HIDDEN = """
assert os.environ.get("RAYSWEEP_HERE") or not os.listdir({hidden!r})
"""
"""Code that fails on a host that has the folder's files."""


class HostsWithoutTheFile(TwoHosts):
    """Two hosts on which a folder is empty, except for the command.

    Args:
        sandbox: where the nodes live.
        hidden: the folder.
    """

    def __init__(self, sandbox: Sandbox, hidden: Path) -> None:
        super().__init__(sandbox)
        self._hidden = hidden

    def start_head(self, *options: str) -> None:
        self._start(
            self.head,
            "--head",
            "--include-dashboard=false",
            "--node-ip-address=10.77.0.1",
            "--port=6379",
            f"--temp-dir={self._sandbox.temporary}/a",
            *options,
        )

    def start_second(self, *options: str) -> None:
        self._start(self.second, f"--address={self.ADDRESS}", "--node-ip-address=10.77.0.2", *options)

    def _start(self, namespace: str, *options: str) -> None:
        place = ("ip", "netns", "exec", namespace)
        inside = 'mount -t tmpfs none "$0" && exec "$@"'
        done = subprocess.run(
            [*place, "sh", "-c", inside, self._hidden, RAY, "start", *options, "--disable-usage-stats"],
            env=self._sandbox.environment([{"what": "slow", "seconds": 1, "times": -1}]),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            start_new_session=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hosts_need_no_file(own: Sandbox) -> None:
    hidden = own.folder / "hidden"
    hidden.mkdir()
    executed = own.folder / "executed"
    mark = MARK.format(marker=str(executed)) + HIDDEN.format(hidden=str(hidden))
    write_networks(hidden, mark + NETWORKS)
    (own.folder / "nets.py").unlink()
    own.grid = own.grid.rename(hidden / "grid.yaml")
    with HostsWithoutTheFile(own, hidden) as hosts:
        command = run_on(hosts, own, "--retries", "5")
        try:
            out, err = command.communicate(timeout=400)
        finally:
            command.kill()
        assert command.returncode == 0, out + err + own.log
    nodes = set(re.findall(r"--node-ip-address=(\S+)", executed.read_text()))
    assert nodes == {"10.77.0.1", "10.77.0.2"}
    forget_the_cluster(own)
    there = tables(own.results)
    shutil.rmtree(own.results)
    done = raysweep("run", own.grid, "--cpus", 1, cwd=own.folder, env={**own.env, "RAYSWEEP_HERE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert tables(own.results) == there


@pytest.mark.slow
def test_a_copy_that_was_exchanged_is_never_executed(own: Sandbox) -> None:
    """Not by a run that trains, either: it takes the text from the grid's own file, and repairs the copy."""
    assert own.run().returncode == 0
    (copy,) = (own.results / "networks").iterdir()
    marker = own.folder / "copied"
    copy.write_text(MARK.format(marker=str(marker)) + NETWORKS)
    for path in (own.results / "trials").glob("Gru_2*"):
        path.unlink()
    check_undisturbed(own, undisturbed(SHUFFLED))
    assert not marker.exists()


@pytest.mark.slow
def test_a_network_that_ends_its_process_costs_itself_alone(own: Sandbox) -> None:
    dying = (
        "import os\n\ndef dying(*, mem):\n    os._exit(3)\n\ndef leaving(*, mem):\n    raise SystemExit(4)\n"
    )
    (own.folder / "dying.py").write_text(dying)
    (own.folder / "endless.py").write_text("def endless(*, mem):\n    while True:\n        pass\n")
    own.set_grid("""
name: dying
networks: [dying.py, endless.py]
grid: {arch: [dying, leaving, endless, echo], len: 2, mem: 4}
defaults: {eval_sequences: 2, epochs: 20}
""")
    done = own.run("--cpus", 2, "--retries", 1, "--trial-timeout", 20)
    assert done.returncode == 1, done.stdout + done.stderr + own.log
    failures = {
        path.name.partition("-")[0]: json.loads(path.read_text())
        for path in (own.results / "failures").iterdir()
    }
    assert {arch: (one["kind"], one["attempts"]) for arch, one in failures.items()} == {
        "dying": ("worker_lost", 2),
        "leaving": ("error", 1),
        "endless": ("timeout", 2),
    }
    assert len(own.ledger.committed()) == 1
    check_nothing_left(own)
