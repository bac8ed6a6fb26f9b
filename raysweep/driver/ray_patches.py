"""Patches of Ray: a private cluster starts no process that has nothing to do there, or not yet.

Private to Ray: it has no option for them. Without these patches all is right, and a second slower.
"""

import os
from contextlib import suppress
from typing import Any, Final

from ray._private import node, services, worker
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
from ray.experimental import internal_kv

WORKERS_NICE: Final = 15
"""Niceness of Ray's workers."""

_start_log_monitor: Final = node.Node.start_log_monitor


def start_fewer_processes() -> None:
    """Patch Ray in this process, before it starts a cluster.

    Left out are the dashboard, which with `include_dashboard=False` would only collect usage statistics, and
    for whose address `ray.init` waits, and the autoscaler's monitor: this cluster never grows. The log
    monitor is left to `start_log_monitor`.
    """
    services.start_api_server = _start_no_api_server  # type: ignore[assignment]  # another return type
    node.Node.start_monitor = lambda self: None  # type: ignore[method-assign]
    node.Node.start_log_monitor = lambda self: None  # type: ignore[method-assign]


def start_log_monitor() -> None:
    """Start the process that brings the workers' output here, once the cluster is up.

    Until then it would take half a second of processor time from the agents, for which `ray.init` waits. It
    reads every file from its beginning.
    """
    started = worker._global_node
    if started is not None:
        _start_log_monitor(started)
        for process in started.all_processes["log_monitor"]:
            with suppress(OSError):  # it has died
                os.setpriority(os.PRIO_PROCESS, process.process.pid, WORKERS_NICE)


def _start_no_api_server(
    include_dashboard: bool | None,
    raise_on_failure: bool,
    host: str,
    gcs_address: str,
    cluster_id: str,
    *_: Any,
    **options: Any,
) -> tuple[None, None]:
    """Do what Ray's function does except start a process; return no address and no process."""
    internal_kv._initialize_internal_kv(GcsClient(address=gcs_address, cluster_id=cluster_id))
    return None, None
