"""What the Tune callback reports: one event per happening, and nothing kept in the state of Tune."""

from typing import Any

import pytest

from raysweep.driver.link import Link
from raysweep.protocol import (
    Checkpoint,
    Connection,
    Failed,
    Finished,
    Message,
    NotUsed,
    Progress,
    RoundEnded,
    Started,
    Stop,
)
from raysweep.store.encoding import EncodedTrial
from tests.driver.conftest import Left

pytestmark = pytest.mark.ray

REPORT = {"epoch": 3, "loss": 1.5, "accuracy": 0.25, "hostname": "node-1"}


class Round:
    """A callback on a real connection, of which this is the command's end."""

    def __init__(self, link: Link, command: Connection) -> None:
        from raysweep.control_groups import OomKills
        from raysweep.driver.callback import ReportingCallback
        from raysweep.driver.cluster import Cluster
        from raysweep.driver.deadlines import Deadlines
        from raysweep.trial.resources import Resources

        self.now = 0.0
        cluster = Cluster(2, Resources(), private=True, host="here", oom_kills=OomKills())
        deadlines = Deadlines({"t0": 10.0}, private=True, clock=lambda: self.now)
        self.callback = ReportingCallback(link, cluster, deadlines)
        self.link, self.command = link, command

    def trial(self) -> Any:
        from ray.tune.experiment import Trial

        return Trial("x", stub=True, config={"trial": "t0", "state": "a reference"})

    def events(self, count: int) -> list[tuple[Message, bytes]]:
        return [self.command.receive() for _ in range(count)]


@pytest.fixture
def round_(ends: tuple[Link, Connection]) -> Round:
    return Round(*ends)


def test_a_start_is_reported_and_the_state_let_go(round_: Round) -> None:
    trial = round_.trial()
    round_.callback.on_trial_start(0, [trial], trial)
    assert round_.events(1) == [(Started(trial_id="t0"), b"")]
    assert trial.config == {"trial": "t0"}
    assert round_.callback.running == {"t0": ""}


def test_a_payload_leaves_the_result_of_tune(round_: Round) -> None:
    trial, result = round_.trial(), {**REPORT, "checkpoint": b"weights"}
    round_.callback.on_trial_result(0, [trial], trial, result)
    assert "checkpoint" not in result
    progress = Progress(trial_id="t0", epoch=3, loss=1.5, accuracy=0.25)
    assert round_.events(2) == [(progress, b""), (Checkpoint(trial_id="t0"), b"weights")]


def test_a_state_that_was_not_used_is_told(round_: Round) -> None:
    trial = round_.trial()
    round_.callback.on_trial_result(0, [trial], trial, {**REPORT, "not_used": "made elsewhere"})
    _, (event, _) = round_.events(2)
    assert event == NotUsed(trial_id="t0", reason="made elsewhere")


@pytest.mark.parametrize("predictions", [b"pp", None])
@pytest.mark.parametrize("state", [b"sss", None])
def test_a_finished_trial_is_sent_in_one_piece(
    round_: Round, predictions: bytes | None, state: bytes | None
) -> None:
    trial = round_.trial()
    round_.callback.running["t0"] = "actor"
    encoded = EncodedTrial("t0", b"row", predictions, b"c")
    numbers: dict[str, Any] = {"exact_match": None, "seconds": 2.0, "inherited_epochs": 5}
    finished = {"trial": encoded, "state": state, **numbers}
    round_.callback.on_trial_result(0, [trial], trial, {**REPORT, "finished": finished})
    _, (event, payload) = round_.events(2)
    sizes = (3, predictions and 2, 1, state and 3)
    assert event == Finished(trial_id="t0", host="node-1", sizes=sizes, **numbers)
    assert payload == b"row" + (predictions or b"") + b"c" + (state or b"")
    assert round_.callback.running == {}


def test_a_result_that_cannot_be_sent_is_that_trials_failure(round_: Round) -> None:
    trial = round_.trial()
    finished = {"trial": None, "state": None, "exact_match": None, "seconds": 2.0, "inherited_epochs": 0}
    round_.callback.on_trial_result(0, [trial], trial, {**REPORT, "finished": finished})
    _, (event, _) = round_.events(2)
    assert isinstance(event, Failed)
    assert (event.kind, event.host) == ("error", "node-1")
    assert event.message.startswith("AttributeError: ")
    assert "callback.py" in event.traceback


def test_a_worker_past_its_deadline_is_killed_and_its_death_a_timeout(
    round_: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    killed: list[object] = []
    monkeypatch.setattr(ray, "kill", killed.append)
    trial, actor = round_.trial(), object()
    trial.temporary_state.ray_actor = actor
    for _ in range(13):
        round_.now += 1
        round_.callback.on_step_end(0, [trial])
    assert killed == [actor]
    round_.callback.on_trial_error(0, [trial], trial)
    ((event, _),) = round_.events(1)
    words = "no result after 11 s; its worker was killed"
    assert event == Failed(trial_id="t0", kind="timeout", message=words, traceback="", host="here")
    assert not round_.callback.no_worker


def test_trials_that_wait_for_workers_in_vain_end_the_round(round_: Round) -> None:
    from raysweep.driver.callback import StopWhen

    trial = round_.trial()
    stop = StopWhen(lambda: round_.callback.no_worker)
    for _ in range(903):
        assert not stop.stop_all()
        round_.now += 1
        round_.callback.on_step_end(0, [trial])
        if round_.callback.no_worker:
            break
    assert stop.stop_all()
    ((event, _),) = round_.events(1)
    assert isinstance(event, Failed)
    assert event.message == "no worker came up in 901 s"


def test_a_stop_ends_the_round_and_the_driver_at_once(round_: Round) -> None:
    round_.command.send(Stop())
    assert round_.link.stopping.wait(20)
    with pytest.raises(Left):
        round_.callback.on_step_end(0, [])
    assert round_.events(1) == [(RoundEnded(reason="stopped", no_worker=False), b"")]


def test_what_tune_pickles_has_no_content(round_: Round) -> None:
    from ray import cloudpickle
    from ray.tune import Callback
    from ray.tune.schedulers import FIFOScheduler
    from ray.tune.search import BasicVariantGenerator
    from ray.tune.stopper import NoopStopper

    from raysweep.driver.callback import StopWhen
    from raysweep.driver.scheduler import TrialScheduler
    from raysweep.driver.slots import SlotsCallback

    cluster = round_.callback.cluster
    copies = [
        cloudpickle.loads(cloudpickle.dumps(one))
        for one in (
            round_.callback,
            SlotsCallback(round_.link, cluster, BasicVariantGenerator()),
            StopWhen(lambda: True),
            TrialScheduler(round_.link, cluster),
        )
    ]
    assert [type(copy) for copy in copies] == [Callback, Callback, NoopStopper, FIFOScheduler]
