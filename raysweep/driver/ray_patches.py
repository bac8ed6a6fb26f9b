"""Patches of Ray: a private cluster starts no process that has nothing to do there.

Private to Ray: it has no option for them. Without these patches all is right, and a second slower.
"""

from typing import Any

from ray._private import node, services
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
from ray.experimental import internal_kv


def start_fewer_processes() -> None:
    """Patch Ray in this process, before it starts a cluster.

    Left out are the dashboard, which with `include_dashboard=False` would only collect usage statistics, and
    for whose address `ray.init` waits, and the autoscaler's monitor: this cluster never grows.
    """
    services.start_api_server = _start_no_api_server  # type: ignore[assignment]  # another return type
    node.Node.start_monitor = lambda self: None  # type: ignore[method-assign]


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
