"""The driver's end of the connection: one thread reads requests, any thread sends events, one leaves."""

import os
import queue
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from raysweep.protocol import Checkpoint, Connection, Event, Lost, ProtocolError, Request, Stop


class Link:
    """The driver's connection to the command: its requests come in, events go out.

    Attributes:
        stopping: set when the command wants the round to end.
    """

    def __init__(self, connection: Connection) -> None:
        """Begin to read."""
        self.stopping = threading.Event()
        self._connection = connection
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._checkpoints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._leaving = threading.Lock()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def next_request(self) -> Request:
        """Wait for the next request to train or to stop."""
        return self._requests.get()

    def next_checkpoint(self) -> bytes:
        """Wait for the state that was asked for; empty if there is none to go on from."""
        return self._checkpoints.get()

    def send(self, event: Event, payload: bytes = b"") -> None:
        """Send an event; exit if the command is gone."""
        try:
            self._connection.send(event, payload)
        except OSError:
            self.leave()

    def lost(self, reason: str) -> NoReturn:
        """Report that the cluster died, and exit."""
        self.leave(Lost(reason=reason))

    def leave(self, last: Event | None = None) -> NoReturn:
        """Send a last event and exit at once: the first thread that comes here does, all others wait.

        No `finally` runs and Ray is not shut down: the keeper ends all that the driver started.
        """
        self._leaving.acquire()
        with suppress(OSError):
            if last is not None:
                self._connection.send(last)
        with suppress(Exception):  # a full disk
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)

    def _read(self) -> None:
        with suppress(EOFError, ProtocolError):
            while True:
                request, payload = self._connection.receive()
                if isinstance(request, Stop):
                    self.stopping.set()
                if isinstance(request, Checkpoint):
                    self._checkpoints.put(payload)
                else:
                    self._requests.put(request)  # type: ignore[arg-type]  # the command sends no events
        self.leave()
