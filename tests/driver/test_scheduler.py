"""Which trial Tune is told to run next."""

from dataclasses import dataclass, field
from typing import Any

import pytest

pytestmark = pytest.mark.ray


@dataclass
class Live:
    """The trials that are not done, as Tune's controller shows them to a scheduler."""

    trials: set[Any] = field(default_factory=set)

    def get_live_trials(self) -> set[Any]:
        return self.trials


@dataclass
class ClusterOf:
    """What a scheduler knows of a cluster."""

    slots: int


def test_a_trial_is_chosen_once_unless_its_actor_does_not_come() -> None:
    from ray.tune.experiment import Trial

    from raysweep.driver.scheduler import ACTOR_S, TrialScheduler

    now = 0.0
    nobody: Any = None
    first, second, third = (
        Trial("x", stub=True, trial_id=f"a_0000{n}", config={"trial": f"t{n}"}) for n in range(3)
    )
    cluster: Any = ClusterOf(7)
    order: Any = TrialScheduler(nobody, cluster, clock=lambda: now)
    live = Live({second, first})
    assert order.choose_trial_to_run(live) is first
    assert second.config == {"trial": "t1", "slots": 7}  # its worker is told
    assert order.choose_trial_to_run(live) is None  # both have an actor that starts
    first.set_status(Trial.RUNNING)
    live.trials.add(third)
    assert order.choose_trial_to_run(live) is third  # not the second, whose actor would be ended for it
    third.set_status(Trial.RUNNING)
    assert order.choose_trial_to_run(live) is None
    now = ACTOR_S + 1
    assert order.choose_trial_to_run(live) is second
    second.set_status(Trial.TERMINATED)
    assert order.choose_trial_to_run(live) is None


def test_actors_that_start_slowly_are_waited_for() -> None:
    from ray.tune.experiment import Trial

    from raysweep.driver.scheduler import ACTOR_S, TrialScheduler

    now = 0.0
    nobody: Any = None
    trials = [Trial("x", stub=True, trial_id=f"a_0000{n}", config={"trial": f"t{n}"}) for n in range(4)]
    cluster: Any = ClusterOf(4)
    order: Any = TrialScheduler(nobody, cluster, clock=lambda: now)
    live = Live(set(trials))
    assert order.choose_trial_to_run(live) is trials[0]
    now = ACTOR_S + 30
    trials[1].set_status(Trial.RUNNING)  # its actor has come, after 90 s
    trials[2].set_status(Trial.RUNNING)
    assert order.choose_trial_to_run(live) is None  # the others' may come as late
    now = 2 * (ACTOR_S + 30) + 1
    assert order.choose_trial_to_run(live) is trials[0]
    assert order.choose_trial_to_run(live) is trials[0]  # until an actor is free for it
    trials[0].set_status(Trial.RUNNING)  # which says nothing of its own actor
    assert order.choose_trial_to_run(live) is trials[3]
