"""A driver's end of a connection in the test's own process."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from raysweep.driver.link import Link
from raysweep.protocol import Connection


class Left(Exception):
    """Stands for the end of the driver's process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Link, Connection]]:
    """A link, and the command's end of its connection; leaving raises `Left`."""

    def leave(code: int) -> NoReturn:
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    here, there = socket.socketpair()
    link, command = Link(Connection(here)), Connection(there)
    yield link, command
    monkeypatch.setattr("raysweep.driver.link.Link.leave", lambda self, last=None: None)
    command.close()
    for thread in threading.enumerate():
        if thread.name == "requests":
            thread.join(20)
    link._connection.close()
