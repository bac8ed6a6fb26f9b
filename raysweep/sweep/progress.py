"""The Tune callback: what comes back from workers goes to the ledger and to the display.

Tune calls it from its control loop, in the thread of the run. A commit waits for the disk six times, and no
worker gets its next trial while that loop waits; so a thread of its own commits, one trial after the other.
An exception in here would end the whole round with a traceback of Tune's own: a disk that fails is kept in
`fatal` and asks the round to stop, all else that goes wrong is a failed attempt of its trial.
"""

import logging
import re
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import ray
from ray import cloudpickle
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.tune import Callback, Stopper, TuneError
from ray.tune.experiment import Trial
from ray.tune.stopper import NoopStopper

from raysweep.errors import ResultsError, SurroundingsError
from raysweep.results.clean_text import clean_text
from raysweep.results.ledger import Writer
from raysweep.results.live import Display
from raysweep.results.record import Failure, FailureKind
from raysweep.results.scoreboard import FinishedTrial, Scoreboard
from raysweep.sweep.deadlines import Deadlines
from raysweep.sweep.interrupts import Interrupts

MOST_WRITES: Final = 4
"""Writes that may wait for the disk; with more, the control loop waits. A `kill -9` costs what waits."""

logger = logging.getLogger(__name__)

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
"""What Ray colours its tracebacks with."""


class _Write(NamedTuple):
    """Something of a trial that is on its way to the disk."""

    trial_id: str
    finished: Mapping[str, Any] | None
    """What the worker said of the trial, where this is its commit."""
    future: "Future[None]"


@dataclass
class Progress(Callback):
    """Commits finished trials, records failures, ends hung workers; one object for all rounds of a run."""

    writer: Writer
    disk: Executor
    """The one thread that commits."""
    board: Scoreboard
    display: Display
    retries: int
    """How often a failed trial is tried again."""
    deadlines: Deadlines
    interrupts: Interrupts
    host: str = ""
    """Where a trial that has not reported yet runs, if that can only be one host."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Attempts of this command that failed, by trial id."""
    hosts: dict[str, str] = field(default_factory=dict)
    """Host of each trial that has reported, by trial id."""
    actors: dict[str, str] = field(default_factory=dict)
    """Ray's id of the actor that trains each trial, or trained it last, by trial id."""
    fatal: SurroundingsError | None = None
    """Why nothing can be committed any more."""
    start_over: bool = False
    """Whether the round should end because its trials wait for workers in vain."""
    fruitless: int = 0
    """Rounds in a row that ended so, without any worker."""
    _writes: deque[_Write] = field(default_factory=deque)
    """What the disk has not taken yet, or taken without being asked how it went; the oldest first."""
    _ended: dict[str, str] = field(default_factory=dict)
    """Trials whose worker was ended here, by id, and why."""

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Give the copy of itself that Tune writes down, and nobody reads, no content."""
        return Callback, ()

    def exhausted(self, trial_id: str) -> bool:
        """Whether a trial has no attempt left."""
        return self.attempts.get(trial_id, 0) > self.retries

    def setup(self, *_: Any, **info: Any) -> None:
        """Begin a round."""
        self.start_over = False
        self.deadlines.begin_round()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show that a worker took up a trial."""
        self.fruitless = 0
        self.board.start(_id(trial))
        self._ended.pop(_id(trial), None)  # of an attempt in a round that ended before it did
        if (actor := trial.temporary_state.ray_actor) is not None:
            self.actors[_id(trial)] = actor._actor_id.hex()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Take the payload out of the result, so that none of it stays in Tune's state, and commit it."""
        trial_id = _id(trial)
        self.hosts[trial_id] = str(result.get("hostname", ""))
        finished, checkpoint = result.pop("finished", None), result.pop("checkpoint", None)
        self.board.progress(trial_id, result["epoch"], result["loss"], result["accuracy"])
        if self.fatal is not None:
            return
        if checkpoint is not None:
            written = self.disk.submit(self.writer.put_checkpoint, trial_id, checkpoint)
            self._writes.append(_Write(trial_id, None, written))
        if finished is not None:
            self.board.trained(trial_id)
            written = self.disk.submit(self.writer.commit, finished["trial"])
            self._writes.append(_Write(trial_id, finished, written))
        self.settle(MOST_WRITES)

    def settle(self, most: int = 0) -> None:
        """Show what is committed by now, and wait for the disk while more than `most` writes wait for it."""
        while self._writes and (self._writes[0].future.done() or len(self._writes) > most):
            self._settle(self._writes.popleft())

    def _settle(self, write: _Write) -> None:
        try:
            write.future.result()
        except SurroundingsError as error:
            self.fatal = self.fatal or error
            self._give_up_writing()
        except ResultsError as error:  # what came back is not that trial's
            self.fail(write.trial_id, "error", str(error), "")
        except Exception as error:  # ours, and still that trial's alone
            logger.exception("%s cannot be committed", write.trial_id)
            message = f"{type(error).__name__}: {plain_text(str(error))}"
            self.fail(write.trial_id, "error", message, traceback.format_exc())
        else:
            if write.finished is not None:
                self._show(write.trial_id, write.finished)

    def _give_up_writing(self) -> None:
        """Take back what waits for a disk that fails; what the thread has begun, it ends."""
        self._writes = deque(write for write in self._writes if not write.future.cancel())

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record why an attempt failed."""
        if self.interrupts.pending:  # the signal may have gone to its worker, too
            return
        trial_id = _id(trial)
        if (why := self._ended.pop(trial_id, None)) is not None:
            self.fail(trial_id, "timeout", why, "")
        else:
            self.fail(trial_id, *_explain(trial))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Show what is committed, and end the workers of trials that are past their deadline."""
        self.settle(MOST_WRITES)
        for trial, actor, seconds in self.deadlines.late(trials):
            if actor is None:
                self.fail(_id(trial), "timeout", f"no worker came up in {int(seconds)} s", "")
                self.fruitless += not self.start_over
                self.start_over = True
            else:
                self._ended[_id(trial)] = f"no result after {int(seconds)} s; its worker was ended"
                ray.kill(actor)

    def fail(self, trial_id: str, kind: FailureKind, message: str, trace: str) -> None:
        """Count an attempt that failed, record it and show it."""
        attempts = self.attempts[trial_id] = self.attempts.get(trial_id, 0) + 1
        failure = Failure(
            trial_id=trial_id,
            kind=kind,
            message=message,
            traceback=trace,
            attempts=attempts,
            host=self.hosts.get(trial_id, self.host),
            time=datetime.now(UTC),
        )
        what = message if kind == "error" else f"{kind} ({message})"
        self.display.failed(self.board.fail(trial_id, what, again=not self.exhausted(trial_id)))
        try:
            self.writer.record_failure(failure)
        except SurroundingsError as error:
            self.fatal = self.fatal or error

    def _show(self, trial_id: str, finished: Mapping[str, Any]) -> None:
        trial = FinishedTrial(self.board.planned[trial_id], finished["exact_match"], finished["seconds"])
        self.board.finish(trial_id, trial)
        self.display.finished(trial)


