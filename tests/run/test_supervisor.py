"""The command's end of the connection, with drivers that are a few lines of Python: no end goes unnoticed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from raysweep.driver.variables import ClusterRequest
from raysweep.errors import ClusterError, StorageError
from raysweep.protocol import Checkpoint, Ready, Started, Stop
from raysweep.run import supervisor
from raysweep.run.signals import ENDING, Signals
from raysweep.run.supervisor import Driver, Interrupted, Refused

HEAD = """
import os, signal, socket, sys, time
from raysweep.protocol import *
connection = Connection(socket.socket(fileno=int(sys.argv[1])))
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "run.log").open("wb") as file:
        yield file


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Handlers of this process, for as long as the test runs."""
    before = {signum: signal.getsignal(signum) for signum in ENDING}
    signals = Signals()
    signals.leave = lambda code: None
    signals.install()
    yield signals
    signal.set_wakeup_fd(-1)
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr("raysweep.run.temporary.tempfile.gettempdir", lambda: str(folder))
    monkeypatch.setattr("raysweep.run.temporary.LONGEST_PATH", 1000)
    return folder


@pytest.fixture
def start(temporary: Path, log: BinaryIO, signals: Signals, monkeypatch: pytest.MonkeyPatch) -> "StartDriver":
    return StartDriver(log, signals, monkeypatch)


class StartDriver:
    """Starts a driver of a given script."""

    def __init__(self, log: BinaryIO, signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log, self._signals, self._monkeypatch = log, signals, monkeypatch

    def __call__(self, script: str) -> Driver:
        return self.command([sys.executable, "-P", "-c", HEAD + script])

    def command(self, line: list[str]) -> Driver:
        def command(connection: int, cluster: ClusterRequest) -> list[str]:
            return [*line, str(connection)]

        self._monkeypatch.setattr(supervisor, "driver_command", command)
        return Driver(self._signals, self._log, ClusterRequest(None, False, 2, 1.0, 0.0))


def test_events_and_requests(start: StartDriver, temporary: Path) -> None:
    echo = """
connection.send(Ready(slots=3))
while True:
    request, payload = connection.receive()
    if isinstance(request, Stop):
        break
    connection.send(request, payload[::-1])
"""
    with start(echo) as driver:
        assert driver.receive(until_signal=True) == (Ready(slots=3), b"")
        assert len(list(temporary.iterdir())) == 1
        large = bytes(range(256)) * 20_000
        for _ in range(3):  # more than every buffer, in both directions at once
            driver.send(Checkpoint(trial_id="a"), large)
        for _ in range(3):
            assert driver.receive(until_signal=True) == (Checkpoint(trial_id="a"), large[::-1])
        driver.send(Stop())
        with pytest.raises(ClusterError, match=r"The cluster was lost: its driver ended \(exit code 0\)"):
            driver.receive(until_signal=True)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("sys.exit(1)", ClusterError, r"its driver ended \(exit code 1\)$"),
        ("os.abort()", ClusterError, r"its driver ended \(killed by signal 6\)$"),
        ("connection.send(Lost(reason='a daemon died')); os._exit(0)", ClusterError, "lost: a daemon died$"),
        ("connection.send(Unusable(reason='too small', logged=False))", Refused, "^too small$"),
        ("connection.send(Unusable(reason='no', logged=True))", ClusterError, "^no$"),
        (
            "os.write(int(sys.argv[1]), b'x' * 100); time.sleep(60)",
            ClusterError,
            "cannot be understood: a message of version",
        ),
        ("time.sleep(60)", ClusterError, "did not answer within 1 s"),
        (
            "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
            ClusterError,
            "keeper was killed by signal 9",
        ),
    ],
)
def test_every_end_of_a_driver_has_its_words(
    start: StartDriver, temporary: Path, script: str, error: type[Exception], words: str
) -> None:
    with start(script) as driver, pytest.raises(error, match=words):
        driver.receive(until_signal=True, timeout_s=1 if "did not answer" in words else 30)
    assert list(temporary.iterdir()) == []


def test_what_was_sent_before_the_end_is_read_first(start: StartDriver) -> None:
    with start("connection.send(Started(trial_id='a')); os.kill(os.getpid(), 9)") as driver:
        assert driver.receive(until_signal=True) == (Started(trial_id="a"), b"")
        with pytest.raises(ClusterError, match="killed by signal 9"):
            driver.receive(until_signal=True)


def test_a_kernel_that_ended_a_process_for_want_of_memory_is_named(
    start: StartDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysweep.control_groups.OomKills.happened", lambda self: True)
    with start("os.kill(os.getpid(), 9)") as driver, pytest.raises(ClusterError, match="memory is used up"):
        driver.receive(until_signal=True)


def test_a_temporary_folder_that_cannot_be_written(start: StartDriver, temporary: Path) -> None:
    temporary.rmdir()
    with (
        start("") as driver,
        pytest.raises(StorageError, match=r"cannot write there \(No such file or directory\)"),
    ):
        driver.receive(until_signal=True)


def test_a_signal_wakes_whoever_waits(start: StartDriver, signals: Signals) -> None:
    with start("time.sleep(60)") as driver:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
        assert driver.receive(until_signal=True) is None


def test_a_signal_that_killed_the_driver_too_is_the_reason(start: StartDriver, signals: Signals) -> None:
    """It comes to the command a little later than the end of the connection."""
    with start("sys.exit(1)") as driver:
        end = time.monotonic() + 20
        while driver._keeper.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM]).start()
        with pytest.raises(Interrupted):
            driver.receive(until_signal=True)


def test_a_keeper_that_cannot_start_the_driver(start: StartDriver, temporary: Path) -> None:
    with start("") as driver:
        pass
    assert list(temporary.iterdir()) == []
    with start.command(["/no/such/program"]) as driver, pytest.raises(ClusterError, match="exit code 1"):
        driver.receive(until_signal=True)
    assert list(temporary.iterdir()) == []


def test_no_signal_reaches_keeper_and_driver(start: StartDriver) -> None:
    with start("connection.send(Ready(slots=1)); time.sleep(60)") as driver:
        driver.receive(until_signal=True)
        processes = [psutil.Process(driver._keeper.pid), *psutil.Process(driver._keeper.pid).children()]
        assert len(processes) == 2
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            for process in processes:
                process.send_signal(signum)
        time.sleep(0.3)
        assert all(process.is_running() and process.status() != "zombie" for process in processes)
        assert len({os.getsid(process.pid) for process in processes}) == 1
        assert os.getsid(driver._keeper.pid) != os.getsid(0)
