"""A large cluster on one machine: the traffic of hundreds of slots, and nodes that come and go.

``python -m benchmarks.cluster --slots 500 --actors 100``: actors that train nothing report and finish trials
as often as so many slots would with trials of 60 s. If there is an actor for every fifth slot, trials and the
time between reports last a fifth. Driver, connection, commits and nodes (`ray start`) are real.

A slot is idle between two slices of training. If a slice takes longer than planned, no core was free to go
on: that time is counted apart, as two cores cannot run 100 actors that all want one.

``--coming-and-going``: one node joins, and a fifth of the nodes are killed at random moments.
"""

import argparse
import json
import random
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.idle.experiment import result_of
from benchmarks.table import Figures, print_table
from raysweep.driver import keeper
from raysweep.driver.worker import report_s
from raysweep.grid import read_grid
from raysweep.store.encoding import encode
from tests.command import tables
from tests.faults.hosts import HEAD, RAY, use_token
from tests.faults.sandbox import Sandbox, wait_for
from tests.make_results import PROVENANCE

TRIAL_S = 60.0
"""Seconds of a trial in the simulated cluster."""

MEMORY_MB = 130
"""Memory of an actor without TensorFlow, and its share of a node's."""

GRID = """
name: cluster
grid: {{arch: echo, len: 2, mem: 16, seed: 0..{last}}}
"""

PATIENT = {
    "RAY_worker_maximum_startup_concurrency": "4",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_prestart_worker_first_driver": "0",
}
"""Lets Ray start more workers than the machine has cores."""


