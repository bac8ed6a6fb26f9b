"""Addresses of clusters: each other form is refused at once, with a word on what it is and what is meant."""

import http.server
import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from raysweep.driver.address import check_form, resolved
from raysweep.driver.trust import check_answers
from raysweep.errors import ClusterError, UsageError

GRPC_SERVER_STOPS_S = 1


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", "[::1]:6379", "localhost:1"])
def test_addresses_of_a_control_store(address: str) -> None:
    check_form(address)


@pytest.mark.parametrize(
    ("address", "what", "instead"),
    [
        (
            "http://127.0.0.1:8265",
            "the address of a dashboard, which `ray job submit` takes",
            "127.0.0.1:6379",
        ),
        ("HTTPS://me@head/x", "the address of a dashboard", "head:6379"),
        ("ray://head:10001", "the address of Ray Client, for scripts outside of the cluster", "head:6379"),
        ("redis://head:1", "no cluster's address begins with redis://", "head:6379"),
        ("localhost", "no port", "localhost:6379"),
        ("10.0.0.1", "no port", "10.0.0.1:6379"),
        ("[::1]", "no port", "[::1]:6379"),
        ("", "no port", "first-node:6379"),
        ("::1", "an IPv6 address needs brackets", "[::1]:6379"),
        ("head:", "a port from 1 to 65535", "head:6379"),
        ("head:0", "a port from 1 to 65535", "head:6379"),
        ("head:65536", "a port from 1 to 65535", "head:6379"),
        ("head:６", "a port from 1 to 65535", "head:6379"),
        (":6379", "no host:port", "first-node:6379"),
    ],
)
def test_other_forms(address: str, what: str, instead: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_form(address)
    message = str(refused.value)
    assert message.startswith(f"--address {address}: ")
    assert what in message
    assert f"such as {instead}, or auto on one of its nodes" in message


def test_local_is_no_existing_cluster() -> None:
    with pytest.raises(UsageError, match="leave --address out"):
        check_form("local")


def test_auto_stands_for_ray_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(
        UsageError, match=r"--address auto with RAY_ADDRESS=http://127\.0\.0\.1:8265: the address of a"
    ):
        check_form("auto")
    check_form("head:6379")
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    check_form("auto")
    assert (resolved("auto"), resolved("other:1")) == ("head:6379", "other:1")
    monkeypatch.delenv("RAY_ADDRESS")
    assert resolved("auto") == "auto"


@pytest.fixture
def web_server() -> Iterator[str]:
    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def other_service() -> Iterator[str]:
    import grpc

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait(GRPC_SERVER_STOPS_S)


def test_a_dashboard_answers(web_server: str) -> None:
    with pytest.raises(ClusterError, match=r"a web server, such as Ray's dashboard .* 127\.0\.0\.1:6379"):
        check_answers(web_server)


def test_a_service_that_is_no_control_store_answers(other_service: str) -> None:
    with pytest.raises(ClusterError, match="another service of Ray, such as Ray Client"):
        check_answers(other_service)


def test_with_tls_nobody_is_asked(web_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")
    check_answers(web_server)


def test_nobody_answers() -> None:
    with pytest.raises(ClusterError, match=r"nobody answers .* is 1 the port of its control store"):
        check_answers("127.0.0.1:1")
