"""The messages between the command and its driver, and the connection that carries them.

A frame is a version, the lengths of a header and of a payload, the header as JSON, and the payload's bytes.
The command sends requests, the driver events::

                 ◀── Ready, Unusable: first of all
    Train        ──▶            one round of trials
                 ◀── Started, Progress, Checkpoint + bytes, Finished + bytes, Failed, in any order
                 ◀── Wanted     a trial is about to start that may go on from a state:
    Checkpoint   ──▶            + bytes, or none where none can be used
                 ◀── NotUsed    a worker could not use that state, and begins anew
                 ◀── RoundEnded
                 ◀── Slots      nodes of a shared cluster have joined or left
    Stop         ──▶            what has come back is reported; in a round, RoundEnded; the driver exits
                 ◀── Lost       at any time: the cluster died, and the driver exits

On either side the thread that reads never sends, so that two full buffers cannot block each other for ever.
"""

import socket
import struct
import threading
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from raysweep.store.sweep_record import FailureKind, Text
from raysweep.trial.network import NetworkSource
from raysweep.trial.settings import TrialSettings

VERSION: Final = 1
"""Of the messages; the other side must speak the same."""

LARGEST_HEADER: Final = 2**26
"""Bytes of JSON: a round of 5,000 trials has some 2 MB."""

LARGEST_PAYLOAD: Final = 2**31
"""Bytes of a trial's tables or of a checkpoint."""

_PREFIX: Final = struct.Struct(">HIQ")
"""Version, length of the header, length of the payload."""


class ProtocolError(Exception):
    """The other side sent what is no message of this version."""


class _Message(BaseModel):
    # Losses may be NaN or infinite.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Assignment(_Message):
    """One trial to train."""

    settings: TrialSettings
    attempt: int
    """Which attempt of this command it is, from 1."""
    timeout_s: float
    """Seconds that the attempt may take."""
    has_state: bool
    """Whether there is a checkpoint or a state to go on from, to be asked for with `Wanted`."""
    keep_state: bool
    """Whether the state of the trained network is to be kept."""


class Train(_Message):
    """Train these trials, in this order."""

    type: Literal["train"] = "train"
    trials: tuple[Assignment, ...]
    networks: tuple[NetworkSource, ...] = ()
    """Files that the trials' networks come from; workers execute them."""


class Stop(_Message):
    """End the round now, or, between rounds, leave an existing cluster in order; the driver exits."""

    type: Literal["stop"] = "stop"


class Checkpoint(_Message):
    """As an event, save the payload; as a request, go on from it."""

    type: Literal["checkpoint"] = "checkpoint"
    trial_id: str


class Ready(_Message):
    """The cluster is up."""

    type: Literal["ready"] = "ready"
    slots: int
    """Trials that run at a time."""


class Slots(_Message):
    """Nodes have joined a shared cluster, or have left it."""

    type: Literal["slots"] = "slots"
    slots: int
    """Trials that run at a time from now on."""


class Unusable(_Message):
    """The cluster cannot be started or joined, or cannot run such trials; the driver exits."""

    type: Literal["unusable"] = "unusable"
    reason: Text
    logged: bool
    """Whether the run's log says more."""


class Lost(_Message):
    """The cluster died; the driver exits."""

    type: Literal["lost"] = "lost"
    reason: Text


class Started(_Message):
    """A worker took up a trial."""

    type: Literal["started"] = "started"
    trial_id: str


class Progress(_Message):
    """How far a trial's training is."""

    type: Literal["progress"] = "progress"
    trial_id: str
    epoch: int
    loss: float
    accuracy: float


class Finished(_Message):
    """A trained trial; the payload is its row, its predictions if any, its curve, and its state if kept."""

    type: Literal["finished"] = "finished"
    trial_id: str
    exact_match: float | None
    """None if the training diverged."""
    seconds: float
    """Tracing, training and evaluation, of the epochs that were not inherited."""
    inherited_epochs: int
    host: Text
    sizes: tuple[int, int | None, int, int | None]
    """Bytes of row, predictions, curve and state."""


class Failed(_Message):
    """An attempt at a trial failed."""

    type: Literal["failed"] = "failed"
    trial_id: str
    kind: FailureKind
    message: Text
    traceback: Text
    host: Text
    hopeless: bool = False
    """Whether another attempt would fail, too: the trial's network cannot be built."""


class Wanted(_Message):
    """A trial is about to start: send what it goes on from."""

    type: Literal["wanted"] = "wanted"
    trial_id: str


class NotUsed(_Message):
    """A worker cannot use the state that it was given, and trains the trial from the start."""

    type: Literal["not_used"] = "not_used"
    trial_id: str
    reason: Text


class RoundEnded(_Message):
    """No more events of this round will come."""

    type: Literal["round_ended"] = "round_ended"
    reason: Text
    """Why it ended early; empty if Tune ended in order."""
    no_worker: bool
    """Whether no worker came up in the round."""


Request: TypeAlias = Train | Checkpoint | Stop
_OfTrial: TypeAlias = Started | Progress | Checkpoint | NotUsed | Finished | Failed | Wanted
Event: TypeAlias = Ready | Slots | Unusable | Lost | _OfTrial | RoundEnded
Message: TypeAlias = Request | Event

_ANY: Final[TypeAdapter[Message]] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


class Connection:
    """One end of the socket pair.

    Args:
        end: a connected stream socket, which the connection owns from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        """Take the socket."""
        self._socket = end
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def send(self, message: Message, payload: bytes = b"") -> None:
        """Send one message, from any thread; wait while the other side's buffer is full.

        Raises:
            ProtocolError: the message is too large.
            OSError: the other side is gone.
        """
        header = message.model_dump_json().encode()
        if len(header) > LARGEST_HEADER or len(payload) > LARGEST_PAYLOAD:
            raise ProtocolError(f"a message of {len(header):,} + {len(payload):,} bytes is too large")
        with self._sending:
            self._socket.sendall(_PREFIX.pack(VERSION, len(header), len(payload)) + header)
            self._socket.sendall(payload)

    def receive(self) -> tuple[Message, bytes]:
        """Wait for the next message and its payload.

        Raises:
            EOFError: the other side is gone.
            ProtocolError: what came is no message of this version.
        """
        version, header_size, payload_size = _PREFIX.unpack(self._read(_PREFIX.size))
        if version != VERSION:
            raise ProtocolError(f"a message of version {version}, expected {VERSION}")
        if header_size > LARGEST_HEADER or payload_size > LARGEST_PAYLOAD:
            raise ProtocolError(f"a message of {header_size:,} + {payload_size:,} bytes is too large")
        header = self._read(header_size)
        payload = self._read(payload_size)
        try:
            return _ANY.validate_json(header), payload
        except ValidationError as error:
            raise ProtocolError(f"not a message: {error}") from error

    def _read(self, size: int) -> bytes:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            try:
                received = self._socket.recv_into(rest)
            except ConnectionError:
                received = 0
            if not received:
                raise EOFError("the other side of the connection is gone")
            rest = rest[received:]
        return bytes(data)
