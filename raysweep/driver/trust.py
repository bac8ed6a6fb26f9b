"""Checks of an existing cluster, made without Ray: it answers, and it asks for a token."""

import ipaddress
import os
import socket
from contextlib import suppress
from typing import Final

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
    """Find out whether anybody answers; Ray itself would wait for minutes.

    Raises:
        ClusterError: nobody does.
    """
    if names_a_port(address) and (error := connection_error(address, ANSWER_S)):
        raise ClusterError(
            f"--address {address}: nobody answers ({error.strerror or error}); is the cluster up?"
        ) from error


def lets_anybody_in(address: str) -> bool:
    """Return whether a cluster's control store answers a question that comes without a token.

    A driver that has a token shows it to a cluster that asks for none, too, and would not notice. Where
    nobody answers, joining will tell; where the address is not `host:port`, the same is asked after joining.
    """
    import grpc  # TensorFlow's and Ray's; without types

    if not names_a_port(address):
        return False
    direct = [("grpc.enable_http_proxy", 0)]  # as Ray connects, whatever `http_proxy` says
    with grpc.insecure_channel(address, options=direct) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")(b"", timeout=ANSWER_S)
        except grpc.RpcError as error:
            refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE)
            return error.code() not in (*refused, grpc.StatusCode.DEADLINE_EXCEEDED)
    return True


def names_a_port(address: str) -> bool:
    """Return whether an address has the form `host:port`."""
    return address.rpartition(":")[2].isdecimal()


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
