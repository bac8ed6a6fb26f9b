"""Situations that users of such tools meet: launchers, homes, folders, limits, containers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.command import RAYSWEEP, tables
from tests.faults.sandbox import NOBODY, Sandbox, wait_until_gone
from tests.faults.undisturbed import check_nothing_left, check_undisturbed, undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

ONE = """
name: one
grid: {arch: echo, len: 2, mem: 8, seed: 0..1}
defaults: {epochs: 20, eval_sequences: 3, curve_every: 10}
"""

SHADOWS = ("keras", "tensorflow", "ray", "numpy", "pyarrow", "psutil", "json", "typing", "trainable")
"""Names of packages, and of modules of ours, that a user may give a file."""


def run(
    sandbox: Sandbox, *options: object, before: Sequence[object] = (), cwd: Path | None = None, **extra: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command behind another one, to its end."""
    line = [*before, RAYSWEEP, "run", sandbox.grid, "--plain", *options]
    return subprocess.run(
        list(map(str, line)),
        cwd=cwd or sandbox.folder,
        env={**sandbox.env, **extra},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=240,
        check=False,
    )


def check_done(sandbox: Sandbox, done: "subprocess.CompletedProcess[str]", results: Path) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert tables(results) == undisturbed(ONE)
    check_nothing_left(sandbox)


@pytest.fixture
def one(sandbox: Sandbox) -> Sandbox:
    sandbox.set_grid(ONE)
    return sandbox


def test_files_named_like_packages_no_home_and_a_path_that_is_not_utf_8(one: Sandbox) -> None:
    """All at once: none of them changes anything."""
    folder = one.folder / "project"
    folder.mkdir()
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("raise SystemExit('the current folder decided')\n")
    del one.env["HOME"]
    results = one.folder / "caf\udce9"
    done = run(one, "--results-dir", results, cwd=folder, PYTHONPATH=f".{os.pathsep}")
    check_done(one, done, results / "one")
    module = [sys.executable, "-m", "raysweep"]
    for arguments in (["--version"], ["report", results / "one"], ["verify", results / "one"]):
        again = subprocess.run([*module, *arguments], cwd=folder, capture_output=True, check=False)
        assert (again.returncode, again.stderr) == (0, b"")


@pytest.mark.slow
def test_a_user_without_a_home_or_a_name(one: Sandbox) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else, with setpriv(1)")
    one.temporary.chmod(0o777)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env", "-u", "HOME"]
    if subprocess.run([*nobody, RAYSWEEP, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("the environment's files are closed to other users")
    with TemporaryDirectory(prefix="rs", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        one.grid = one.grid.rename(folder / "one.yaml")
        limited = run(one, before=[*nobody, "prlimit", "--nproc=100"], cwd=folder)
        assert limited.returncode == 3
        assert "of at most 100 are in use" in limited.stderr
        assert "ulimit -u" in limited.stderr
        assert not (folder / "results").exists()
        check_done(one, run(one, before=nobody, cwd=folder), folder / "results" / "one")


@pytest.mark.slow
@pytest.mark.parametrize("inside", [".", "sub"])
def test_uv_run(one: Sandbox, inside: str) -> None:
    """Ray would start its workers through uv, too, in a copy of the current folder."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed")
    (one.folder / "sub").mkdir()
    (one.folder / ".venv").symlink_to(Path(sys.prefix))
    project = '[project]\nname = "project"\nversion = "0"\nrequires-python = ">=3.11"\n'
    (one.folder / "pyproject.toml").write_text(project)
    line = [uv, "run", "--no-sync", "--offline"]
    done = run(one, before=line, cwd=one.folder / inside, UV_CACHE_DIR=str(one.folder / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert tables(one.folder / inside / "results" / "one") == undisturbed(ONE)
    wait_until_gone(one, 10)
    assert list(one.temporary.glob("raysweep-*")) == []  # uv itself leaves an empty lock there


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A memory control group of 900 MB, as only root can make."""
    for root in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")):
        group = root / f"raysweep-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        limit = next(
            (group / n for n in ("memory.limit_in_bytes", "memory.max") if (group / n).exists()), None
        )
        if limit is not None:
            limit.write_text("900000000")
            yield group
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("no memory control group can be made here")


@pytest.mark.slow
def test_the_kernel_ends_a_worker_for_want_of_memory(one: Sandbox, small_group: Path) -> None:
    join = f'echo $$ > {small_group}/cgroup.procs; exec "$0" "$@"'
    done = run(one, "--retries", 0, before=["sh", "-c", join])
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "memory is used up" in done.stdout + done.stderr
    check_undisturbed(one)
