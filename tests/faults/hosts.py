"""Ray clusters that are there before the command: on this machine, or on two hosts in network namespaces."""

import fcntl
import os
import random
import secrets
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.sandbox import Sandbox, kill

RAY = Path(sys.executable).parent / "ray"
HEAD = ("--head", "--include-dashboard=false")


@contextmanager
def own_cluster(sandbox: Sandbox, *, token: bool = True) -> Iterator[str]:
    """A cluster of one node on the loopback address; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if token:
        use_token(sandbox)
    else:
        sandbox.env["RAY_AUTH_MODE"] = "disabled"
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
    """Two network namespaces joined by a pair of virtual cards, a node of one core in each.

    Args:
        sandbox: where the nodes live.
        cable: carries the packets, and loses some; None for the kernel's own, which loses none.
    """

    ADDRESS = "10.77.0.1:6379"

    def __init__(self, sandbox: Sandbox, cable: "LossyCable | None" = None) -> None:
        self._sandbox, self._cable = sandbox, cable
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
        if self._cable is not None:
            self._cable.close()

    def start_head(self, *options: str) -> None:
        place = ("--node-ip-address=10.77.0.1", "--port=6379", f"--temp-dir={self._sandbox.temporary}/a")
        start_node(self._sandbox, self.head, *HEAD, *place, *options)

    def start_second(self, *options: str) -> None:
        address = (f"--address={self.ADDRESS}", "--node-ip-address=10.77.0.2")
        start_node(self._sandbox, self.second, *address, *options)

    def kill_second(self) -> None:
        """Kill every process of the second host."""
        inside = subprocess.run(
            ["ip", "netns", "pids", self.second], capture_output=True, text=True, check=True
        )
        for pid in inside.stdout.split():
            kill(psutil.Process(int(pid)))

    def link(self, state: str) -> None:
        """Set the second host's card `up` or `down`."""
        _ip("-n", self.second, "link", "set", self._cards[1], state)

    def _join(self) -> None:
        _ip("netns", "add", self.second)
        if self._cable is None:
            _ip("link", "add", self._cards[0], "type", "veth", "peer", "name", self._cards[1])
        else:
            self._cable.join(self._cards)
        hosts = zip((self.head, self.second), self._cards, ("10.77.0.1", "10.77.0.2"), strict=True)
        for namespace, card, address in hosts:
            _ip("link", "set", card, "netns", namespace)
            _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", card)
            _ip("-n", namespace, "link", "set", card, "up")
            _ip("-n", namespace, "link", "set", "lo", "up")


class LossyCable:
    """A pair of virtual cards, and a thread that carries packets from each to the other, but not all.

    What the kernel's `netem` would do, on kernels that are built without it.

    Args:
        loss: part of the packets that is lost, each way.
        chance: which ones.
    """

    SET_CARD = 0x400454CA  # TUNSETIFF of linux/if_tun.h
    ETHERNET_FRAMES = 0x0002 | 0x1000  # IFF_TAP, IFF_NO_PI

    def __init__(self, loss: float, chance: random.Random) -> None:
        self._loss, self._chance = loss, chance
        self._ends: list[int] = []
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry, name="cable", daemon=True)
        self.carried = self.lost = 0

    def join(self, cards: tuple[str, str]) -> None:
        """Make the two cards, in this namespace, and begin to carry."""
        for card in cards:
            try:
                end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(end, self.SET_CARD, struct.pack("16sH", card.encode(), self.ETHERNET_FRAMES))
            except OSError as error:
                pytest.skip(f"no virtual card can be made here: {error}")
            self._ends.append(end)
        self._thread.start()

    def close(self) -> None:
        """Carry no more; the cards go."""
        os.write(self._stopped, b"x")
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (*self._ends, self._stop, self._stopped):
            os.close(descriptor)

    def _carry(self) -> None:
        one, other = self._ends
        while self._stop not in (ready := select.select([one, other, self._stop], [], [])[0]):
            for end in ready:
                with suppress(OSError):  # a card that is down takes and gives nothing
                    self._pass_on(os.read(end, 65536), other if end == one else one)

    def _pass_on(self, frame: bytes, to: int) -> None:
        if self._chance.random() < self._loss:
            self.lost += 1
        else:
            os.write(to, frame)
            self.carried += 1


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
