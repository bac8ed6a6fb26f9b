"""The order of trials, without looking at those that are done."""

from typing import TYPE_CHECKING

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


class InOrder(FIFOScheduler):
    """Runs trials in the order in which they were given; Tune's own looks at all of a round for each."""

    def __init__(self) -> None:
        """Begin with no trial chosen."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._chosen: set[str] = set()

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """Choose the first among the few live trials that has not been chosen before.

        A trial keeps the actor that was asked for when it was chosen. Were it chosen again while that one is
        starting, Tune would give it an actor that is free by then and end its own: a sweep of short trials
        would not get beyond the actor that came up first.
        """
        live: set[Trial] = tune_controller.get_live_trials()  # type: ignore[no-untyped-call]  # Ray's
        new = [t for t in live if t.status == Trial.PENDING and t.trial_id not in self._chosen]
        trial = min(new, key=lambda trial: trial.trial_id, default=None)
        if trial is not None:
            self._chosen.add(trial.trial_id)
        return trial
