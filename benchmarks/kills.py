"""Hundreds of kills at random moments over a small grid, and what they cost.

``python -m benchmarks.kills --kills 300``: the seed is printed, and ``--seed`` replays its choices.
Workers, the command, its keeper, its driver and its raylet are killed while a sweep runs; a command that
ended is started again. A sweep that is done is compared with an undisturbed one; another begins, until the
kills are spent. Whenever a worker begins a trial it leaves a note, so that a trial begun after its commit is
found out. With ``--grow`` the grid keeps states and has twice the epochs from the middle of each sweep on.
"""

import argparse
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.command import tables
from tests.faults.sandbox import Sandbox, kill, wait_for, wait_until_gone
from tests.faults.undisturbed import PERMANENT

GRID = """
name: campaign
grid: {arch: [echo, seq2seq], len: [2, 3, 4], mem: 50, seed: 0..3}
defaults: {eval_sequences: 3}
echo: {epochs: 500}
seq2seq: {epochs: 1000}
"""
"""Two dozen trials of a second or two."""

GROWN = """
name: campaign
KEEP_STATE
grid:
  - {arch: echo, len: [2, 3, 4], mem: 50, seed: 0..3, epochs: ECHO}
  - {arch: seq2seq, len: [2, 3, 4], mem: 50, seed: 0..3, epochs: SEQ2SEQ}
defaults: {eval_sequences: 3}
"""
"""The same trials, and then those of twice the epochs."""

VICTIMS = {"worker": 0.6, "command": 0.15, "raylet": 0.1, "driver": 0.1, "keeper": 0.05}
"""How often each is the one."""

TAKE_NOTES = {"what": "slow", "seconds": 0, "times": 0}
"""An injected fault that does nothing but note when a trial is begun."""

MOMENTS_S = (0.0, 6.0)
"""From one kill, or from the first worker of a command, to the next."""


@dataclass
class Outcome:
    """What is counted; the goal of the first four is 0."""

    lost: int = 0
    twice: int = 0
    differing: int = 0
    left_over: int = 0
    sweeps: int = 0
    seconds: float = 0.0
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))


def grids(*, grow: bool) -> list[str]:
    """Return the grids of one sweep, one after the other, and last the one of the undisturbed sweep."""
    if not grow:
        return [GRID, GRID]
    short = GROWN.replace("ECHO", "500").replace("SEQ2SEQ", "1000")
    long = GROWN.replace("ECHO", "[500, 1000]").replace("SEQ2SEQ", "[1000, 2000]")
    kept = [one.replace("KEEP_STATE", "keep_state: true") for one in (short, long)]
    return [*kept, long.replace("KEEP_STATE", "")]


