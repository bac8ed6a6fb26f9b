"""Which trials have had their time."""

from collections.abc import Callable
from typing import Any

import pytest

from raysweep.cost import Pace
from raysweep.results.scoreboard import Scoreboard
from raysweep.settings import TrialSettings

pytestmark = pytest.mark.ray

SETTINGS = {f"t{n}": TrialSettings(arch="echo", len=2, mem=4, seed=n) for n in range(4)}


class Clock:
    """The time that the deadlines see; every second of it is a turn of Tune's loop."""

    def __init__(self, look: Callable[[], list[Any]]) -> None:
        self.now, self._look = 0.0, look

    def run(self, seconds: int) -> list[tuple[str, float]]:
        """Let time pass, and return who was late, and how many seconds that had taken."""
        late = []
        for _ in range(seconds):
            self.now += 1
            late += [(one.trial.config["trial"], one.seconds) for one in self._look()]
        return late


def trial(name: str) -> Any:
    from ray.tune.experiment import Trial

    return Trial("x", stub=True, config={"trial": name})


def deadlines(trials: list[Any], monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, Clock]:
    from raysweep.sweep.deadlines import Deadlines

    clock = Clock(lambda: made.late(trials))
    monkeypatch.setattr("raysweep.sweep.deadlines.time.monotonic", lambda: clock.now)
    board = Scoreboard("x", SETTINGS, dict(SETTINGS), Pace(()))
    made = Deadlines(board, **{"trial_timeout": 10.0, "private": True, **options}, _looked=0.0)
    return made, clock


def give_actor(one: Any, actor: object) -> None:
    one.temporary_state.ray_actor = actor


def test_time_begins_with_the_worker_and_each_is_late_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = trials = [trial("t0"), trial("t1")]
    _, clock = deadlines(trials, monkeypatch)
    assert clock.run(100) == []
    give_actor(first, object())
    assert clock.run(5) == []
    give_actor(second, object())  # it may still be taking the trial up: nobody says that it runs
    assert clock.run(20) == [("t0", 11), ("t1", 11)]


def test_a_trial_that_is_over_or_of_the_round_before_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.experiment import Trial

    first, second = trials = [trial("t0"), trial("t1")]
    made, clock = deadlines(trials, monkeypatch)
    give_actor(first, object())
    give_actor(second, object())
    assert clock.run(5) == []
    first.set_status(Trial.TERMINATED)
    trials[:] = [third := trial("t2")]
    made.begin_round()
    give_actor(third, object())
    assert clock.run(20) == [("t2", 11)]


def test_waiting_counts_while_nobody_has_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.experiment import Trial

    first, second = trials = [trial("t0"), trial("t1")]
    _, clock = deadlines(trials, monkeypatch, trial_timeout=5000.0)
    give_actor(first, object())
    assert clock.run(2000) == []
    first.set_status(Trial.TERMINATED)
    assert clock.run(1) == []  # the first one's worker may be the second one's next
    assert clock.run(1000) == [("t1", 901)]
    assert second.temporary_state.ray_actor is None


def test_in_a_cluster_of_others_waiting_never_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    _, clock = deadlines([trial("t0")], monkeypatch, private=False)
    assert clock.run(5000) == []


def test_a_pause_of_this_process_counts_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [trial("t0")]
    _, clock = deadlines(trials, monkeypatch)
    give_actor(trials[0], object())
    assert clock.run(5) == []
    clock.now += 3600
    assert clock.run(4) == []
    assert clock.run(10) != []
