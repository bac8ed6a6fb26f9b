"""As many worker processes as slots, for the whole sweep: none is idle, none is started twice."""

import time
from pathlib import Path

import psutil
import pytest

from tests.command import start, write_grid

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

MANY = """
name: many
grid: {arch: echo, len: 2, mem: 4, epochs: 20, eval_sequences: 1, seed: 0..59}
"""
"""Sixty trials of a few milliseconds: shorter than the start of an actor, which is what tempts Tune to
put all of them on the actor that came up first."""


def training(command: psutil.Process) -> set[int]:
    """The processes below the command that train, or have trained."""
    pids = set()
    for process in command.children(recursive=True):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if title.startswith("ray::") and "Trainable" in title:
            pids.add(process.pid)
    return pids


def test_a_sweep_of_short_trials_keeps_every_slot_and_its_process(tmp_path: Path) -> None:
    write_grid(tmp_path, MANY, "many.yaml")
    process = start("run", "many.yaml", "--cpus", 2, "--plain", cwd=tmp_path)
    command, pids = psutil.Process(process.pid), set()
    while process.poll() is None:
        try:
            pids |= training(command)
        except psutil.Error:
            break
        time.sleep(0.05)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "many · 60 of 60 trials" in out
    assert len(pids) == 2
