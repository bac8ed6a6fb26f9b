"""Signals and kills at random moments, from the first millisecond of a run on, and how each ended.

``python -m benchmarks.moments``: the seed is printed, and ``--seed`` replays its choices. What each moment
must end with is what docs/reliability.md promises; every other end is printed, and counted.
"""

import argparse
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.sandbox import SMALL, Sandbox, kill, wait_for

SLOW = {"what": "slow", "seconds": 1, "times": -1}
"""Keeps the trials of a run under way."""

SLOWER = {**SLOW, "seconds": 10}
"""Until Ray has noticed that one of its agents ended while it started, up to 15 s later."""

LATEST_S = 6.0
"""Seconds after its beginning until which a moment may come."""

TOLD_S = 30.0
"""Seconds in which the end of a cluster must be reported."""

GONE_S = 10.0
"""Seconds after the command's end in which everything of it must be gone."""

PARTS = ("raylet", "gcs_server", "ray::DashboardA", "ray::RuntimeEnv", "driver", "keeper")


class Moments:
    """One sandbox, and what went wrong in it."""

    def __init__(self, sandbox: Sandbox, chance: random.Random) -> None:
        """Begin with nothing wrong."""
        self.sandbox, self.chance = sandbox, chance
        self.wrong: list[str] = []
        self.ended_s: list[float] = []

    def signal_to_everybody(self) -> None:
        """Send SIGTERM to every process of a run at a moment of its first seconds."""
        with self.sandbox.running(faults=[SLOW], popen={"start_new_session": True}) as command:
            # The handlers are in place some 30 ms after the start.
            wait_for(lambda: handles_sigterm(command.pid), 10)
            after = self.chance.uniform(0, LATEST_S)
            time.sleep(after)
            for process in self.sandbox.processes():
                kill(process, signal.SIGTERM)
            out, err = command.communicate(timeout=60)
        self._check(f"SIGTERM after {after:.3f} s", command.returncode == 143, err, out)
        self._check_gone(f"SIGTERM after {after:.3f} s")

    def loss_of_a_part(self) -> None:
        """Kill one of the processes that a run cannot do without, from its first millisecond on."""
        name = self.chance.choice(PARTS)
        with self.sandbox.running(faults=[SLOWER]) as command:
            victim = wait_for(lambda: self.sandbox.part(name))
            after = self.chance.uniform(0, LATEST_S) * self.chance.choice((0.01, 0.3, 1))
            time.sleep(after)
            kill(victim)
            began = time.monotonic()
            out, err = command.communicate(timeout=120)
            took = time.monotonic() - began
        self.ended_s.append(took)
        what = f"{name} killed after {after:.3f} s"
        self._check(f"{what}: {took:.1f} s", command.returncode == 3 and took < TOLD_S, err, out)
        self._check_gone(what)

    def loss_of_the_command(self, *, keeper: bool) -> None:
        """Kill the command, perhaps with its keeper; the next run clears up after both."""
        with self.sandbox.running(faults=[SLOW]) as command:
            if keeper:
                kept = wait_for(lambda: self.sandbox.part("keeper"))
            after = self.chance.uniform(0, LATEST_S)
            time.sleep(after)
            command.kill()
            if keeper:
                kill(kept)
            command.communicate()
        what = f"the command{' and its keeper' if keeper else ''} killed after {after:.3f} s"
        if keeper:
            done = self.sandbox.run()
            if done.returncode:
                self._report(f"{what}: the next run ended with {done.returncode}: {done.stderr}")
        self._check_gone(what)

    def _check(self, what: str, right: bool, err: str, out: str) -> None:
        words = "Continue with: raysweep run" in err and "Traceback" not in out + err
        unlocked = not self.sandbox.ledger.paths.lock.exists()
        if not (right and words and unlocked):
            self._report(f"{what}: words {words}, unlocked {unlocked}\n{out[-500:]}{err[-500:]}")

    def _check_gone(self, what: str) -> None:
        end = time.monotonic() + GONE_S
        while (left := self._left()) and time.monotonic() < end:
            time.sleep(0.1)
        if left:
            self._report(f"{what}: left {left}")
            for process in self.sandbox.processes():
                kill(process)

    def _left(self) -> list[str]:
        """Name what is there of a run that has ended: processes and temporary files."""
        return [*map(str, self.sandbox.processes()), *map(str, self.sandbox.temporary.iterdir())]

    def _report(self, what: str) -> None:
        self.wrong.append(what)
        print(what, flush=True)


def handles_sigterm(pid: int) -> bool:
    """Return whether a process has a handler for SIGTERM."""
    with suppress(OSError, StopIteration):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
        return bool(int(caught, 16) & 1 << (signal.SIGTERM - 1))
    return False


def main() -> None:
    """Go through all kinds of moments, and print how many of each ended as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--share", type=float, default=1.0, help="of 40, 50, 20 and 10 moments")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), SMALL)
        moments = Moments(sandbox, random.Random(asked.seed))
        kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "SIGTERM to every process": (40, moments.signal_to_everybody),
            "SIGKILL of a part": (50, moments.loss_of_a_part),
            "SIGKILL of the command": (20, lambda: moments.loss_of_the_command(keeper=False)),
            "SIGKILL of command and keeper": (10, lambda: moments.loss_of_the_command(keeper=True)),
        }
        try:
            for name, (count, act) in kinds.items():
                count, before = round(count * asked.share), len(moments.wrong)
                for _ in range(count):
                    shutil.rmtree(sandbox.results, ignore_errors=True)
                    act()
                print(f"{name}: {count - len(moments.wrong) + before} of {count} right", flush=True)
        finally:
            sandbox.close()
    if moments.ended_s:
        print(f"the loss of a part was reported within {max(moments.ended_s):.1f} s")
    sys.exit(1 if moments.wrong else 0)


if __name__ == "__main__":
    main()
