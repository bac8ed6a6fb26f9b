"""The command's view of its driver: started, listened to, and ended by way of the keeper."""

import queue
import select
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Final, Self

from raysweep.control_groups import OomKills
from raysweep.driver import keeper
from raysweep.driver.variables import ClusterRequest
from raysweep.errors import ClusterError, SurroundingsError
from raysweep.protocol import Connection, Lost, Message, ProtocolError, Request, Stop, Unusable
from raysweep.run.signals import Signals, blocked
from raysweep.run.surroundings import driver_command, driver_environment
from raysweep.run.temporary import temporary_folder, temporary_folder_error

OWN_SIGNAL_S: Final = 0.25
"""Seconds that a signal to every process may come to this one after Ray's processes died of it."""

DISMISSED_S: Final = 10.0
"""Seconds that a driver may take to leave an existing cluster."""

CLEARED_S: Final = 15.0
"""Seconds that the keeper may take to end a driver and to remove its folder."""


class Interrupted(Exception):
    """The driver ended, and a signal is the reason."""


class Refused(ClusterError):
    """The cluster cannot be used, and the message is complete: the log says no more."""


class Driver:
    """A driver and its keeper, from `with` to the end of the block.

    Args:
        signals: wake whoever waits for the driver.
        log: takes what Ray, Tune and TensorFlow print.
        cluster: what the driver is to start or to join.
    """

    def __init__(self, signals: Signals, log: BinaryIO, cluster: ClusterRequest) -> None:
        """Start the keeper, which starts the driver."""
        self._signals = signals
        self._folder = temporary_folder()
        self._reason = ""
        self._oom_kills = OomKills()
        self._requests: queue.SimpleQueue[tuple[Request, bytes] | None] = queue.SimpleQueue()
        our_end, driver_end = socket.socketpair()
        self._keeper_socket, keeper_stdin = socket.socketpair()
        with driver_end, keeper_stdin:
            self._keeper = self._start_keeper(driver_end, keeper_stdin, log, cluster)
        self._connection = Connection(our_end)
        threading.Thread(target=self._send_requests, name="requests", daemon=True).start()

    def _start_keeper(
        self, driver_end: socket.socket, keeper_stdin: socket.socket, log: BinaryIO, cluster: ClusterRequest
    ) -> "subprocess.Popen[bytes]":
        """Start the keeper with all signals that end a run blocked, in it and in whatever it starts."""
        path = keeper.__file__
        command = [sys.executable, "-I", "-S", path, str(self._folder), str(driver_end.fileno())]
        try:
            with blocked():
                return subprocess.Popen(
                    [*command, *driver_command(driver_end.fileno(), cluster)],
                    env=driver_environment(self._folder, private=cluster.address is None),
                    stdin=keeper_stdin.fileno(),
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    pass_fds=[driver_end.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            raise SurroundingsError(f"no process can be started here: {error.strerror}") from error

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the driver and everything that it started, and wait until all of it is gone."""
        self._requests.put(None)
        self._keeper_socket.close()
        try:
            self._keeper.wait(CLEARED_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        self._clear()
        self._connection.close()

    def send(self, request: Request, payload: bytes = b"") -> None:
        """Send a request, without waiting until the driver takes it."""
        self._requests.put((request, payload))

    def dismiss(self) -> None:
        """Let the driver leave its cluster in order, after the last round."""
        self.send(Stop())
        with suppress(ClusterError, Interrupted):
            while self.receive(until_signal=True, timeout_s=DISMISSED_S):
                pass

    def receive(self, *, until_signal: bool, timeout_s: float | None = None) -> tuple[Message, bytes] | None:
        """Wait for the driver's next event and its payload.

        Args:
            until_signal: return None as soon as a signal has come.
            timeout_s: seconds after which the cluster counts as lost; None for ever.

        Raises:
            ClusterError: the cluster cannot be used, or was lost.
            Interrupted: it was, and a signal is the reason.
        """
        while True:
            watched: list[Connection | socket.socket | Signals] = [self._connection]
            watched += [self._keeper_socket] if self._keeper.returncode is None else []
            watched += [self._signals] if until_signal else []
            ready = select.select(watched, [], [], timeout_s)[0]
            if not ready:
                raise ClusterError(f"Ray did not answer within {timeout_s:g} s")
            if self._signals in ready:
                return None
            if self._connection in ready:
                try:
                    message, payload = self._connection.receive()
                except EOFError:
                    raise self._ended() from None
                except ProtocolError as error:
                    raise ClusterError(f"The driver's message cannot be understood: {error}") from error
                if isinstance(message, Unusable):
                    raise ClusterError(message.reason) if message.logged else Refused(message.reason)
                if not isinstance(message, Lost):
                    return message, payload
                self._reason = message.reason
            else:  # the keeper ended: what the driver has sent is read next, then the end
                self._keeper.wait()
                self._clear()

    def _ended(self) -> Exception:
        """Say why the driver ended."""
        if self._signals.wait(OWN_SIGNAL_S):
            return Interrupted()
        with suppress(subprocess.TimeoutExpired):
            self._keeper.wait(CLEARED_S)
        code = self._keeper.returncode
        if code == keeper.NO_FOLDER:
            reason = self._keeper_socket.recv(1000).decode(errors="replace")
            return temporary_folder_error(self._folder.parent, reason)
        if code is not None and code < 0:
            return ClusterError(f"The cluster was lost: its keeper was killed by signal {-code}")
        if code is None:
            how = f"and its keeper did not within {CLEARED_S:g} s"
        else:
            how = f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"
        why = self._reason or f"its driver ended ({how})"
        if self._oom_kills.happened():
            why += ", and the kernel ended a process: this container's memory is used up"
        return ClusterError(f"The cluster was lost: {why}")

    def _clear(self) -> None:
        """Do what the keeper, which has ended, may have been unable to do."""
        if self._keeper.returncode < 0 or self._folder.exists():
            keeper.clear(self._folder, self._keeper.pid)

    def _send_requests(self) -> None:
        with suppress(OSError):  # whoever reads will notice
            while item := self._requests.get():
                self._connection.send(*item)