class Campaign:
    """One sandbox, the results that nothing disturbed, and the kills."""

    def __init__(self, sandbox: Sandbox, chance: random.Random, *, grow: bool) -> None:
        """Measure what an undisturbed sweep takes, and keep what it gives."""
        self.sandbox, self.chance, self.outcome = sandbox, chance, Outcome()
        *self.grids, undisturbed = grids(grow=grow)
        sandbox.set_grid(undisturbed)
        began = time.monotonic()
        with sandbox.running() as command:
            wait_for(sandbox.ledger.committed, 300)
            self.start_s = time.monotonic() - began
            command.communicate()
        self.undisturbed_s = time.monotonic() - began
        self.expected = tables(sandbox.results)
        manifests = sandbox.ledger.manifests(sandbox.ledger.committed()).values()
        self.trial_s = statistics.fmean(manifest.counts.seconds for manifest in manifests)
        shutil.rmtree(sandbox.results)

    def sweep(self, kills: int) -> None:
        """Disturb one sweep at most so often, until it is done, and compare it."""
        self.known: dict[str, bytes] = {}
        began = time.monotonic()
        for grid in self.grids:
            self.sandbox.set_grid(grid)
            self.left = kills // len(self.grids)
            while self._command() != 0:
                self._count_twice()
            self._count_twice()
        self.outcome.seconds += time.monotonic() - began
        self._compare()
        self.outcome.sweeps += 1
        shutil.rmtree(self.sandbox.results)
        shutil.rmtree(self.sandbox.folder / "struck")

    def _compare(self) -> None:
        """Compare a sweep that is done with the undisturbed one, and count what does not belong there."""
        outcome, results, expected = self.outcome, self.sandbox.results, self.expected
        found = tables(results)
        outcome.lost += len(expected.keys() - found.keys())
        outcome.differing += sum(found[name] != expected.get(name) for name in found)
        outcome.differing += len(self.sandbox.ledger.verify().damage)
        left = {path.name for path in results.iterdir() if path.is_file() or any(path.iterdir())}
        outcome.left_over += len(left - PERMANENT - {"states"}) + len(list(self.sandbox.temporary.iterdir()))

    def _command(self) -> int:
        """Run the command once, with kills; its exit code."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with self.sandbox.running("--retries", 1000, faults=[TAKE_NOTES], popen=quiet) as command:
            while self.left and self._wait(command):
                victim = self.chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
                processes = self._processes(victim, command)
                if not processes or command.poll() is not None:
                    continue
                kill(self.chance.choice(processes))
                self.left -= 1
                self.outcome.kills[victim] += 1
                if victim != "worker":
                    break
            exit_code = command.wait(timeout=600)
        wait_until_gone(self.sandbox, 60)
        return exit_code

    def _processes(self, victim: str, command: "subprocess.Popen[str]") -> list[psutil.Process]:
        """Find the processes that are such a victim."""
        if victim == "worker":
            with suppress(psutil.NoSuchProcess):  # since it was listed
                return [worker for worker in self.sandbox.workers() if "IDLE" not in worker.name()]
            return []
        if victim == "command":
            return [psutil.Process(command.pid)] if psutil.pid_exists(command.pid) else []
        part = self.sandbox.part(victim)
        return [] if part is None else [part]

    def _wait(self, command: "subprocess.Popen[str]") -> bool:
        """Wait for a random moment; whether there is something left to kill."""
        wait_for(lambda: self.sandbox.workers() or command.poll() is not None)
        time.sleep(self.chance.uniform(*MOMENTS_S))
        return command.poll() is None

    def _count_twice(self) -> None:
        """Count rows that were written again, and trials that were begun after their row was written."""
        folder = self.sandbox.results / "trials"
        rows = {path.stem: path.read_bytes() for path in folder.glob("*.parquet")}
        self.outcome.twice += sum(rows.get(name) != row for name, row in self.known.items())
        self.known = rows
        done = {name: (folder / f"{name}.parquet").stat().st_mtime_ns for name in rows}
        for note in (self.sandbox.folder / "struck").glob("begun-*"):
            trial_id, _, _ = note.read_text().split()
            self.outcome.twice += int(note.name.removeprefix("begun-")) > done.get(trial_id, sys.maxsize)
            note.unlink()


def main() -> None:
    """Disturb sweeps until the kills are spent, and print the account."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--grow", action="store_true", help="train longer from the middle of a sweep on")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no sweep after so long")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), GRID)
        try:
            campaign = Campaign(sandbox, random.Random(asked.seed), grow=asked.grow)
            end = time.monotonic() + 60 * asked.minutes
            while (left := asked.kills - sum(campaign.outcome.kills.values())) and time.monotonic() < end:
                campaign.sweep(max(min(left, 25), len(campaign.grids)))
                account(campaign)
        finally:
            sandbox.close()
    outcome = campaign.outcome
    sys.exit(1 if outcome.lost or outcome.twice or outcome.differing or outcome.left_over else 0)


def account(campaign: Campaign) -> None:
    """Print what has come of the campaign so far."""
    outcome, kills = campaign.outcome, sum(campaign.outcome.kills.values())
    extra = outcome.seconds - outcome.sweeps * campaign.undisturbed_s
    goal = campaign.start_s + campaign.trial_s / 2 + 5
    print(
        f"{kills} kills {outcome.kills} in {outcome.sweeps} sweeps: {outcome.lost} trials lost, "
        f"{outcome.twice} done twice, {outcome.differing} tables differing, {outcome.left_over} left over; "
        f"undisturbed {campaign.undisturbed_s:.0f} s (first result after {campaign.start_s:.0f} s), "
        f"{extra / max(kills, 1):.1f} s for each kill (goal: at most {goal:.1f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
