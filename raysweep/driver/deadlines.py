"""Deadlines of trials: a trial that hangs must not hold up the sweep.

A trial's time begins when it has a worker, which may be before Tune says that it runs: a worker can hang
while it takes up its next trial, too.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ray.tune.experiment import Trial

WORKER_S: Final = 900.0
"""Seconds that a trial may wait for a worker while no other trial has one."""

PAUSE_S: Final = 20.0
"""Seconds between two turns of Tune's loop from which on this process must have been stopped (Ctrl-Z): a turn
takes a second at most, and some 13 where an actor does not go when told."""


OVER: Final = (Trial.TERMINATED, Trial.ERROR)
"""What Tune calls a trial that it is done with."""


class Expired(NamedTuple):
    """A trial that is past its deadline."""

    trial: Trial
    actor: Any
    """Ray's handle of its worker; None where none came up."""
    seconds: float
    """How long it took or waited."""


@dataclass(eq=False)
class _Attempt:
    trial: Trial
    since: float
    """When it got its actor; before, when Tune made it, or a trial last had one."""
    actor: Any = None


@dataclass
class Deadlines:
    """Looks at the trials of one round in every turn of Tune's loop."""

    timeouts_s: Mapping[str, float]
    """Seconds that an attempt may take, by trial id."""
    private: bool
    """Whether the cluster is this run's own; in another, work of others may keep a trial waiting for long."""
    clock: Callable[[], float] = time.monotonic
    _live: list[_Attempt] = field(default_factory=list)
    _seen: int = 0
    """How many of the round's trials were seen; Tune adds one when another is done."""
    _looked: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._looked = self.clock()

    def expired(self, trials: list[Trial]) -> list[Expired]:
        """Return those of a round's trials that are past their deadline, each once."""
        now = self.clock()
        self._forgive_pause(now)
        self._live += [_Attempt(trial, now) for trial in trials[self._seen :]]
        self._seen = len(trials)
        self._live = [attempt for attempt in self._live if attempt.trial.status not in OVER]
        for attempt in self._live:
            actor = attempt.trial.temporary_state.ray_actor
            if actor is not None and actor is not attempt.actor:
                attempt.actor, attempt.since = actor, now
        self._wait(now)
        expired = [attempt for attempt in self._live if now - attempt.since > self._allowed(attempt)]
        self._live = [attempt for attempt in self._live if attempt not in expired]
        return [Expired(attempt.trial, attempt.actor, now - attempt.since) for attempt in expired]

    def _wait(self, now: float) -> None:
        """Count only the time in which no trial has a worker: else it may be that one's turn next."""
        if not self.private or any(attempt.actor is not None for attempt in self._live):
            for attempt in self._live:
                if attempt.actor is None:
                    attempt.since = now

    def _allowed(self, attempt: _Attempt) -> float:
        return WORKER_S if attempt.actor is None else self.timeouts_s[attempt.trial.config["trial"]]

    def _forgive_pause(self, now: float) -> None:
        """Extend every deadline by the time this process was paused: reports sent meanwhile are unread."""
        if (gap := now - self._looked) > PAUSE_S:
            for attempt in self._live:
                attempt.since += gap
        self._looked = now
