"""The slots follow the nodes of a shared cluster, and nothing else."""

from typing import Any

import pytest

from raysweep.driver.link import Link
from raysweep.protocol import Connection, Slots
from raysweep.trial.cost import state_bytes
from raysweep.trial.settings import TrialSettings

pytestmark = pytest.mark.ray


class Nodes:
    """What Ray says of a cluster's nodes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.alive: list[dict[str, float]] = []
        self.counts = 0
        self.error: Exception | None = None
        monkeypatch.setattr("ray.nodes", self)

    def __call__(self) -> list[dict[str, Any]]:
        self.counts += 1
        if self.error is not None:
            raise self.error
        return [{"Alive": True, "Resources": each} for each in self.alive]


def cluster_of(slots: int, *, private: bool = False, cap: int | None = None) -> Any:
    from raysweep.control_groups import OomKills
    from raysweep.driver.cluster import Cluster
    from raysweep.trial.resources import Resources

    return Cluster(slots, Resources(), private=private, host="", oom_kills=OomKills(), cap=cap)


def test_nodes_that_join_and_leave_are_followed(
    ends: tuple[Link, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.tune.search import BasicVariantGenerator

    from raysweep.driver.slots import RECOUNT_S, SlotsCallback

    nodes, now = Nodes(monkeypatch), 0.0
    link, command = ends
    cluster, search = cluster_of(2), BasicVariantGenerator(max_concurrent=2)
    callback = SlotsCallback(link, cluster, search, clock=lambda: now)
    callback.on_step_begin(0, [])
    assert nodes.counts == 0  # not in each of Tune's many turns
    for alive, slots in (
        ([{"CPU": 2.0}, {"CPU": 4.0}], 6),
        ([{"CPU": 2.0}, {"memory": 1e9}], 2),
        ([], 1),  # 0 would mean to Tune that there is no limit
    ):
        now += RECOUNT_S
        nodes.alive = alive
        callback.on_step_begin(0, [])
        assert command.receive() == (Slots(slots=slots), b"")
        assert (cluster.slots, search.max_concurrent) == (slots, slots)
    now += RECOUNT_S
    nodes.error = ConnectionError("no answer")
    callback.on_step_begin(0, [])
    assert (nodes.counts, cluster.slots) == (4, 1)


def test_the_cap_holds_and_a_private_cluster_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch)
    nodes.alive = [{"CPU": 64.0}]
    capped = cluster_of(2, cap=3)
    assert capped.recount()
    assert capped.slots == 3
    assert not capped.recount()
    assert not cluster_of(2, private=True).recount()
    assert nodes.counts == 2


def test_a_cluster_that_is_joined_has_a_minute_for_its_first_core(monkeypatch: pytest.MonkeyPatch) -> None:
    from raysweep.driver import cluster
    from raysweep.errors import ClusterError
    from raysweep.trial.resources import Resources

    nodes, slept = Nodes(monkeypatch), 0.0
    nodes.alive = [{"memory": 1e9}]  # the head, which trains nothing

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        if slept == 2:
            nodes.alive += [{"CPU": 4.0}]

    monkeypatch.setattr("raysweep.driver.cluster.time.sleep", sleep)
    monkeypatch.setattr("raysweep.driver.cluster.time.monotonic", lambda: slept)
    assert cluster._slots(Resources(), cap=None) == 4
    nodes.alive = [{"CPU": 8.0}, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}]
    sizes = "8 cores and 0 GPUs, 2 cores and 1 GPU"
    words = f"a trial of 4 cores and 1 GPU; of 3 nodes the largest have {sizes}; lower"
    with pytest.raises(ClusterError, match=words):
        cluster._slots(Resources(cpu=4, gpu=1), cap=None)
    assert slept == 2
    nodes.alive = []
    with pytest.raises(ClusterError, match="no node of the cluster is alive"):
        cluster._slots(Resources(), cap=None)
    assert slept > cluster.NODE_S


def test_more_slots_report_and_save_more_seldom() -> None:
    from raysweep.driver.worker import checkpoint_s, report_s

    assert [report_s(slots) for slots in (1, 150, 600, 1_500)] == [2.0, 2.0, 8.0, 20.0]
    large = TrialSettings(arch="seq2seq", len=4, mem=300, seed=0)  # a state of 14 MB
    assert checkpoint_s(100, large) == 120.0
    assert 1_000 * state_bytes(large) / checkpoint_s(1_000, large) == pytest.approx(20e6)
