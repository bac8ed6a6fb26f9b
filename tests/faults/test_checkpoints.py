"""Long trials go on where they were, in another worker or another command, to the same bits."""

import json
import signal
import time

import pytest

from raysweep.grid import read_grid
from tests.faults.sandbox import Sandbox, wait_for
from tests.faults.undisturbed import check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

LONG = """
name: long
grid:
  - {arch: echo, len: 3, mem: 8}
  - {arch: seq2seq, len: 2, mem: 8}
defaults: {eval_sequences: 2, epochs: 40}
seq2seq: {windows: 6, batch_size: 3}
"""
SLICES = json.dumps({"raysweep.driver.worker.REPORT_S": 0.0, "raysweep.driver.worker.CHECKPOINT_S": 0.0})
"""One epoch to a report, and a checkpoint with each."""

NOTHING = {"what": "slow", "seconds": 0, "times": 0}
"""Only takes notes."""


def resumed_at(sandbox: Sandbox) -> dict[str, list[int]]:
    """The epochs at which each trial was taken up, from what the injected faults wrote down."""
    found: dict[str, list[int]] = {}
    for path in sorted((sandbox.folder / "struck").glob("begun-*")):
        trial, epoch, _ = path.read_text().split()
        found.setdefault(trial.split("-")[0], []).append(int(epoch))
    return {arch: sorted(epochs) for arch, epochs in found.items()}


def test_a_trial_goes_on_after_its_worker_died_and_in_the_next_command(sandbox: Sandbox) -> None:
    sandbox.set_grid(LONG)
    faults = [
        {"what": "exit", "epoch": 7, "trial": "echo"},
        {"what": "exit", "epoch": 23, "trial": "seq2seq"},
        {"what": "slow", "epoch": 32, "seconds": 1, "times": -1},
    ]
    with sandbox.running(faults=faults, RAYSWEEP_CONSTANTS=SLICES) as command:
        wait_for(lambda: resumed_at(sandbox) == {"echo": [0, 7], "seq2seq": [0, 23]})
        time.sleep(2)
        command.send_signal(signal.SIGTERM)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 143, out + err + sandbox.log
    done = sandbox.run(faults=[NOTHING])
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    again = resumed_at(sandbox)
    assert again["echo"][2:] > [7]
    assert again["seq2seq"][2:] > [23]
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_used_costs_no_more_than_itself(sandbox: Sandbox) -> None:
    sandbox.set_grid(LONG)
    echo, seq2seq = (trial.trial_id for trial in read_grid(sandbox.grid).trials)
    with sandbox.ledger.open_for_writing() as writer:
        writer.put_checkpoint(echo, b"of another version")
        writer.put_checkpoint(seq2seq, b"torn")
    with sandbox.ledger.paths.checkpoint(seq2seq).open("r+b") as file:
        file.truncate(2)
    check_undisturbed(sandbox)
