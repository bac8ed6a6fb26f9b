"""The Tune callback: reports to the command what happens to each trial.

Tune calls it from its control loop. An exception in here would end the whole round with a traceback of
Tune's own: what goes wrong with a trial is a failed attempt of that trial.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.stopper import NoopStopper

from raysweep.driver.cluster import Cluster
from raysweep.driver.deadlines import Deadlines
from raysweep.driver.failure_causes import Cause, cause_of, plain_text
from raysweep.driver.link import Link
from raysweep.protocol import Checkpoint, Failed, Finished, NotUsed, Progress, RoundEnded, Started

logger = logging.getLogger(__name__)


@dataclass
class ReportingCallback(Callback):
    """Reports one round, and ends the workers of trials that are past their deadline."""

    link: Link
    cluster: Cluster
    deadlines: Deadlines
    no_worker: bool = False
    """Whether the round should end because its trials wait for workers in vain."""
    running: dict[str, str] = field(default_factory=dict)
    """Ray's id of the actor that trains each trial that runs, by trial id."""
    _hosts: dict[str, str] = field(default_factory=dict)
    """Host of each trial that has reported, by trial id."""
    _killed: dict[str, str] = field(default_factory=dict)
    """Trials whose worker was killed here, by id, and why."""

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Pickle as an empty callback: Tune pickles it, and nobody reads that back."""
        return Callback, ()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Report that a worker took up a trial."""
        trial.config.pop("state", None)  # the worker has it
        actor = trial.temporary_state.ray_actor
        self.running[_id(trial)] = "" if actor is None else actor._actor_id.hex()
        self.link.send(Started(trial_id=_id(trial)))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Take the payload out of the result, so that none of it stays in Tune's state, and report it."""
        trial_id = _id(trial)
        self._hosts[trial_id] = str(result.get("hostname", ""))
        if network_error := result.pop("network_error", ""):
            trace = plain_text(result.pop("traceback"))
            self.fail(trial_id, Cause("error", plain_text(network_error), trace, hopeless=True))
            return
        finished, checkpoint = result.pop("finished", None), result.pop("checkpoint", None)
        numbers = {name: result[name] for name in ("epoch", "loss", "accuracy")}
        self.link.send(Progress(trial_id=trial_id, **numbers))
        if reason := result.pop("not_used", ""):
            self.link.send(NotUsed(trial_id=trial_id, reason=plain_text(reason)))
        if checkpoint is not None:
            self.link.send(Checkpoint(trial_id=trial_id), checkpoint)
        if finished is not None:
            self._finish(trial_id, finished)

    def _finish(self, trial_id: str, finished: Mapping[str, Any]) -> None:
        try:
            message, payload = _packed(trial_id, finished, self._hosts[trial_id])
            self.link.send(message, payload)
        except Exception as error:
            logger.exception("the result of %s cannot be sent", trial_id)
            words = f"{type(error).__name__}: {plain_text(str(error))}"
            self.fail(trial_id, Cause("error", words, traceback.format_exc()))
        else:
            self.running.pop(trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Report why an attempt failed."""
        trial_id = _id(trial)
        if (why := self._killed.pop(trial_id, None)) is not None:
            self.fail(trial_id, Cause("timeout", why, ""))
        else:
            self.fail(trial_id, cause_of(trial, self.cluster))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Leave if the command wants the round to end; else kill workers that are past their deadline."""
        if self.link.stopping.is_set():
            self.link.leave(RoundEnded(reason="stopped", no_worker=False))
        for trial, actor, seconds in self.deadlines.expired(trials):
            if actor is None:
                self.fail(_id(trial), Cause("timeout", f"no worker came up in {int(seconds)} s", ""))
                self.no_worker = True
            else:
                self._killed[_id(trial)] = f"no result after {int(seconds)} s; its worker was killed"
                ray.kill(actor)

    def fail(self, trial_id: str, cause: Cause) -> None:
        """Report an attempt that failed."""
        self.running.pop(trial_id, None)
        host = self._hosts.get(trial_id, self.cluster.host)
        self.link.send(Failed(trial_id=trial_id, host=host, **cause._asdict()))


class StopWhen(Stopper):
    """Ends a round early when asked to."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        """Take the question to ask after every event."""
        self._asked = asked

    def __reduce__(self) -> tuple[type[Stopper], tuple[()]]:
        """Pickle as one that never stops: Tune pickles it, and nobody reads that back."""
        return NoopStopper, ()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        return False

    def stop_all(self) -> bool:
        """Return whether the round should end now."""
        return self._asked()


def _packed(trial_id: str, finished: Mapping[str, Any], host: str) -> tuple[Finished, bytes]:
    """Return the message of a finished trial; the trial's tables and state are the message's payload."""
    encoded, state = finished["trial"], finished["state"]
    parts = encoded.trials, encoded.predictions, encoded.curves, state
    message = Finished(
        trial_id=trial_id,
        exact_match=finished["exact_match"],
        seconds=finished["seconds"],
        inherited_epochs=finished["inherited_epochs"],
        host=host,
        sizes=tuple(None if part is None else len(part) for part in parts),
    )
    return message, b"".join(part or b"" for part in parts)


def _id(trial: Trial) -> str:
    return str(trial.config["trial"])
