"""Trials go on from the states of shorter ones, to the bytes that they would have had from the start."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from raysweep.grid import read_grid
from raysweep.store import checksum
from raysweep.trial.training_state import pack, unpack
from tests.command import raysweep, tables
from tests.faults.sandbox import Faults, Sandbox, wait_for
from tests.faults.undisturbed import check_undisturbed

pytestmark = [pytest.mark.fault, pytest.mark.ray]

GRID = """
name: long
keep_state: true
grid:
  - {arch: echo, len: [2, 3], mem: 8, epochs: EPOCHS}
  - {arch: seq2seq, len: 2, mem: 8, epochs: EPOCHS}
defaults: {eval_sequences: 2, curve_every: 5, eval_every: 10}
seq2seq: {windows: 6, batch_size: 3}
"""

NOTES: Faults = [{"what": "slow", "seconds": 0, "times": 0}]
"""Only take notes of the epochs at which trials are taken up."""


def grid(*epochs: int) -> str:
    return GRID.replace("EPOCHS", str(list(epochs)))


def begun(sandbox: Sandbox) -> list[int]:
    """The epochs at which trials were taken up, since this was asked last."""
    folder = sandbox.folder / "struck"
    epochs = [int(path.read_text().split()[1]) for path in folder.glob("begun-*")]
    shutil.rmtree(folder)
    return sorted(epochs)


def trained(sandbox: Sandbox, *epochs: int, said: str = "") -> list[int]:
    """Run the grid with these numbers of epochs; return the epochs at which its trials were taken up."""
    sandbox.set_grid(grid(*epochs))
    done = sandbox.run(faults=NOTES)
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    assert said in done.stdout + done.stderr
    return begun(sandbox)


def test_a_sweep_is_trained_longer(sandbox: Sandbox) -> None:
    assert trained(sandbox, 25) == [0, 0, 0]
    plan = raysweep("plan", sandbox.grid, cwd=sandbox.folder, env=sandbox.env).stdout
    assert "3 trials, 3 done, nothing to train" in plan
    sandbox.set_grid(grid(25, 50))
    plan = raysweep("plan", sandbox.grid, cwd=sandbox.folder, env=sandbox.env).stdout
    assert "3 trials to train will go on from saved states, which saves 75 epochs." in " ".join(plan.split())
    assert trained(sandbox, 25, 50) == [25, 25, 25]
    check_undisturbed(sandbox, rerun=False)
    rows = sandbox.ledger.manifests(sandbox.ledger.committed()).values()
    assert (
        sorted(row.counts.inherited_epochs for row in rows if row.counts.settings["epochs"] == 50) == [25] * 3
    )


def test_a_row_that_was_lost_is_made_again_from_its_state(sandbox: Sandbox) -> None:
    trained(sandbox, 25)
    first = tables(sandbox.results)
    for trial_id in sandbox.ledger.committed():
        sandbox.ledger.paths.table("trials", trial_id).unlink()
    assert trained(sandbox, 25) == [25, 25, 25]
    assert tables(sandbox.results) == first


def spoil(sandbox: Sandbox) -> None:
    """Tear one state, put another in the place of a third, and add what is no state."""
    torn, foreign, other = sorted(sandbox.ledger.paths.states.iterdir())
    torn.write_bytes(torn.read_bytes()[:-100])
    foreign.write_bytes(other.read_bytes())
    (torn.parent / "notes.txt").write_text("mine")
    (torn.parent / "echo-len9.state").write_text("no state")


def test_states_that_are_torn_or_foreign_or_missing_do_no_harm(sandbox: Sandbox) -> None:
    trained(sandbox, 25)
    spoil(sandbox)
    verified = raysweep("verify", sandbox.results, cwd=sandbox.folder, env=sandbox.env)
    assert verified.returncode == 1
    assert verified.stdout.count("does not match its checksum") == 2
    assert verified.stdout.count("belongs to another trial") == 1
    assert trained(sandbox, 25, 50, said="set aside, not used") == [0, 0, 25]
    (sandbox.ledger.paths.states / "notes.txt").unlink()
    for state in sandbox.ledger.paths.states.iterdir():
        state.unlink()
    assert trained(sandbox, 25, 50, 75) == [0, 0, 0]
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_states_of_another_machine_or_version_are_not_used_with_a_word(sandbox: Sandbox) -> None:
    trained(sandbox, 25)
    for path in sandbox.ledger.paths.states.iterdir():
        header, arrays = unpack(checksum.strip(path.read_bytes()))
        made_with = header.made_with.model_copy(update={"cpu_model": "a 486"})
        path.write_bytes(checksum.append(pack(header.model_copy(update={"made_with": made_with}), arrays)))
    said = "3 saved states are not used: made on a 486, cpu, here"
    assert trained(sandbox, 25, 50, said=said) == [0, 0, 0]
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
def test_a_chain_of_budgets_in_one_grid_is_trained_once(sandbox: Sandbox) -> None:
    sandbox.set_grid(grid(40, 20, 60))
    done = sandbox.run(faults=NOTES)
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    assert begun(sandbox) == [0] * 3 + [20] * 3 + [40] * 3
    check_undisturbed(sandbox, rerun=False)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["command", "worker"])
def test_a_kill_while_a_trial_is_trained_longer(sandbox: Sandbox, victim: str) -> None:
    trained(sandbox, 25)
    sandbox.set_grid(grid(25, 50))
    slow: Faults = [{"what": "slow", "epoch": 25, "seconds": 1, "times": 3}]
    with sandbox.running(faults=slow) as command:
        notes = sandbox.folder / "struck"
        wait_for(lambda: any("25" in path.read_text().split() for path in notes.glob("begun-*")))
        if victim == "command":
            command.send_signal(signal.SIGKILL)
        else:
            sandbox.workers()[0].kill()
        command.wait(timeout=120)
    check_undisturbed(sandbox)


def test_a_state_that_is_too_large_is_not_kept_with_a_word(sandbox: Sandbox) -> None:
    """Nor is it sent as a checkpoint, whose size the connection limits."""
    sandbox.set_grid(grid(25))
    limits = {
        "raysweep.driver.worker.LARGEST_STATE": 1000,
        "raysweep.driver.worker.CHECKPOINT_S": 0,
        "raysweep.driver.worker.REPORT_S": 0,
    }
    done = sandbox.run("--plain", faults=NOTES, RAYSWEEP_CONSTANTS=json.dumps(limits))
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    assert (done.stdout + done.stderr).count(": its state is too large to be kept") == 3
    assert [*(sandbox.results / "states").iterdir(), *(sandbox.results / "checkpoints").iterdir()] == []


def test_a_grid_without_keep_state_keeps_none(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.set_grid(grid(5).replace("keep_state: true\n", ""))
    assert sandbox.run().returncode == 0
    assert list(sandbox.ledger.paths.states.iterdir()) == []
    assert len(read_grid(sandbox.grid).trials) == 3