class StopWhen(Stopper):
    """Ends a round early when asked to: an interrupt, a disk that cannot be written."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        """Take the question to ask after every event."""
        self._asked = asked

    def __reduce__(self) -> tuple[type[Stopper], tuple[()]]:
        """Give the copy of itself that Tune writes down, and nobody reads, no content."""
        return NoopStopper, ()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether the round should end now."""
        return self._asked()


def _id(trial: Trial) -> str:
    return str(trial.config["trial"])


def _explain(trial: Trial) -> tuple[FailureKind, str, str]:
    """Say what kind of failure ended an attempt, in one line, and its traceback."""
    cause = _cause(trial)
    text = plain_text(str(cause))
    if isinstance(cause, RayActorError):
        if not isinstance(cause, ActorDiedError):
            return "worker lost", "its host does not answer", text
        return "worker lost", "its host was lost" if "node has died" in text else "its process died", text
    original = cause.cause if isinstance(cause, RayTaskError) else cause
    first_line = plain_text(str(original)).strip().partition("\n")[0]
    return (
        "error",
        f"{type(original).__name__}: {first_line}" if first_line else type(original).__name__,
        text,
    )


def _cause(trial: Trial) -> Exception:
    """Read the error that Tune has just written down in this run's own temporary folder."""
    # `Trial.get_pickled_error` looks where it is copied to later.
    try:
        return cast("Exception", cloudpickle.loads(Path(trial.pickled_error_file or "").read_bytes()))
    except Exception:  # an exception class may do anything when it is unpickled
        logger.exception("the failure of %s cannot be read; its text follows", trial)
        text = Path(trial.error_file or "")
        return TuneError(text.read_text(errors="replace") if text.is_file() else "no reason was given")


def plain_text(text: str) -> str:
    """Take the colours out of a message of Ray's, and whatever else could steer a terminal."""
    return clean_text(_COLOURS.sub("", text))
