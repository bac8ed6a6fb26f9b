"""Notices that the cluster is gone before Ray ends this process without a word.

A minute after the control store dies, Ray ends its driver, and no `finally` runs. A thread looks after Ray's
own processes (a private cluster), or tries to connect to the control store (one that exists), and calls
`lost` first.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import psutil

from raysweep.sweep.cluster import Cluster, knock

LOOK_S: Final = 1.0
"""Seconds between two looks."""

ANSWER_S: Final = 4.0
"""Seconds that a cluster has to answer; a first packet that is lost is sent again after one, then three."""

SILENCE_S: Final = 20.0
"""Seconds without an answer after which a cluster on other machines counts as lost."""


class Watchdog:
    """Runs for the length of a `with` block."""

    def __init__(self, cluster: Cluster, lost: Callable[[str], None]) -> None:
        """Take the cluster to look after, and what to call with the reason; it does not return."""
        self._lost = lost
        self._address = cluster.address
        self._raylet = cluster.raylet
        self._processes: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            self._processes = [psutil.Process(pid) for pid in cluster.pids]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()

    def _watch(self) -> None:
        silent, looked = 0.0, time.monotonic()
        while not self._over.wait(LOOK_S):
            if dead := next((p for p in self._processes if not _alive(p)), None):
                self._lost(f"Ray's process {dead.pid} died")
            if not self._processes:
                # A driver whose own raylet dies is ended by Ray within seconds.
                if isinstance(knock(self._raylet, LOOK_S), ConnectionRefusedError):
                    self._lost(f"Ray's process on this machine, {self._raylet}, died")
                answered = knock(self._address, ANSWER_S) is None
                passed = min(time.monotonic() - looked, LOOK_S + ANSWER_S)  # more: this process was stopped
                silent, looked = 0.0 if answered else silent + passed, time.monotonic()
                if silent >= SILENCE_S:
                    self._lost(f"{self._address} did not answer for {SILENCE_S:g} s")


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):  # no descriptor left to look with: nothing is known
        return True
