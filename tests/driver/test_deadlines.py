"""Which trials are past their deadline."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.ray

NAMES = ("t0", "t1", "t2", "t3")


class Clock:
    """The time that the deadlines see; every second of it is a turn of Tune's loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.look: Callable[[], list[Any]] = list

    def __call__(self) -> float:
        return self.now

    def run(self, seconds: int) -> list[tuple[str, float]]:
        """Let time pass, and return whose deadline passed, and how many seconds that had taken."""
        expired = []
        for _ in range(seconds):
            self.now += 1
            expired += [(one.trial.config["trial"], one.seconds) for one in self.look()]
        return expired


def trial(name: str) -> Any:
    from ray.tune.experiment import Trial

    return Trial("x", stub=True, config={"trial": name})


def deadlines(trials: list[Any], *, timeout_s: float = 10.0, private: bool = True) -> Clock:
    from raysweep.driver.deadlines import Deadlines

    clock = Clock()
    made = Deadlines(dict.fromkeys(NAMES, timeout_s), private=private, clock=clock)
    clock.look = lambda: made.expired(trials)
    return clock


def give_actor(one: Any, actor: object) -> None:
    one.temporary_state.ray_actor = actor


def test_time_begins_with_the_worker_and_each_expires_once() -> None:
    first, second = trials = [trial("t0"), trial("t1")]
    clock = deadlines(trials)
    assert clock.run(100) == []
    give_actor(first, object())
    assert clock.run(5) == []
    give_actor(second, object())  # it may still be taking the trial up: nobody says that it runs
    assert clock.run(20) == [("t0", 11), ("t1", 11)]


def test_a_trial_that_is_over_does_not_expire() -> None:
    from ray.tune.experiment import Trial

    first, second = trials = [trial("t0"), trial("t1")]
    clock = deadlines(trials)
    give_actor(first, object())
    give_actor(second, object())
    assert clock.run(5) == []
    first.set_status(Trial.TERMINATED)
    assert clock.run(20) == [("t1", 11)]


def test_waiting_counts_while_nobody_has_a_worker() -> None:
    from ray.tune.experiment import Trial

    first, second = trials = [trial("t0"), trial("t1")]
    clock = deadlines(trials, timeout_s=5000.0)
    give_actor(first, object())
    assert clock.run(2000) == []
    first.set_status(Trial.TERMINATED)
    assert clock.run(1) == []  # the first one's worker may be the second one's next
    assert clock.run(1000) == [("t1", 901)]
    assert second.temporary_state.ray_actor is None


def test_in_a_cluster_of_others_waiting_never_counts() -> None:
    clock = deadlines([trial("t0")], private=False)
    assert clock.run(5000) == []


def test_a_pause_of_this_process_counts_for_nobody() -> None:
    trials = [trial("t0")]
    clock = deadlines(trials)
    give_actor(trials[0], object())
    assert clock.run(5) == []
    clock.now += 3600
    assert clock.run(4) == []
    assert clock.run(10) != []
