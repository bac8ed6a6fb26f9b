"""The order of trials, without looking at those that are done."""

import time
from typing import TYPE_CHECKING, Final

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

START_S: Final = 60.0
"""Seconds after which an actor that was asked for is not expected any more: its place is taken, or lost."""


class InOrder(FIFOScheduler):
    """Runs trials in the order in which they were given; Tune's own looks at all of a round for each."""

    def __init__(self) -> None:
        """Begin with no trial seen."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._seen: dict[str, float] = {}

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """Choose the first of the few live trials that are new, or have waited too long for their own actor.

        Tune asks for an actor for each new trial, the chosen one first. Were a trial chosen again while its
        actor is starting, Tune would give it one that is free by then and end its own: a sweep of short
        trials would not get beyond the actor that came up first.
        """
        now = time.monotonic()
        live: set[Trial] = tune_controller.get_live_trials()  # type: ignore[no-untyped-call]  # Ray's
        pending = [trial for trial in live if trial.status == Trial.PENDING]
        new = [trial for trial in pending if trial.trial_id not in self._seen]
        self._seen.update({trial.trial_id: now for trial in new})
        late = [trial for trial in pending if now - self._seen[trial.trial_id] > START_S]
        return min(new + late, key=lambda trial: trial.trial_id, default=None)
