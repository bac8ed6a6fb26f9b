"""The order of trials, without looking at those that are done."""

from typing import TYPE_CHECKING

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


class InOrder(FIFOScheduler):
    """Runs trials in the order in which they were given; Tune's own looks at all of a round for each."""

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """Choose among the few trials that have begun or are next."""
        live: set[Trial] = tune_controller.get_live_trials()  # type: ignore[no-untyped-call]  # Ray's
        pending = [trial for trial in live if trial.status == Trial.PENDING]
        return min(pending, key=lambda trial: trial.trial_id, default=None)
