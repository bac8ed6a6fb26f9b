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
"""Seconds after which an actor that was asked for is not expected any more: its place is taken, or lost."""


class TrialScheduler(FIFOScheduler):
    """Runs trials in the order in which they were given; Tune's own looks at all of a round for each.

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
        self._seen: dict[str, float] = {}

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
        pending = [trial for trial in live if trial.status == Trial.PENDING]
        new = [trial for trial in pending if trial.trial_id not in self._seen]
        self._seen.update({trial.trial_id: now for trial in new})
        late = [trial for trial in pending if now - self._seen[trial.trial_id] > ACTOR_S]
        chosen = min(new + late, key=lambda trial: trial.trial_id, default=None)
        for trial in new:
            trial.config["slots"] = self._cluster.slots
            self._fetch_state(trial)
        return chosen

    def _fetch_state(self, trial: Trial) -> None:
        """Put what a trial goes on from where a worker of any host can get it, just before it starts."""
        trial_id = trial.config["trial"]
        if trial_id in self._with_state:
            self._with_state.remove(trial_id)
            self._link.send(Wanted(trial_id=trial_id))
            if state := self._link.next_checkpoint():
                trial.config["state"] = ray.put(state)
