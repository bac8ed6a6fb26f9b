"""Patches of Ray: a private cluster starts no process without a use, and is used as soon as it is ready.

Private to Ray: it has no option for them. Without these patches everything works, two seconds slower.
"""

import time
from typing import Any, Final

from ray._private import node, services
from ray._raylet import GcsClient, NodeID  # type: ignore[attr-defined]  # compiled
from ray.experimental import internal_kv

NODE_TIMEOUT_S: Final = 30.0
"""How long `ray.init` waits for the node's first word; Ray's own value."""

_get_node = services.get_node


def start_fast() -> None:
    """Patch Ray in this process, before it starts a cluster.

    Left out are the dashboard, which with `include_dashboard=False` would only collect usage statistics, and
    for whose address `ray.init` waits, and the autoscaler's monitor: this cluster never grows. Ray asks
    once in a second whether the node is there; here it asks when it is.
    """
    services.start_api_server = _start_no_api_server  # type: ignore[assignment]  # another return type
    node.Node.start_monitor = lambda self: None  # type: ignore[method-assign]
    services.get_node = _get_node_once_there


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


def _get_node_once_there(gcs_address: str, node_id: str) -> dict[str, Any]:
    """Do what Ray's function does, after the node has made itself known."""
    client = GcsClient(address=gcs_address)
    end = time.monotonic() + NODE_TIMEOUT_S
    while NodeID.from_hex(node_id) not in client.get_all_node_info() and time.monotonic() < end:
        time.sleep(0.02)
    return dict(_get_node(gcs_address, node_id))  # type: ignore[no-untyped-call]  # Ray's
