"""Tune's scheduler: the order of trials, and what a trial is given when it starts."""

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

import ray
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from raysweep.driver.cluster import Cluster
from raysweep.driver.link import Link
from raysweep.protocol import Wanted

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

ACTOR_S: Final = 60.0
"""Seconds after which an actor that was asked for is not expected any more: its place is taken, or lost.

Where actors have taken longer, because many start at once or from a slow disk, it is twice the longest time.
"""


class TrialScheduler(FIFOScheduler):
    """Runs trials in the order in which they were given; Tune's own scans the whole round for each choice.

    Args:
        link: where states are asked for.
        cluster: whose slots the workers of new trials are told.
        with_state: ids of the trials that have something to go on from.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        link: Link,
        cluster: Cluster,
        with_state: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no trial seen."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._link, self._cluster, self._with_state, self._clock = link, cluster, set(with_state), clock
        self._seen: set[str] = set()
        self._waiting: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._longest_s = 0.0

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        """Pickle as Tune's own: Tune pickles it, and nobody reads that back."""
        return FIFOScheduler, ()

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """Choose the first of the few live trials that are new, or have waited too long for their own actor.

        Tune asks for an actor for each new trial, the chosen one first. Were a trial chosen again while its
        actor is starting, Tune would give it one that is free by then and end its own: a sweep of short
        trials would not get beyond the actor that came up first.
        """
        now = self._clock()
        live: set[Trial] = tune_controller.get_live_trials()  # type: ignore[no-untyped-call]  # Ray's
        pending = {trial.trial_id: trial for trial in live if trial.status == Trial.PENDING}
        self._note_starts(pending, now)
        new = [trial for trial_id, trial in pending.items() if trial_id not in self._seen]
        for trial in new:
            self._seen.add(trial.trial_id)
            self._waiting[trial.trial_id] = now
        late_s = max(ACTOR_S, 2 * self._longest_s)
        late = [pending[trial_id] for trial_id, since in self._waiting.items() if now - since > late_s]
        chosen = min(new + late, key=lambda trial: trial.trial_id, default=None)
        if chosen in late:
            self._given_up.add(chosen.trial_id)
        for trial in new:
            self._prepare(trial)
        return chosen

    def _note_starts(self, pending: Collection[str], now: float) -> None:
        """Note how long trials waited for their own actors that have come."""
        for trial_id in self._waiting.keys() - pending:
            waited_s = now - self._waiting.pop(trial_id)
            if trial_id not in self._given_up:
                self._longest_s = max(self._longest_s, waited_s)

    def _prepare(self, trial: Trial) -> None:
        """Tell a trial's worker the slots, and where it gets what the trial goes on from, on any host."""
        trial.config["slots"] = self._cluster.slots
        trial_id = trial.config["trial"]
        if trial_id in self._with_state:
            self._with_state.remove(trial_id)
            self._link.send(Wanted(trial_id=trial_id))
            if state := self._link.next_checkpoint():
                trial.config["state"] = ray.put(state)
