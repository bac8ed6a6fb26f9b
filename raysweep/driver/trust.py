"""Checks of an existing cluster, made without Ray: it answers, and it asks for a token."""

import ipaddress
import os
import socket
from contextlib import suppress
from typing import Final

from raysweep.driver.address import CLIENT_PORT, DASHBOARD_PORT, PORT, names_a_port
from raysweep.errors import ClusterError

ANSWER_S: Final = 15.0
"""Seconds that a cluster has to answer at all."""


def check_trust(address: str) -> None:
    """Refuse to join a cluster that anybody on the network may command, and this run's results with it.

    Raises:
        ClusterError: the address is not this machine's own loopback, and no token is used here or none is
            asked for there.
    """
    host = address.rpartition(":")[0].strip("[]")
    with suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    if os.environ.get("RAY_AUTH_MODE") != "token" or lets_anybody_in(address):
        raise ClusterError(
            f"--address {address}: whoever reaches a cluster without a token can run code on it; "
            "start it with RAY_AUTH_MODE=token and set that here too, or say --trust-cluster where the "
            "network is safe"
        )


def check_answers(address: str) -> None:
    """Find out whether a control store answers; Ray itself would wait for minutes.

    Raises:
        ClusterError: nobody does, or something else does.
    """
    if not names_a_port(address):
        return
    if error := connection_error(address, ANSWER_S):
        raise ClusterError(
            f"--address {address}: nobody answers ({error.strerror or error}); is the cluster up, and is "
            f"{address.rpartition(':')[2]} the port of its control store (by default {PORT})?"
        ) from error
    if other := _other_service(address):
        host = address.rpartition(":")[0]
        raise ClusterError(
            f"--address {address}: {other} answers there, and not a cluster's control store; "
            f"give its port, by default {host}:{PORT}"
        )


def _other_service(address: str) -> str:
    """Name what answers at an address if it is certainly no control store; else return nothing.

    With TLS a control store does not understand the question.
    """
    if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return ""
    code, details = _ask(address)
    if code == "UNIMPLEMENTED":
        return f"another service of Ray, such as Ray Client (by default on port {CLIENT_PORT}),"
    if code == "UNAVAILABLE" and any(sign in details for sign in ("http1.x", "parsing HTTP/2")):
        return f"a web server, such as Ray's dashboard (by default on port {DASHBOARD_PORT}),"
    return ""


def lets_anybody_in(address: str) -> bool:
    """Return whether a cluster's control store answers a question that comes without a token.

    A driver that has a token shows it to a cluster that asks for none, too, and would not notice. Where
    nobody answers, joining will tell; where the address is not `host:port`, the same is asked after joining.
    """
    if not names_a_port(address):
        return False
    return _ask(address)[0] not in ("UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED")


def _ask(address: str) -> tuple[str, str]:
    """Ask a control store whether it is alive, without a token; return gRPC's code, and what it says."""
    import grpc  # TensorFlow's and Ray's; without types

    direct = [("grpc.enable_http_proxy", 0)]  # as Ray connects, whatever `http_proxy` says
    with grpc.insecure_channel(address, options=direct) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")(b"", timeout=ANSWER_S)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
    return "OK", ""


def connection_error(address: str, timeout_s: float) -> OSError | None:
    """Return what keeps one from connecting to a `host:port` within some seconds, None if nothing does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except OSError as error:
        return error
    except (UnicodeError, OverflowError) as error:  # no name of a host, no number of a port
        return OSError(str(error))
    return None