class Nodes:
    """A Ray cluster of several nodes on this machine; the head has no slot.

    Args:
        sandbox: where all its processes live.
        idle: what the stand-in for the training is told.
    """

    def __init__(self, sandbox: Sandbox, idle: dict[str, object]) -> None:
        """Start the head."""
        use_token(sandbox)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        path = str(Path(__file__).parent / "idle")
        self._env = {
            **sandbox.environment(),
            **PATIENT,
            "PYTHONPATH": path,
            "RAYSWEEP_IDLE": json.dumps(idle),
        }
        self._start(*HEAD, f"--port={port}", f"--temp-dir={sandbox.temporary}/head", cpus=0)

    def join(self, cpus: int) -> int:
        """Start a node; return the session in which all its processes live."""
        return self._start(f"--address={self.address}", cpus=cpus)

    def leave(self, session: int) -> None:
        """Kill every process of a node at once."""
        keeper.kill(list(keeper.members(session)))

    def _start(self, *options: str, cpus: int) -> int:
        node = subprocess.Popen(
            [
                *(str(RAY), "start", *options, f"--num-cpus={cpus}", "--node-ip-address=127.0.0.1"),
                *(
                    "--object-store-memory=100000000",
                    "--disable-usage-stats",
                    "--dashboard-agent-listen-port=0",
                ),
                *("--min-worker-port=0", "--max-worker-port=0"),
            ],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said, _ = node.communicate(timeout=300)
        if node.returncode:
            raise SystemExit(said)
        return node.pid


@dataclass
class Slots:
    """What the actors wrote down, by process."""

    begun: list[tuple[float, int]] = field(default_factory=list)
    """When a trial was begun, and the session of its node."""
    trials: dict[str, list[list[tuple[float, float, float]]]] = field(default_factory=dict)
    """Slices of training, trial by trial: when each began, how long it should take, and when it ended."""

    @classmethod
    def read(cls, folder: Path) -> "Slots":
        """Read all notes."""
        found = cls()
        for file in folder.iterdir():
            for note in map(json.loads, file.read_text().splitlines()):
                if "begun" in note:
                    found.begun.append((note["begun"], note["node"]))
                else:
                    found.trials.setdefault(file.name, []).append(note["slept"])
        return found

    def window(self) -> tuple[float, float]:
        """Return from when on every slot has trained a trial, and until when there was one for each."""
        return max(each[0][-1][2] for each in self.trials.values()), max(at for at, _ in self.begun)

    def figures(self, begin: float, end: float, actors: int) -> Figures:
        """Add up what so many actors did in a window of time.

        While 100 of them start on two cores, some end and others take their places: there may have been more
        processes, but no more at a time.
        """
        in_slices = planned = 0.0
        reports: list[float] = []
        changes: list[float] = []
        finished = 0
        for trials in self.trials.values():
            before = None
            for slices in trials:
                for number, (began, should, ended) in enumerate(slices):
                    inside = max(0.0, min(ended, end) - max(began, begin))
                    in_slices += inside
                    planned += inside * should / (ended - began)
                    if before is not None and begin <= began <= end:
                        (reports if number else changes).append(began - before)
                    before = ended
                finished += begin <= (before or 0.0) <= end
        total = (end - begin) * actors
        each = np.mean(reports) * len(reports) / len(changes) + np.mean(changes)
        return {
            "window_s": end - begin,
            "processes": len(self.trials),
            "reports_per_s": len(reports) / (end - begin),
            "trials_per_s": finished / (end - begin),
            "no_core_share": (in_slices - planned) / total,
            "idle_share": 1 - in_slices / total,
            "idle_share_at_true_speed": each / (each + TRIAL_S),
            "ms_between_slices": 1e3 * float(np.mean(reports)),
            "ms_between_trials": 1e3 * float(np.mean(changes)),
        }


class Load(threading.Thread):
    """Looks at the processor time of driver and command until the command ends."""

    def __init__(self, sandbox: Sandbox, command: "subprocess.Popen[str]") -> None:
        """Find the driver of a command that has just been started."""
        super().__init__(daemon=True)
        self._driver = wait_for(lambda: sandbox.part("driver"))
        self._command = psutil.Process(command.pid)
        self._looks: list[tuple[float, ...]] = []
        self.driver_mb = 0.0

    def run(self) -> None:
        """Look every second."""
        with suppress(psutil.Error):
            while True:
                times = [self._driver.cpu_times(), self._command.cpu_times()]
                idle = psutil.cpu_times().idle
                self._looks.append((time.monotonic(), *(t.user + t.system for t in times), idle))
                self.driver_mb = max(self.driver_mb, self._driver.memory_info().rss / 2**20)
                time.sleep(1)

    def figures(self, begin: float, end: float) -> Figures:
        """Return shares of one core in a window of time."""
        first, *_, last = [look for look in self._looks if begin <= look[0] <= end]
        driver, command, idle = ((last[n] - first[n]) / (last[0] - first[0]) for n in (1, 2, 3))
        return {
            "driver_cores": driver,
            "command_cores": command,
            "machine_idle_cores": idle,
            "driver_mb": self.driver_mb,
        }


def measure() -> Figures:
    """Simulate 500 and 1,000 slots, then nodes that come and go; print tables, return their numbers."""
    actors = min(100, int(psutil.virtual_memory().available / 2**20 * 0.8 / MEMORY_MB))
    simulated = {str(slots): simulate(slots, actors) for slots in (500, 1_000)}
    return {"slots": simulated, "nodes": come_and_go(random.Random(0))}


def simulate(slots: int, actors: int, trials_each: int = 20) -> Figures:
    """Let actors behave as so many slots, print what came of it, and return it."""
    scale = slots / actors
    every_s = report_s(slots)
    with _cluster(actors * trials_each, TRIAL_S / scale, every_s / scale) as (sandbox, nodes, notes):
        for cpus in (actors // 2, actors - actors // 2):
            nodes.join(cpus)
        with _running(sandbox, nodes) as command:
            load = Load(sandbox, command)
            load.start()
            out, err = command.communicate(timeout=3_600)
        if command.returncode:
            raise SystemExit(out[-2_000:] + err + sandbox.log[-5_000:])
        seen = Slots.read(notes)
        begin, end = seen.window()
        figures = {
            "slots": slots,
            "report_every_s": every_s,
            **seen.figures(begin, end, actors),
            **load.figures(begin, end),
            **_compare(sandbox),
        }
    _print(
        f"{slots:,} slots with trials of {TRIAL_S:g} s, by {actors} actors {scale:g} times as fast", figures
    )
    return figures


def come_and_go(chance: random.Random, count: int = 10, trials_each: int = 12) -> Figures:
    """Let a node join and a fifth of the nodes leave; print what came of it, and return it."""
    with _cluster(count * trials_each, 8.0, 2.0) as (sandbox, nodes, notes):
        there = [nodes.join(1) for _ in range(count)]
        with _running(sandbox, nodes) as command:
            wait_for(lambda: len(Slots.read(notes).trials) == count, 600)
            began = time.monotonic()
            there.append(nodes.join(1))
            joined = time.monotonic()
            used = wait_for(lambda: [at for at, node in Slots.read(notes).begun if node == there[-1]], 120)
            for session in chance.sample(there, count // 5):
                time.sleep(chance.uniform(0, 10))
                nodes.leave(session)
            out, err = command.communicate(timeout=1_200)
        if command.returncode:
            raise SystemExit(out[-2_000:] + err + sandbox.log[-5_000:])
        figures = {
            "nodes": count,
            "left": count // 5,
            "node_starts_s": joined - began,
            "first_trial_on_it_after_s": used[0] - joined,
            "failed_attempts": out.count("failed:"),
            **_compare(sandbox),
        }
    _print("Nodes of one core: one joins, a fifth leave", figures)
    return figures


@contextmanager
def _cluster(trials: int, trial_s: float, every_s: float) -> Iterator[tuple[Sandbox, Nodes, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), GRID.format(last=trials - 1))
        notes = Path(folder) / "notes"
        notes.mkdir()
        try:
            yield (
                sandbox,
                Nodes(sandbox, {"trial_s": trial_s, "report_s": every_s, "notes": str(notes)}),
                notes,
            )
        finally:
            sandbox.close()


def _running(sandbox: Sandbox, nodes: Nodes) -> AbstractContextManager["subprocess.Popen[str]"]:
    return sandbox.running("--address", nodes.address, "--retries", 5, "--plain")


def _compare(sandbox: Sandbox) -> Figures:
    """Count trials that are lost, or that differ from what they should be."""
    found = tables(sandbox.results)
    lost = differing = 0
    for settings in read_grid(sandbox.grid).trials:
        right = encode(result_of(settings), PROVENANCE)
        for kind, data in (("predictions", right.predictions), ("curves", right.curves)):
            table = found.get(f"{kind}/{settings.trial_id}.parquet")
            lost += table is None
            differing += table is not None and table != data
    return {"lost": lost, "differing": differing, "damaged": len(sandbox.ledger.verify().damage)}


def _print(title: str, figures: Figures) -> None:
    rows = [
        [name, f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"]
        for name, value in figures.items()
    ]
    print_table(title, ["", ""], rows)


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=500)
    parser.add_argument("--actors", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20, help="of each actor")
    parser.add_argument("--coming-and-going", action="store_true")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    asked = parser.parse_args()
    if asked.coming_and_going:
        print(f"seed {asked.seed}", flush=True)
        come_and_go(random.Random(asked.seed), asked.actors)
    else:
        simulate(asked.slots, asked.actors, asked.trials)


if __name__ == "__main__":
    main()
