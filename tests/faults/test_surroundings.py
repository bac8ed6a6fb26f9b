"""The machine and the folder: too little of something is told before anything starts, or it works."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from raysweep.grid import read_grid
from tests.command import RAYSWEEP, raysweep, tables
from tests.faults.sandbox import SMALL, Sandbox, wait_for
from tests.faults.test_kills import SLOW, rows
from tests.faults.undisturbed import check_undisturbed, undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

GREW = SMALL.replace("[1, 2, 3]", "[3, 2, 1, 4]").replace("len: [2, 3, 4]", "len: [4, 3]")
"""One trial more, one fewer, in another order."""


@pytest.mark.parametrize(
    ("resources", "options", "words"),
    [
        ("{cpu: 1, gpu: 1}", (), "resources.gpu: a trial asks for 1 GPUs, this machine has 0"),
        ("{cpu: 512}", (), "resources.cpu: a trial asks for 512 cores, this run has"),
        ("{cpu: 2}", ("--cpus", 1), "resources.cpu: a trial asks for 2 cores, this run has 1; use at most 1"),
    ],
)
def test_what_no_node_can_satisfy_is_refused_before_anything_is_made(
    sandbox: Sandbox, resources: str, options: tuple[object, ...], words: str
) -> None:
    sandbox.set_grid(f"{SMALL}resources: {resources}\n")
    done = sandbox.run(*options)
    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not sandbox.results.exists()


def test_two_runs_on_one_folder_and_damage_and_a_torn_record_and_another_grid(sandbox: Sandbox) -> None:
    with sandbox.running(faults=[SLOW]) as first:
        wait_for(lambda: (sandbox.results / ".lock").exists())
        wait_for((sandbox.results / ".lock").read_text)
        second = sandbox.run()
        assert second.returncode == 3
        assert f"is being written by process {first.pid} on host" in second.stderr
        out, err = first.communicate(timeout=240)
    assert first.returncode == 0, out + err
    before = rows(sandbox)
    damaged = damage(sandbox)
    done = sandbox.run()
    assert done.returncode == 0, done.stderr
    for name in damaged:
        assert f"{name}.parquet: " in done.stderr
        assert any(path.name.startswith(name) for path in (sandbox.results / "damaged").iterdir())
    after = rows(sandbox)
    assert {Path(name).stem for name in before if before[name] != after.get(name)} == damaged
    check_undisturbed(sandbox, rerun=False)
    check_another_grid(sandbox)


def damage(sandbox: Sandbox) -> set[str]:
    """Damage three trials, each in another way, and tear the record."""
    flipped, cut, lost = [trial.trial_id for trial in read_grid(sandbox.grid).trials][:3]
    paths = sandbox.ledger.paths
    content = bytearray(paths.table("predictions", flipped).read_bytes())
    content[len(content) // 2] ^= 1
    paths.table("predictions", flipped).write_bytes(content)
    os.truncate(paths.table("trials", cut), 100)
    paths.table("curves", lost).unlink()
    os.truncate(paths.record, 40)
    return {flipped, cut, lost}


def check_another_grid(sandbox: Sandbox) -> None:
    """Only what is missing is trained; what is no longer asked for stays."""
    before = rows(sandbox)
    sandbox.set_grid(GREW)
    done = sandbox.run()
    assert done.returncode == 0, done.stderr
    assert "small: 5 of 6 trials are done, 1 to train" in done.stdout
    after = rows(sandbox)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """A file system of its own, as only root can make."""
    path.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("room", [28, 60, 100])
def test_a_disk_that_fills_up_under_a_run(sandbox: Sandbox, room: int) -> None:
    with small_disk(sandbox.folder / "results", f"{room}k"):
        done = sandbox.run()
        assert done.returncode == 3, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        assert "results/small" in done.stderr
        assert "Traceback" not in done.stderr
        assert set(tables(sandbox.results).items()) <= set(undisturbed(SMALL).items())
        subprocess.run(["mount", "-o", "remount,size=50m", sandbox.folder / "results"], check=True)
        check_undisturbed(sandbox)


@pytest.mark.slow
def test_256_file_descriptors(sandbox: Sandbox) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    with sandbox.running(popen={"preexec_fn": limited}) as command:
        out, err = command.communicate(timeout=240)
    assert command.returncode in (0, 3), out + err
    assert command.returncode == 0 or "file descriptors" in err
    assert "Traceback" not in err
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_small_shared_memory(sandbox: Sandbox) -> None:
    """Containers give 64 MB unless they are asked for more."""
    script = f'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "{RAYSWEEP}" run "{sandbox.grid}"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=sandbox.folder,
        env=sandbox.env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no namespace can be made here: {done.stderr.strip()}")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert done.returncode == 0 or "/dev/shm" in done.stderr
    assert "Traceback" not in done.stderr
    check_undisturbed(sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [-86_400, 3_600])
def test_a_clock_that_is_set_while_the_run_goes_on(sandbox: Sandbox, seconds: int) -> None:
    done = sandbox.run("--trial-timeout", 60, faults=[SLOW], RAYSWEEP_CLOCK=str(seconds))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_host_name_that_would_steer_the_terminal(sandbox: Sandbox) -> None:
    rename = "import os, socket, sys; socket.sethostname('e\x1b[31mvil'); os.execv(sys.argv[1], sys.argv[1:])"
    command: list[str | Path] = [
        "unshare",
        "--uts",
        sys.executable,
        "-c",
        rename,
        RAYSWEEP,
        "run",
        sandbox.grid,
        "--retries",
        "0",
    ]
    fault = {"what": "raise", "trial": "echo-len3", "message": "bad luck"}
    done = subprocess.run(
        command,
        cwd=sandbox.folder,
        env=sandbox.environment([fault]),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no namespace can be made here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stdout + done.stderr
    for trial in ("echo-len2", "echo-len3"):
        shown = raysweep("show", sandbox.results, trial, cwd=sandbox.folder).stdout
        assert "vil" in shown
        assert "\x1b" not in shown + done.stdout + done.stderr
    check_undisturbed(sandbox)


@pytest.mark.slow
def test_a_worker_that_eats_memory(sandbox: Sandbox) -> None:
    """Ray's monitor ends it: a failure of that trial with its reason, and of no other."""
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 4e9) / memory.total
    if threshold > 0.9:
        pytest.skip("there is too little memory free for an experiment with it")
    done = sandbox.run(
        "--retries",
        3,
        faults=[{"what": "eat", "trial": "echo-len3"}, {"what": "slow", "seconds": 3, "times": -1}],
        RAY_memory_usage_threshold=f"{threshold:.3f}",
        RAY_memory_monitor_refresh_ms="100",
    )
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    words = "memory (Ray's memory monitor ended its process); will be tried again"
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed:")]
    assert f"failed: echo len 3 mem 4: {words}" in failed
    assert all(line.endswith(words) for line in failed)  # Ray may end a neighbour first
    check_undisturbed(sandbox, rerun=False)
