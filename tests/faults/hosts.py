"""Ray clusters that are there before the command: on this machine, or on two hosts in network namespaces."""

import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.sandbox import Sandbox

RAY = Path(sys.executable).parent / "ray"
HEAD = ("--head", "--include-dashboard=false")


@contextmanager
def own_cluster(sandbox: Sandbox) -> Iterator[str]:
    """A cluster of one node on the loopback address, with a token; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    use_token(sandbox)
    node = (*HEAD, "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2")
    start_node(sandbox, "", *node, f"--temp-dir={sandbox.temporary}/head")
    yield f"127.0.0.1:{port}"


def use_token(sandbox: Sandbox) -> None:
    """Let every process of the sandbox know the same token."""
    token = sandbox.folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    sandbox.env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


def start_node(sandbox: Sandbox, namespace: str, *options: str) -> None:
    """Start a node of a cluster; its processes end with the sandbox."""
    place = ["ip", "netns", "exec", namespace] if namespace else []
    done = subprocess.run(
        [*place, RAY, "start", *options, "--disable-usage-stats"],
        env=sandbox.environment([{"what": "slow", "seconds": 1, "times": -1}]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class TwoHosts:
    """Two network namespaces joined by a pair of virtual cards, a node of one core in each."""

    ADDRESS = "10.77.0.1:6379"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        token = secrets.token_hex(3)
        self.head, self.second = f"rsa{token}", f"rsb{token}"
        self._cards = f"rva{token}", f"rvb{token}"

    def __enter__(self) -> "TwoHosts":
        made = subprocess.run(["ip", "netns", "add", self.head], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
        try:
            self._join()
            use_token(self._sandbox)
            one_core = ("--num-cpus=1", "--object-store-memory=100000000")
            self.start_head(*one_core)
            self.start_second(*one_core)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._sandbox.processes():
            process.kill()
        for namespace in (self.head, self.second):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)

    def start_head(self, *options: str) -> None:
        place = ("--node-ip-address=10.77.0.1", "--port=6379", f"--temp-dir={self._sandbox.temporary}/a")
        start_node(self._sandbox, self.head, *HEAD, *place, *options)

    def start_second(self, *options: str) -> None:
        address = (f"--address={self.ADDRESS}", "--node-ip-address=10.77.0.2")
        start_node(self._sandbox, self.second, *address, *options)

    def link(self, state: str) -> None:
        """Set the second host's card `up` or `down`."""
        _ip("-n", self.second, "link", "set", self._cards[1], state)

    def lose(self, percent: int) -> None:
        """Lose packets at random, each way."""
        for namespace, card in zip((self.head, self.second), self._cards, strict=True):
            command = ["ip", "netns", "exec", namespace, "tc", "qdisc", "add", "dev", card, "root", "netem"]
            done = subprocess.run(
                [*command, "loss", f"{percent}%"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.skip(f"no packets can be lost here: {done.stderr.strip()}")

    def _join(self) -> None:
        _ip("netns", "add", self.second)
        _ip("link", "add", self._cards[0], "type", "veth", "peer", "name", self._cards[1])
        hosts = zip((self.head, self.second), self._cards, ("10.77.0.1", "10.77.0.2"), strict=True)
        for namespace, card, address in hosts:
            _ip("link", "set", card, "netns", namespace)
            _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", card)
            _ip("-n", namespace, "link", "set", card, "up")
            _ip("-n", namespace, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
