"""Addresses of existing clusters: `host:port` of the control store, or `auto`; other forms are explained."""

import os
import re
from typing import Final

from raysweep.errors import UsageError

PORT: Final = 6379
"""Port of the control store that `ray start --head` takes by default."""

DASHBOARD_PORT: Final = 8265
CLIENT_PORT: Final = 10001
MAX_PORT: Final = 65535

_HOST: Final = re.compile(r"[\w.-]+|\[[0-9a-fA-F:.]+(%\w+)?\]")
_IPV6: Final = re.compile(r"[0-9a-fA-F:.]+")

_SCHEMES: Final = {
    "http": "the address of a dashboard, which `ray job submit` takes",
    "https": "the address of a dashboard, which `ray job submit` takes",
    "ray": "the address of Ray Client, for scripts outside of the cluster",
}
"""What addresses with a scheme are."""


def resolved(address: str) -> str:
    """Return the address in RAY_ADDRESS for `auto`, as Ray does; any other address as it is."""
    return (os.environ.get("RAY_ADDRESS", "").strip() or address) if address == "auto" else address


def check_form(address: str) -> None:
    """Refuse an address that is neither `host:port` nor `auto`, before anything is made or started.

    Raises:
        UsageError: it has another form; the message says what that is for, and what is meant.

    >>> check_form("auto"), check_form("head-node:6379"), check_form("[fe80::1]:6379")
    (None, None, None)
    """
    shown = f"--address {address}"
    if address == "auto" and (address := resolved(address)) != "auto":
        shown = f"--address auto with RAY_ADDRESS={address}"
    if address == "auto":
        return
    if address == "local":
        raise UsageError(f"{shown}: for a cluster of the run's own leave --address out")
    scheme, separator, rest = address.partition("://")
    if separator:
        what = _SCHEMES.get(scheme.lower(), f"no cluster's address begins with {scheme}://")
        raise _refused(shown, what, _host(rest.partition("/")[0]))
    if address.count(":") > 1 and _IPV6.fullmatch(address):
        raise _refused(shown, "an IPv6 address needs brackets", "[::1]")
    host, separator, port = address.rpartition(":")
    if not separator or address.endswith("]"):
        host = address if _HOST.fullmatch(address) and not address.isdecimal() else ""
        raise _refused(shown, "no port", "" if host.lower() == "auto" else host)
    if not _HOST.fullmatch(host):
        raise _refused(shown, f"no host:port, with a port from 1 to {MAX_PORT}", "")
    if not port.isdecimal() or not port.isascii() or not 0 < int(port) <= MAX_PORT:
        raise _refused(shown, f"no host:port, with a port from 1 to {MAX_PORT}", host)


def _refused(shown: str, what: str, host: str) -> UsageError:
    return UsageError(
        f"{shown}: {what}; give host:port of the cluster's control store, as `ray start --head` "
        f"prints it, such as {host or 'first-node'}:{PORT}, or auto on one of its nodes"
    )


def names_a_port(address: str) -> bool:
    """Return whether an address has the form `host:port`."""
    return address.rpartition(":")[2].isdecimal()


def _host(place: str) -> str:
    """Return the host of a `host:port` or a `host`, without a user's name.

    >>> _host("user@head:8265"), _host("[::1]:8265"), _host("")
    ('head', '[::1]', '')
    """
    host = place.rpartition("@")[2]
    return host if host.endswith("]") else host.rpartition(":")[0] or host
