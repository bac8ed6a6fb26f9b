"""What a results folder says besides its tables: the sweep that was asked for, its runs, its failures.

All of it is JSON that carries its own checksum; none of it decides which trials are done.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from raysweep.store import checksum

FORMAT: Final = 1
"""Version of `sweep.json`; another one is refused."""

LONGEST_HISTORY: Final = 1_000
"""Runs that `sweep.json` remembers, the latest ones: a run that is killed again and again must not
make the file grow for ever."""

LARGEST: Final = 2**24
"""Bytes of JSON that are read at most."""

LONGEST_TEXT: Final = 100_000
"""Characters of a message or traceback that are kept: the last ones say most."""


def _storable(text: object) -> object:
    """Text as JSON can hold it: not for ever long, no lone surrogates of undecodable bytes."""
    return text[-LONGEST_TEXT:].encode(errors="replace").decode() if isinstance(text, str) else text


FailureKind = Literal["error", "worker lost", "memory", "timeout"]
"""Why an attempt failed: an exception, a dead process or host, no memory, no result in time."""

Text = Annotated[str, BeforeValidator(_storable)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunEnvironment(_Document):
    """Where and with what a run was made."""

    versions: Mapping[str, Text]
    """Of Python, raysweep and the packages that decide the numbers, by name."""
    commit: Text | None
    """Of raysweep's own checkout; None where it was installed without one."""
    dirty: bool | None
    """Whether that checkout had changes that were not committed."""
    host: Text
    cpu_model: Text


class Run(RunEnvironment):
    """One call of `raysweep run`; without an end where it was killed, or still runs."""

    started: AwareDatetime
    ended: AwareDatetime | None = None
    exit_code: int | None = None


class SweepRecord(_Document):
    """The content of `sweep.json`."""

    format: Literal[1] = FORMAT
    name: Text
    content: Mapping[str, Any]
    """The latest grid file that was asked for, as read: what the report calls planned."""
    runs: tuple[Run, ...] = Field(max_length=LONGEST_HISTORY)
    """Oldest first."""
    seal: str | None = None
    """The file's checksum, last in it; none in those of before there was one, and none in memory."""

    def begun(self, environment: RunEnvironment) -> Self:
        """The record with one more run, which starts now."""
        run = Run(**environment.model_dump(), started=_now())
        return self.model_copy(update={"runs": (*self.runs[1 - LONGEST_HISTORY :], run)})

    def ended(self, exit_code: int) -> Self:
        """The record with the end of its latest run."""
        *earlier, last = self.runs
        last = last.model_copy(update={"ended": _now(), "exit_code": exit_code})
        return self.model_copy(update={"runs": (*earlier, last)})


class Failure(_Document):
    """The last failure of a trial that is not done."""

    trial_id: Text
    kind: FailureKind
    message: Text
    traceback: Text
    """Of the worker, as text; empty where there is none."""
    attempts: int
    """Attempts made at the trial in the run that gave up."""
    host: Text
    time: AwareDatetime
    seal: str | None = None
    """As in `SweepRecord`."""


_D = TypeVar("_D", SweepRecord, Failure)


def to_json(document: _D) -> bytes:
    """The document as indented JSON, for people and programs, sealed."""
    return checksum.embed(
        document.model_copy(update={"seal": checksum.SLOT}).model_dump_json(indent=2).encode() + b"\n"
    )


def from_json(kind: type[_D], data: bytes | None) -> _D | None:
    """Read a document; None where it is absent, not what was written, too large or of another format."""
    if data is None or len(data) > LARGEST:
        return None
    try:
        document = kind.model_validate_json(data)
    except ValidationError:
        return None
    whole = document.seal is None or checksum.is_intact(data)
    return document.model_copy(update={"seal": None}) if whole else None


def _now() -> datetime:
    return datetime.now(UTC)
