"""Notices that the cluster died, which Ray may tell its driver late, or never.

Ray's C++ may end the driver at once when its raylet dies; then the command sees the end of the connection.
Or the driver stays in Tune's loop for more than a minute.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psutil

from raysweep.driver.trust import connection_error

DAEMONS: Final = ("raylet", "gcs_server")
"""Ray's processes without which a private cluster is lost. A raylet ends itself when an agent of its dies."""

LOOK_S: Final = 0.2
"""Seconds between two looks while there is no child yet, or one that died is not of these."""

KNOCK_S: Final = 1.0
"""Seconds between two knocks at a cluster that exists."""

REPLY_S: Final = 4.0
"""Seconds that a cluster has to answer; a first packet that is lost is sent again after one, then three."""

SILENCE_S: Final = 20.0
"""Seconds without an answer after which a cluster on other machines counts as lost."""

Lost = Callable[[str], object]
"""What to call with the reason."""


def watch_children(lost: Lost) -> None:
    """Watch the daemons that this process is about to start."""
    _in_a_thread(lambda: _wait_for_children(lost))


def watch_addresses(control_store: str, raylet: str, lost: Lost) -> None:
    """Watch a cluster that exists.

    Args:
        control_store: `host:port` of the cluster's control store.
        raylet: `host:port` of Ray's daemon on this machine.
        lost: called with the reason.
    """
    _in_a_thread(lambda: _knock(control_store, raylet, lost))


def _in_a_thread(watch: Callable[[], None]) -> None:
    threading.Thread(target=watch, name="watchdog", daemon=True).start()


def _wait_for_children(lost: Lost) -> None:
    """Wait for one of the daemons to die; where the kernel has no such wait, look again and again."""
    daemons: dict[int, str] = {}
    while True:
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):  # there is none yet
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # Ray is to reap it
        alive = set()
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE:
                    alive.add(child.pid)
                if child.name() in DAEMONS:
                    daemons[child.pid] = child.name()
        for pid in daemons.keys() - alive:  # a zombie, or reaped; some systems give a zombie no name
            lost(f"Ray's process {pid} died ({daemons[pid]})")
        time.sleep(LOOK_S)


def _knock(control_store: str, raylet: str, lost: Lost) -> None:
    silent_s, looked = 0.0, time.monotonic()
    while True:
        time.sleep(KNOCK_S)
        if isinstance(connection_error(raylet, KNOCK_S), ConnectionRefusedError):
            lost(f"Ray's process on this machine, {raylet}, died")
        answered = connection_error(control_store, REPLY_S) is None
        passed_s = min(time.monotonic() - looked, KNOCK_S + REPLY_S)  # more: this process was stopped
        silent_s, looked = 0.0 if answered else silent_s + passed_s, time.monotonic()
        if silent_s >= SILENCE_S:
            lost(f"{control_store} did not answer for {SILENCE_S:g} s")
