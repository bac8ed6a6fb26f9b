"""Ray's start: a private cluster on this machine, or a place in one that exists.

The private cluster listens on the loopback address only, asks for a token that nobody else can read, has
no dashboard, sends no usage statistics, and leaves nothing outside the run's temporary folder.
"""

import logging
import math
import os
import platform
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray

from raysweep.control_groups import OomKills
from raysweep.driver.address import PORT, names_a_port
from raysweep.driver.ray_patches import start_fast
from raysweep.driver.trust import check_answers, check_trust
from raysweep.driver.variables import SETTINGS, TRAINING, ClusterRequest, token_path
from raysweep.driver.watchdog import Lost, watch_addresses, watch_children
from raysweep.errors import ClusterError
from raysweep.text import cores_and_gpus, count
from raysweep.trial.resources import Resources

OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Shared memory of the private cluster: results are some 50 KB, checkpoints some 15 MB."""

LOGS: Final = "Ray's logs on its nodes (by default in /tmp/ray/session_latest/logs)"
"""Place of the logs of a cluster that exists."""


NODE_S: Final = 60.0
"""Seconds that an existing cluster has, when it is joined, to get its first node with a core."""

MAX_NAMED: Final = 3
"""Sizes of nodes that a message names."""

logger = logging.getLogger(__name__)


@dataclass
class Cluster:
    """A Ray cluster that this process is connected to."""

    slots: int
    """Trials that run at a time; in a shared cluster, as of the latest `recount`."""
    resources: Resources
    """Of one trial."""
    private: bool
    """Whether this process started it, for itself alone."""
    host: str
    """Where a trial runs that has not reported yet, if that can only be one host."""
    oom_kills: OomKills
    """Of this machine, counted since the cluster was started."""
    cap: int | None = None
    """Cores within which the slots of a shared cluster stay."""

    def recount(self) -> bool:
        """Count the slots anew, as nodes join and leave a shared cluster; return whether they changed.

        While no node can run a trial there is one slot, so that a trial asks for the next node.
        """
        if self.private:
            return False
        before = self.slots
        try:
            self.slots = max(_count_slots(_alive(), self.resources, self.cap), 1)
        except Exception:  # Ray raises anything here: whoever watches the cluster reports its loss
            logger.exception("the nodes of the cluster cannot be counted")
        return self.slots != before

    def leave(self) -> None:
        """Disconnect from a shared cluster; a private one is ended by the keeper."""
        if not self.private:
            ray.shutdown()


class ClusterFailure(ClusterError):
    """Ray failed, and its log says more."""


def open_cluster(request: ClusterRequest, folder: Path, lost: Lost) -> Cluster:
    """Start or join a cluster, and watch it from then on.

    Args:
        request: what is asked for.
        folder: the run's temporary folder.
        lost: called with the reason when the cluster dies.

    Raises:
        ClusterError: Ray does not start, nobody answers, the token is wrong, the cluster is not to be
            trusted, or no node can satisfy the request.
    """
    resources = Resources(cpu=request.cpu, gpu=request.gpu)
    kills = OomKills()
    if request.address is None:
        _start_private(resources, request.cpus, folder, lost)
    else:
        _join(request.address, lost, trusted=request.trusted)
    return Cluster(
        slots=_slots(resources, cap=request.cpus),
        resources=resources,
        private=request.address is None,
        host=platform.node() if request.address is None else "",
        oom_kills=kills,
        cap=request.cpus,
    )


def _start_private(resources: Resources, cpus: int | None, folder: Path, lost: Lost) -> None:
    _write_token(token_path(folder))
    start_fast()
    watch_children(lost)
    _init(
        address="local",
        num_cpus=cpus,
        num_gpus=None if resources.gpu else 0,
        object_store_memory=OBJECT_STORE_BYTES,
        # Ray lets everybody write there; the folder itself stays closed.
        _temp_dir=str(folder / "r"),
    )


def _join(address: str, lost: Lost, *, trusted: bool) -> None:
    """Connect to an existing cluster; the package's code travels along."""
    check_answers(address)
    package = str(Path(__file__).parents[1])
    _init(address=address, runtime_env={"py_modules": [package], "env_vars": {**SETTINGS, **TRAINING}})
    control_store, raylet = _addresses()
    if not trusted and not names_a_port(address):  # as with `auto`: nobody could be asked before
        check_trust(control_store)
    watch_addresses(control_store, raylet, lost)


def _init(**arguments: Any) -> None:
    try:
        ray.init(include_dashboard=False, log_to_driver=True, configure_logging=False, **arguments)
    except Exception as error:  # Ray raises anything here: one boundary translates it
        address = arguments["address"]
        if address == "auto" and isinstance(error, ConnectionError):
            raise ClusterError(
                "--address auto: no Ray cluster was started on this machine, nor is one named by "
                f"RAY_ADDRESS; give host:port of its control store, such as first-node:{PORT}"
            ) from error
        where = "a cluster on this machine" if address == "local" else f"the cluster at {address}"
        first_line = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ClusterFailure(f"Ray could not use {where}: {first_line}") from error


def _slots(resources: Resources, *, cap: int | None) -> int:
    """Count the trials that the cluster can run at a time; raise ClusterError if there are none."""
    nodes = _nodes_with_cores()
    if not nodes:
        raise ClusterError(f"no node of the cluster is alive; {LOGS} may say why")
    if slots := _count_slots(nodes, resources, cap):
        return slots
    largest = sorted({_resources(node) for node in nodes}, reverse=True)[:MAX_NAMED]
    there_are = ", ".join(cores_and_gpus(*one) for one in largest)
    raise ClusterError(
        f"no node can run a trial of {cores_and_gpus(resources.cpu, resources.gpu)}; "
        f"of {count(len(nodes), 'node')} the largest have {there_are}; "
        "lower `resources` in the grid, or add nodes"
    )


def _nodes_with_cores() -> list[dict[str, Any]]:
    """Return the nodes that are alive; if none has a core yet, as where nodes are still to come, wait."""
    end = time.monotonic() + NODE_S
    while True:
        nodes = _alive()
        if any(_resources(node)[0] for node in nodes) or time.monotonic() > end:
            return nodes
        time.sleep(0.5)


def _resources(node: Mapping[str, Any]) -> tuple[float, float]:
    """Return the cores and GPUs of a node."""
    return node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)


def _count_slots(nodes: Sequence[Mapping[str, Any]], resources: Resources, cap: int | None) -> int:
    """Count the trials that nodes can run at a time, within so many cores."""
    slots = sum(resources.slots(*_resources(node)) for node in nodes)
    return slots if cap is None else min(slots, max(math.floor(cap / resources.cpu + 1e-9), 1))


def _addresses() -> tuple[str, str]:
    """Return `host:port` of the cluster's control store, and of Ray's daemon on this machine."""
    context = ray.get_runtime_context()
    for node in _alive():
        if node["NodeID"] == context.get_node_id():
            return context.gcs_address, f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    raise ClusterError(f"the cluster's node on this machine is not alive; {LOGS} may say why")


def _alive() -> list[dict[str, Any]]:
    """Return what Ray says of each node that is alive."""
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's


def _write_token(path: Path) -> None:
    """Write a fresh token that nobody else can read; Ray's own would be readable by all."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    except OSError as error:
        raise ClusterFailure(f"{path}: {error.strerror}; free some space, or set TMPDIR") from error
