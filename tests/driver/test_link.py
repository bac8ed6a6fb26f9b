"""The driver's end of the connection: requests in, events out, and one way to leave."""

import socket
import subprocess
import sys
import threading
import time

import pytest

from raysweep.driver.link import Link
from raysweep.protocol import Checkpoint, Connection, Lost, Ready, RoundEnded, Stop, Train
from tests.driver.conftest import Left


def test_requests_arrive_in_order_and_checkpoints_apart(ends: tuple[Link, Connection]) -> None:
    link, command = ends
    command.send(Train(trials=()))
    command.send(Checkpoint(trial_id="a"), b"weights")
    command.send(Checkpoint(trial_id="b"))
    command.send(Stop())
    assert link.next_request() == Train(trials=())
    assert [link.next_checkpoint(), link.next_checkpoint()] == [b"weights", b""]
    assert link.next_request() == Stop()  # between two rounds: a request like another
    assert link.stopping.is_set()  # in a round: a flag


def test_the_last_event_is_sent_and_no_other_thread_leaves(ends: tuple[Link, Connection]) -> None:
    link, command = ends
    link.send(Ready(slots=2))
    with pytest.raises(Left):
        link.leave(RoundEnded(reason="stopped", no_worker=False))
    late = threading.Thread(target=link.lost, args=["too late"], daemon=True)
    late.start()
    late.join(0.2)
    assert late.is_alive()  # it waits, for the process ends
    assert command.receive()[0] == Ready(slots=2)
    assert command.receive()[0] == RoundEnded(reason="stopped", no_worker=False)


def test_text_that_is_not_clean_is_sent_all_the_same(ends: tuple[Link, Connection]) -> None:
    link, command = ends
    link.send(Lost(reason="caf\udce9"))
    assert command.receive()[0] == Lost(reason="caf?")


SCRIPT = """
import socket, sys, time
from raysweep.driver.link import Link
from raysweep.protocol import *
link = Link(Connection(socket.socket(fileno=int(sys.argv[1]))))
{body}
time.sleep(60)
sys.exit(7)
"""


@pytest.mark.parametrize(
    ("body", "close"),
    [
        ("", True),  # nobody asks for anything: the reader notices
        ("time.sleep(0.5)\nwhile True: link.send(Ready(slots=1))", True),  # or whoever sends
        ("link.leave()", False),
    ],
)
def test_a_driver_without_a_command_exits(body: str, close: bool) -> None:
    here, there = socket.socketpair()
    line = [sys.executable, "-c", SCRIPT.format(body=body), str(there.fileno())]
    with subprocess.Popen(line, pass_fds=[there.fileno()]) as driver:
        there.close()
        if close:
            here.close()
        end = time.monotonic() + 20
        while driver.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        driver.kill()
    here.close()
    assert driver.returncode == 0
