"""A commit under every fault of the disk and the process: the old state or the new one, never a torn one."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from raysweep.errors import StorageError
from raysweep.store.ledger import Ledger
from tests.faults.commit_steps import CALLS, DAMAGED, FIRST, SECOND, act, prepare, traced
from tests.ledgers import checkpoint_of

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]


def tables(ledger: Ledger) -> dict[str, bytes]:
    """What analysis sees."""
    kinds = ("trials", "predictions", "curves")
    found = (Path(name) for kind in kinds for name in ledger.files(kind))  # type: ignore[arg-type]
    return {str(path.relative_to(ledger.paths.folder)): path.read_bytes() for path in found}


def everything(folder: Path) -> set[str]:
    """Every file but those set aside, whose folder has a random name."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith("damaged")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("undisturbed") / "lengths")
    prepare(ledger)
    act(ledger)
    return ledger


def outcomes(folder: Path, fault: str) -> list[str]:
    command = [sys.executable, "-m", "tests.faults.commit_steps", str(folder), fault]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["outcome"] for line in done.stdout.splitlines()]


def check_recovery(ledger: Ledger, undisturbed: Ledger) -> None:
    """Whatever happened, readers see whole trials only, and one more run gives the undisturbed results."""
    damaged = DAMAGED.trial_id
    assert FIRST.trial_id in ledger.committed()
    assert ledger.committed() <= {FIRST.trial_id, SECOND.trial_id, damaged}
    told = {one.path.name for one in ledger.verify().damage}
    assert told <= {f"{damaged}.parquet", f"{SECOND.trial_id}.parquet"}
    if SECOND.trial_id in ledger.committed():
        assert f"{SECOND.trial_id}.parquet" not in told
    else:
        assert checkpoint_of(ledger, SECOND.trial_id) in (b"weights", b"later weights")
    act(ledger)
    assert tables(ledger) == tables(undisturbed)
    assert everything(ledger.paths.folder) == everything(undisturbed.paths.folder)
    assert ledger.verify().damage == ()
    assert ledger.failures() == {}


@pytest.mark.parametrize("fault", ["kill", "ENOSPC", "EIO"])
def test_a_fault_at_every_single_call_to_the_disk(tmp_path: Path, fault: str, undisturbed: Ledger) -> None:
    found = outcomes(tmp_path, fault)
    *hit, last = found
    assert last == "untouched"
    assert len(hit) > 60
    if fault == "kill":
        assert set(hit) == {"killed"}
    else:
        words = {"ENOSPC": "No space left on device", "EIO": "Input/output error"}[fault]
        told = [outcome for outcome in hit if outcome != "survived"]
        assert len(told) > 40
        for message in told:
            assert words in message
            assert str(tmp_path) in message
            assert "MB free on the file system of" in message
            assert "run the same command again" in message
    for number in range(1, len(found) + 1):
        check_recovery(Ledger(tmp_path / str(number)), undisturbed)


def test_the_fault_reaches_every_kind_of_call(tmp_path: Path) -> None:
    """The calls that a commit makes are those that the test above counts, and some that change nothing."""
    harmless = {"fspath", "fstat", "getpid", "lstat", "pread", "stat", "urandom"}
    assert traced(tmp_path) - harmless == set(CALLS)


def run_script(
    script: str, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_limit_on_file_sizes_is_told_and_tears_nothing(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from pathlib import Path
        from raysweep.errors import StorageError
        from raysweep.store.ledger import Ledger
        from tests.faults.commit_steps import FIRST
        ledger = Ledger(Path(sys.argv[1]) / "lengths")
        with ledger.open_for_writing() as writer:
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            try:
                writer.commit(FIRST)
            except StorageError as error:
                assert "File too large" in str(error) and "ulimit -f" in str(error), error
            else:
                raise SystemExit("the limit did not hold")
            assert ledger.committed() == set()
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            writer.commit(FIRST)
        assert ledger.verify().damage == ()
    """
    done = run_script(script, str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.fixture
def own_mounts() -> tuple[str, ...]:
    """How to run a command with mounts of its own, which end with it."""
    prefix = ("unshare", "--mount", "--propagation", "private")
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1) to make a mount namespace with")
    probe = [*prefix, "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount file systems")
    return prefix


def test_a_full_disk_is_told_and_the_run_continues_when_there_is_room(
    tmp_path: Path, own_mounts: tuple[str, ...]
) -> None:
    script = """
        import os, subprocess, sys
        from pathlib import Path
        from raysweep.errors import StorageError
        from raysweep.store.ledger import Ledger
        from tests.faults.commit_steps import trial
        disk = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=True)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(64 * 1024))
        ledger, trials = Ledger(disk / "lengths"), [trial(seed) for seed in range(30)]
        with ledger.open_for_writing() as writer:
            try:
                for one in trials:
                    writer.commit(one)
            except StorageError as error:
                assert "No space left on device" in str(error) and "0.0 MB free" in str(error), error
            else:
                raise SystemExit("the disk was not full")
            done = ledger.committed()
            assert 0 < len(done) < 30, done
            assert [d for d in ledger.verify().damage] == []
            os.unlink(ballast)
            for one in trials[: len(done) + 1]:
                writer.commit(one)
        assert len(ledger.committed()) == len(done) + 1
        assert ledger.verify().damage == ()
    """
    done = run_script(script, str(tmp_path), prefix=own_mounts)
    assert done.returncode == 0, done.stderr


def test_a_read_only_folder_is_refused(tmp_path: Path, own_mounts: tuple[str, ...]) -> None:
    """By a read-only bind mount: modes would not stop root. Reading still works."""
    script = """
        import subprocess, sys
        from pathlib import Path
        from raysweep.errors import StorageError
        from raysweep.store.ledger import Ledger
        ledger = Ledger(Path(sys.argv[1]) / "lengths")
        shut = sys.argv[2]
        path = ledger.paths.folder / shut
        subprocess.run(["mount", "--bind", path, path], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
        try:
            with ledger.open_for_writing():
                raise SystemExit("opened for writing")
        except StorageError as error:
            assert "Read-only file system" in str(error) and "--results-dir" in str(error), error
        assert len(ledger.committed()) == 2
    """
    prepare(Ledger(tmp_path / "lengths"))
    for shut in (".", "trials", "curves"):
        done = run_script(script, str(tmp_path), shut, prefix=own_mounts)
        assert done.returncode == 0, done.stderr


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:100])))
    ledger = Ledger(tmp_path / "lengths")
    with ledger.open_for_writing() as writer:
        writer.commit(FIRST)
    monkeypatch.undo()
    assert ledger.verify().damage == ()
    assert ledger.paths.table("predictions", FIRST.trial_id).read_bytes() == FIRST.predictions


def test_a_folder_removed_under_the_writer_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "lengths")
    with ledger.open_for_writing() as writer:
        shutil.rmtree(ledger.paths.folder)
        with pytest.raises(StorageError, match="No such file or directory"):
            writer.commit(FIRST)
