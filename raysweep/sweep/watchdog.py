"""Notices that the cluster is gone before Ray ends this process without a word.

Ray ends its driver, and no `finally` runs, when that misses its raylet, which may be in a moment, or for a
minute the control store. A thread looks after Ray's own processes from their start on (a private cluster), or
tries to connect to them (one that exists), and calls `lost` first.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

FIND_S: Final = 0.2
"""Seconds between two looks for processes that were not there yet."""

DAEMONS: Final = ("raylet", "gcs_server")
"""Ray's processes, started by this one, without which a private cluster is lost."""

AGENTS: Final = ("ray::DashboardA", "ray::RuntimeEnv")
"""How the names of the raylet's agents begin, as the kernel cuts them: it ends itself when it misses one."""

KNOCK_S: Final = 1.0
"""Seconds between two knocks at a cluster that exists."""

ANSWER_S: Final = 4.0
"""Seconds that a cluster has to answer; a first packet that is lost is sent again after one, then three."""

SILENCE_S: Final = 20.0
"""Seconds without an answer after which a cluster on other machines counts as lost."""

Lost = Callable[[str], None]
"""What to call with the reason; it does not return."""


@contextmanager
def own_cluster_watched(lost: Lost) -> Iterator[None]:
    """Look after the cluster that this process starts in the block, which ends before the cluster does."""
    with _in_a_thread(lambda over: _watch_processes(over, lost)):
        yield


@contextmanager
def cluster_watched(address: str, raylet: str, lost: Lost) -> Iterator[None]:
    """Look after a cluster that exists.

    Args:
        address: `host:port` of its control store.
        raylet: `host:port` of Ray's daemon on this machine.
        lost: is told.
    """
    with _in_a_thread(lambda over: _watch_addresses(over, address, raylet, lost)):
        yield


@contextmanager
def _in_a_thread(watch: Callable[[threading.Event], None]) -> Iterator[None]:
    over = threading.Event()
    threading.Thread(target=watch, args=[over], name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch_processes(over: threading.Event, lost: Lost) -> None:
    found: set[psutil.Process] = set()
    while len(found) < len(DAEMONS + AGENTS) and not over.wait(FIND_S):
        for process in _own_processes() - found:
            found.add(process)
            threading.Thread(target=_await_end, args=[process, found, over, lost], daemon=True).start()


def _await_end(
    process: psutil.Process, found: set[psutil.Process], over: threading.Event, lost: Lost
) -> None:
    """Wait in the kernel: there is no time to lose.

    When an agent dies its raylet ends itself, and this process some 60 ms later: Ray's C++ ends a process
    whose connection to the raylet's object store breaks. It does not break while the raylet is only stopped.
    The guard ends all of them later.
    """
    process.wait()
    if not over.is_set():
        for other in found.copy():
            with suppress(psutil.Error):
                other.suspend()
        lost(f"Ray's process {process.pid} died")


def _own_processes() -> set[psutil.Process]:
    """Find the daemons that this process started, and their agents.

    No descendant further down: what a daemon has just forked has its name for a moment.
    """
    found = set()
    with suppress(psutil.Error, OSError):  # one ended meanwhile, or no descriptor is left to look with
        daemons = [child for child in psutil.Process().children() if child.name() in DAEMONS]
        found.update(daemons)
        for daemon in daemons:
            found.update(child for child in daemon.children() if child.name().startswith(AGENTS))
    return found


def _watch_addresses(over: threading.Event, address: str, raylet: str, lost: Lost) -> None:
    silent, looked = 0.0, time.monotonic()
    while not over.wait(KNOCK_S):
        # A driver whose own raylet dies is ended by Ray within seconds.
        if isinstance(knock(raylet, KNOCK_S), ConnectionRefusedError) and not over.is_set():
            lost(f"Ray's process on this machine, {raylet}, died")
        answered = knock(address, ANSWER_S) is None
        passed = min(time.monotonic() - looked, KNOCK_S + ANSWER_S)  # more: this process was stopped
        silent, looked = 0.0 if answered else silent + passed, time.monotonic()
        if silent >= SILENCE_S and not over.is_set():
            lost(f"{address} did not answer for {SILENCE_S:g} s")


def knock(address: str, timeout: float) -> OSError | None:
    """Say what keeps one from connecting to a `host:port` within some seconds, if anything."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except OSError as error:
        return error
    return None
