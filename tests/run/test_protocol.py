"""Both ends of the connection: what is sent arrives, and nothing else is taken for a message."""

import math
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from raysweep import protocol
from raysweep.protocol import (
    Assignment,
    Checkpoint,
    Connection,
    Failed,
    Finished,
    Lost,
    Message,
    NotUsed,
    Progress,
    ProtocolError,
    Ready,
    RoundEnded,
    Slots,
    Started,
    Stop,
    Train,
    Unusable,
    Wanted,
)
from raysweep.trial.settings import TrialSettings

TRIAL = TrialSettings(arch="echo", len=2, mem=4, seed=0, learning_rate=0.1 + 0.2)

MESSAGES: list[Message] = [
    Train(trials=(Assignment(settings=TRIAL, attempt=1, timeout_s=900.0, has_state=True, keep_state=True),)),
    Checkpoint(trial_id="a"),
    Stop(),
    Ready(slots=2),
    Slots(slots=3),
    Unusable(reason="none\n", logged=True),
    Lost(reason="\udcff".encode(errors="replace").decode()),
    Started(trial_id="a"),
    Progress(trial_id="a", epoch=3, loss=0.1 + 0.2, accuracy=1 / 3),
    Finished(
        trial_id="a", exact_match=None, seconds=1.5, inherited_epochs=0, host="h", sizes=(3, None, 2, None)
    ),
    Failed(trial_id="a", kind="memory", message="m", traceback="t", host="h"),
    Wanted(trial_id="a"),
    NotUsed(trial_id="a", reason="made on another processor"),
    RoundEnded(reason="", no_worker=False),
]


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """One end as a connection, the other as it is."""
    here, there = socket.socketpair()
    with there:
        connection = Connection(here)
        yield connection, there
        connection.close()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
@pytest.mark.parametrize("payload", [b"", b"\x00" * 100])
def test_a_message_arrives_as_it_was_sent(message: Message, payload: bytes) -> None:
    here, there = map(Connection, socket.socketpair())
    here.send(message, payload)
    assert there.receive() == (message, payload)
    here.close()
    there.close()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_arrives(loss: float) -> None:
    here, there = map(Connection, socket.socketpair())
    here.send(Progress(trial_id="a", epoch=1, loss=loss, accuracy=0.5))
    received, _ = there.receive()
    assert isinstance(received, Progress)
    assert received.loss == loss or (math.isnan(received.loss) and math.isnan(loss))
    here.close()
    there.close()


def test_a_payload_larger_than_every_buffer(ends: tuple[Connection, socket.socket]) -> None:
    connection, there = ends
    payload = bytes(range(256)) * 40_000
    other = Connection(there.dup())
    sender = threading.Thread(target=other.send, args=[Checkpoint(trial_id="a"), payload])
    sender.start()
    assert connection.receive() == (Checkpoint(trial_id="a"), payload)
    sender.join()
    other.close()


def frame(version: int, header: bytes, payload_size: int = 0, header_size: int | None = None) -> bytes:
    size = len(header) if header_size is None else header_size
    return struct.pack(">HIQ", version, size, payload_size) + header


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame(9, b"{}"), "of version 9, expected 1"),
        (frame(1, b"no json"), "not a message"),
        (frame(1, b'{"type":"party"}'), "not a message"),
        (frame(1, b'{"type":"ready","slots":"many"}'), "not a message"),
        (frame(1, b'{"type":"ready","slots":2,"more":1}'), "not a message"),
        (frame(1, b"", header_size=protocol.LARGEST_HEADER + 1), "too large"),
        (frame(1, b"{}", payload_size=protocol.LARGEST_PAYLOAD + 1), "too large"),
    ],
)
def test_what_is_no_message_is_refused(
    ends: tuple[Connection, socket.socket], data: bytes, words: str
) -> None:
    connection, there = ends
    there.sendall(data)
    with pytest.raises(ProtocolError, match=words):
        connection.receive()


@pytest.mark.parametrize("sent", [b"", frame(1, b'{"type":"stop"}')[:-3], frame(1, b'{"type":"stop"}', 5)])
def test_an_end_in_the_middle_is_an_end(ends: tuple[Connection, socket.socket], sent: bytes) -> None:
    connection, there = ends
    there.sendall(sent)
    there.close()
    with pytest.raises(EOFError):
        connection.receive()


def test_what_is_too_large_is_not_sent(
    ends: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, _ = ends
    monkeypatch.setattr(protocol, "LARGEST_PAYLOAD", 10)
    with pytest.raises(ProtocolError, match="too large"):
        connection.send(Checkpoint(trial_id="a"), bytes(11))


def test_sending_to_nobody_is_an_error_of_the_system(ends: tuple[Connection, socket.socket]) -> None:
    connection, there = ends
    there.close()
    with pytest.raises(OSError, match="Broken pipe"):
        connection.send(Stop())


def test_two_threads_that_send_do_not_mix(ends: tuple[Connection, socket.socket]) -> None:
    connection, there = ends
    other = Connection(there.dup())

    def send(letter: str) -> None:
        for _ in range(50):
            connection.send(Checkpoint(trial_id=letter), letter.encode() * 5_000)

    senders = [threading.Thread(target=send, args=[letter]) for letter in "ab"]
    for sender in senders:
        sender.start()
    for _ in range(100):
        message, payload = other.receive()
        assert isinstance(message, Checkpoint)
        assert payload == message.trial_id.encode() * 5_000
    for sender in senders:
        sender.join()
    other.close()
