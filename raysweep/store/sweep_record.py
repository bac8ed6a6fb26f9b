"""Records in a results folder besides its tables: the requested sweep, its runs and its failures.

Each record is JSON with an embedded checksum; no record decides which trials are committed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from raysweep.store import checksum

FORMAT: Final = 1
"""Version of `sweep.json`; any other version is refused."""

LONGEST_HISTORY: Final = 1_000
"""Most runs in `sweep.json`, the latest ones: repeated kills must not make the file grow forever."""

LARGEST: Final = 2**24
"""Most bytes of JSON that are read."""

LONGEST_TEXT: Final = 100_000
"""Most characters kept of a message or traceback: the last characters, the most informative."""


def _storable(text: object) -> object:
    """Make text fit for JSON: shorten it, and replace lone surrogates of undecodable bytes."""
    return text[-LONGEST_TEXT:].encode(errors="replace").decode() if isinstance(text, str) else text


FailureKind = Literal["error", "worker_lost", "memory", "timeout"]
"""Reason for a failed attempt: an exception, a dead process or host, no memory, no result in time."""

Text = Annotated[str, BeforeValidator(_storable)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunEnvironment(_Document):
    """Software and hardware of a run."""

    versions: Mapping[str, Text]
    """Versions of Python, raysweep and the packages that determine the numbers, by name."""
    commit: Text | None
    """Commit of raysweep's own checkout; None if raysweep was installed without one."""
    dirty: bool | None
    """True if the checkout had uncommitted changes; None if unknown."""
    host: Text
    cpu_model: Text


class Run(RunEnvironment):
    """One call of `raysweep run`; if it was killed or is still running, it has no end."""

    started: AwareDatetime
    options: tuple[Text, ...] = ()
    """Options of the command that decided what is trained: `--set epochs=2000`, `--only arch=echo`; the
    content has what is set."""
    ended: AwareDatetime | None = None
    exit_code: int | None = None


class SweepRecord(_Document):
    """The content of `sweep.json`."""

    format: Literal[1] = FORMAT
    name: Text
    content: Mapping[str, Any]
    """The latest grid file, as read, with what `--set` set; its trials are those that the report plans by."""
    runs: tuple[Run, ...] = Field(max_length=LONGEST_HISTORY)
    """Oldest first."""
    seal: str | None = None
    """Embedded checksum, last in the file; None in memory, and in files older than checksums."""

    def begun(self, environment: RunEnvironment, options: tuple[str, ...] = ()) -> Self:
        """Return the record with one more run, which starts now."""
        run = Run(**environment.model_dump(), started=_now(), options=options)
        return self.model_copy(update={"runs": (*self.runs[1 - LONGEST_HISTORY :], run)})

    def ended(self, exit_code: int) -> Self:
        """Return the record with the end of its latest run."""
        *earlier, last = self.runs
        last = last.model_copy(update={"ended": _now(), "exit_code": exit_code})
        return self.model_copy(update={"runs": (*earlier, last)})


class Failure(_Document):
    """The last failure of a trial that is not committed."""

    trial_id: Text
    kind: FailureKind
    message: Text
    traceback: Text
    """Traceback of the worker, as text; empty if there is none."""
    attempts: int
    """Attempts at the trial in the run that gave up."""
    host: Text
    time: AwareDatetime
    seal: str | None = None
    """Embedded checksum, as in `SweepRecord`."""

    @property
    def kind_in_words(self) -> str:
        """Kind as people read it: `worker lost`."""
        return self.kind.replace("_", " ")


_D = TypeVar("_D", SweepRecord, Failure)


def to_json(document: _D) -> bytes:
    """Encode a document as indented JSON, for people and programs, with an embedded checksum."""
    return checksum.embed(
        document.model_copy(update={"seal": checksum.SLOT}).model_dump_json(indent=2).encode() + b"\n"
    )


def from_json(kind: type[_D], data: bytes | None) -> _D | None:
    """Decode a document; return None if it is absent, damaged, too large or of another format."""
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
