"""One writer per folder, with real processes as holders."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raysweep.errors import LockedError
from raysweep.store.ledger import Ledger
from raysweep.store.lock import Holder, live_holder, lock, release
from tests.ledgers import checkpoint_of

HOLD = """
import sys
from pathlib import Path
from raysweep.store.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until its input ends or the process is killed."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def holder(**changes: object) -> str:
    """Return the content of a lock file of this process, with changes."""
    return Holder.current().model_copy(update=changes).model_dump_json()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


def test_a_released_lock_is_removed(path: Path) -> None:
    for _ in range(2):
        with lock(path):
            assert live_holder(path) == Holder.current()
        assert not path.exists()


def test_a_lock_of_this_very_process_is_refused(path: Path) -> None:
    with lock(path):
        with pytest.raises(LockedError, match=f"process {os.getpid()} on host"), lock(path):
            pass
        assert live_holder(path) == Holder.current()


def test_a_live_holder_is_named_and_not_disturbed(path: Path) -> None:
    with holding(path) as process:
        for _ in range(3):
            with pytest.raises(LockedError) as refused, lock(path):
                pass
            assert f"process {process.pid} on host {socket.gethostname()!r}" in str(refused.value)
            assert "--name" in str(refused.value)
        assert process.poll() is None
        process.communicate("")
    with lock(path):
        pass


def test_a_stopped_holder_is_alive(path: Path) -> None:
    with holding(path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(LockedError), lock(path):
            pass


def test_a_killed_holder_is_taken_over(path: Path) -> None:
    with holding(path) as process:
        process.kill()
        process.wait()
        assert path.exists()
        assert live_holder(path) is None
        with lock(path):
            assert live_holder(path) == Holder.current()


def test_a_reused_process_id_is_not_the_holder(path: Path) -> None:
    path.write_text(holder(started=Holder.current().started - 1))
    with lock(path):
        assert live_holder(path) == Holder.current()


def test_a_holder_that_cannot_be_seen_is_respected(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user's where /proc hides those (`hidepid`)."""
    monkeypatch.setattr("raysweep.store.lock.process_start", lambda pid: None)
    with subprocess.Popen(["sleep", "60"]) as process:
        path.write_text(holder(pid=process.pid, started=7))
        assert live_holder(path) is not None
        process.kill()
        process.wait()
        assert live_holder(path) is None


def test_a_reboot_ends_every_holder(path: Path) -> None:
    path.write_text(holder(boot="an earlier one"))
    assert live_holder(path) is None
    with lock(path):
        pass


def test_a_live_holder_is_respected_without_the_kernels_locks(path: Path) -> None:
    """As on a network file system without locks, where only the content decides."""
    with subprocess.Popen(["sleep", "60"]) as process:
        started = int(Path(f"/proc/{process.pid}/stat").read_text().split()[21])
        path.write_text(holder(pid=process.pid, started=started))
        with pytest.raises(LockedError, match=f"process {process.pid}"), lock(path):
            pass
        process.kill()
        process.wait()
    with lock(path):
        pass


def test_a_holder_on_another_host_is_respected_and_the_message_says_what_to_do(path: Path) -> None:
    path.write_text(holder(host="far\x1b[31m", boot="its own"))
    with pytest.raises(LockedError) as refused, lock(path):
        pass
    assert f"delete {path}" in str(refused.value)
    assert r"far\x1b[31m" in str(refused.value)
    assert live_holder(path) is not None
    path.unlink()
    with lock(path):
        pass


@pytest.mark.parametrize("content", ["{", "null", '{"pid": 1}', "\0" * 100, "x" * 10_000])
def test_a_lock_without_a_holders_name_is_respected_and_the_message_says_what_to_do(
    path: Path, content: str
) -> None:
    path.write_text(content)
    with pytest.raises(LockedError, match="does not name its holder") as refused, lock(path):
        pass
    assert f"delete {path}" in str(refused.value)


def test_an_empty_lock_is_free(path: Path) -> None:
    """As from a holder that died before writing its name."""
    path.touch()
    with lock(path):
        pass


def test_of_many_threads_one_gets_the_lock(path: Path) -> None:
    """Even while holders remove the file for which other threads wait."""
    inside, most, taken = 0, 0, 0
    guard = threading.Lock()

    def contend() -> None:
        nonlocal inside, most, taken
        for _ in range(200):
            try:
                with lock(path):
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    taken += 1
                    with guard:
                        inside -= 1
            except LockedError:
                continue

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert taken > 0
    assert not path.exists()


def test_if_a_held_lock_was_deleted_the_next_holders_lock_is_kept(path: Path) -> None:
    with lock(path):
        path.unlink()
        path.write_text("the next one's")
    assert path.read_text() == "the next one's"


def test_a_process_that_exits_at_once_removes_its_own_lock_only(path: Path) -> None:
    with lock(path):
        release(path)
        assert not path.exists()
        release(path)
        for other in (holder(pid=1, started=1), "torn", ""):
            path.write_text(other)
            release(path)
            assert path.read_text() == other


def test_a_second_writer_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "lengths")
    with ledger.open_for_writing() as writer:
        writer.put_checkpoint("a-b", b"one")
        temporary = ledger.paths.trials / ".x.parquet.12ab34cd.tmp"
        temporary.write_bytes(b"the first one's commit under way")
        with pytest.raises(LockedError), Ledger(tmp_path / "lengths").open_for_writing():
            pass
        assert temporary.exists()
        assert checkpoint_of(ledger, "a-b") == b"one"
