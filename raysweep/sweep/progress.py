"""The Tune callback: what comes back from workers goes to the ledger and to the display.

Tune calls it from its control loop, in the thread of the run. An exception in here would end the whole
round with a traceback of Tune's own, so a disk that fails is kept in `fatal` and asks the round to stop.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.stopper import NoopStopper

from raysweep.errors import SurroundingsError
from raysweep.results.clean_text import clean_text
from raysweep.results.ledger import Writer
from raysweep.results.live import Display, FinishedTrial, Scoreboard
from raysweep.results.record import Failure, FailureKind

DEADLINE_FLOOR_S: Final = 900.0
"""No trial is given less time than this, unless the user says so: start-up and a busy machine pass."""

DEADLINE_FACTOR: Final = 20.0
"""How many times its estimated cost a trial may take before it counts as hung."""


@dataclass
class Progress(Callback):
    """Commits finished trials, records failures, ends hung workers; one object for all rounds of a run."""

    writer: Writer
    board: Scoreboard
    display: Display
    retries: int
    """How often a failed trial is tried again."""
    trial_timeout: float | None
    """Seconds that one attempt may take; None for a deadline from the measured pace."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Attempts of this command that failed, by trial id."""
    hosts: dict[str, str] = field(default_factory=dict)
    """Host of each trial that has reported, by trial id."""
    fatal: SurroundingsError | None = None
    """Why nothing can be committed any more."""
    _ended: dict[str, str] = field(default_factory=dict)
    """Trials whose worker was ended here, by id, and why."""

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Give the copy of itself that Tune writes down, and nobody reads, no content."""
        return Callback, ()

    def exhausted(self, trial_id: str) -> bool:
        """Whether a trial has no attempt left."""
        return self.attempts.get(trial_id, 0) > self.retries

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Show that a worker took up a trial."""
        self.board.start(_id(trial))

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
        try:
            if checkpoint is not None:
                self.writer.put_checkpoint(trial_id, checkpoint)
            if finished is not None:
                self.writer.commit(finished["trial"])
                self._show(trial_id, finished)
        except SurroundingsError as error:
            self.fatal = error

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record why an attempt failed."""
        trial_id = _id(trial)
        if (why := self._ended.pop(trial_id, None)) is not None:
            self.fail(trial_id, "timeout", why, "")
        else:
            self.fail(trial_id, *_explain(trial))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """End the workers of trials that are past their deadline."""
        late = {t: r for t, r in self.board.running.items() if t not in self._ended and self._late(t)}
        if not late:
            return
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if (trial_id := _id(trial)) in late and actor is not None:
                seconds = time.monotonic() - late[trial_id].started
                self._ended[trial_id] = f"no result after {seconds:.0f} s; its worker was ended"
                ray.kill(actor)

    def fail(self, trial_id: str, kind: FailureKind, message: str, traceback: str) -> None:
        """Count an attempt that failed, record it and show it."""
        attempts = self.attempts[trial_id] = self.attempts.get(trial_id, 0) + 1
        failure = Failure(
            trial_id=trial_id,
            kind=kind,
            message=message,
            traceback=traceback,
            attempts=attempts,
            host=self.hosts.get(trial_id, ""),
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

    def _late(self, trial_id: str) -> bool:
        running = self.board.running[trial_id]
        allowed = self.trial_timeout or max(
            DEADLINE_FLOOR_S, DEADLINE_FACTOR * self.board.pace.seconds(running.settings)
        )
        return time.monotonic() - running.started > allowed


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
    return str(trial.config["trial"]["trial_id"])


def _explain(trial: Trial) -> tuple[FailureKind, str, str]:
    """Say what kind of failure ended an attempt, in one line, and its traceback."""
    text = clean_text(str(trial.get_error() or ""))
    cause = trial.get_pickled_error()
    if isinstance(cause, RayActorError):
        kind: FailureKind = "memory" if "memory" in text.lower() and "OOM" in text else "worker lost"
        return kind, "its process died" if isinstance(cause, ActorDiedError) else "its host is gone", text
    lines = text.strip().splitlines() or ["no reason was given"]
    return "error", lines[-1].strip() if isinstance(cause, RayTaskError) else lines[0], text
