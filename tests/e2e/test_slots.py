"""As many worker processes as slots, for the whole sweep: none is idle, none is started twice."""

import re
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.command import environment, start, write_grid
from tests.faults.sandbox import INJECT

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

MANY = """
name: many
grid: {arch: echo, len: 2, mem: 4, epochs: 20, eval_sequences: 1, seed: 0..59}
"""
"""Sixty trials of a few milliseconds: shorter than the start of an actor, which is what tempts Tune to
put all of them on the actor that came up first, and to end the other."""

STARTING = re.compile(r"\S*/python[\d.]* .*_worker\.py ")
TRAINING = re.compile(r"ray::.*Trainable")


def titles(command: psutil.Process) -> dict[int, str]:
    """What the processes below the command are called, by id."""
    found = {}
    for process in command.children(recursive=True):
        with suppress(psutil.Error):
            found[process.pid] = " ".join(process.cmdline())
    return found


def test_a_sweep_of_short_trials_keeps_every_slot_and_its_process(tmp_path: Path) -> None:
    write_grid(tmp_path, MANY, "many.yaml")
    env = environment(tmp_path, PYTHONPATH=str(INJECT), RAYSWEEP_LATE=str(tmp_path / "results" / "many"))
    process = start("run", "many.yaml", "--cpus", 2, "--plain", cwd=tmp_path, env=env)
    command = psutil.Process(process.pid)
    training: set[int] = set()
    workers: set[int] = set()
    while process.poll() is None:
        with suppress(psutil.Error):
            found = titles(command)
            training |= {pid for pid, title in found.items() if TRAINING.match(title)}
            workers |= {pid for pid, title in found.items() if STARTING.match(title)}
        time.sleep(0.05)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "many · 60 of 60 trials" in out
    assert len(training) == 2
    assert training == workers  # those that Ray started with the cluster: no time goes to starting others
