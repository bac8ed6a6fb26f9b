"""The command with drivers that are a few lines of Python: what it commits, asks, counts and shows."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysweep.errors import ClusterError, GridError, StorageError, UsageError
from raysweep.report.page.page import report_page
from raysweep.run import supervisor
from raysweep.run.command import run_sweep
from raysweep.run.request import RunOptions
from raysweep.run.state import RunState
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from raysweep.trial.settings import TrialSettings
from tests.command import tables
from tests.make_results import PROVENANCE, synthetic_result

GRID = """
name: small
grid: {arch: echo, len: [2, 3, 4], mem: 4}
defaults: {eval_sequences: 2, epochs: 50}
"""

HEAD = """
import socket, sys
from pathlib import Path
from raysweep.protocol import *
connection = Connection(socket.socket(fileno=int(sys.argv[1])))
trained = Path(TRAINED)
connection.send(Ready(slots=2))

def event(what, trial_id, /, **more):
    connection.send(what(trial_id=trial_id, **more))

def failed(trial_id, words="bad luck"):
    event(Failed, trial_id, kind="error", message=words, traceback="", host="here")

def finished(trial_id, of=None, cut=0):
    parts = [(trained / f"{of or trial_id}.{n}").read_bytes() for n in range(3)]
    sizes = (*map(len, parts), None)
    numbers = {"exact_match": 0.5, "seconds": 1.0, "inherited_epochs": 0}
    message = Finished(trial_id=trial_id, host="here", sizes=sizes, **numbers)
    connection.send(message, b"".join(parts)[cut:])

def state(settings):
    from raysweep.trial.training_state import MadeWith, StateHeader, pack
    return pack(StateHeader(settings=settings, epoch=25, made_with=MadeWith.here(1, "cpu")), b"arrays")

def rounds():
    while True:
        request, _ = connection.receive()
        ids = [one.settings.trial_id for one in request.trials]
        yield request.trials, ids
        connection.send(RoundEnded(reason="", no_worker=False))

"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the sweep in this process, with a driver of a given script; returns its exit code."""
    trained = tmp_path / "trained"
    trained.mkdir()
    for n_out in (2, 3, 4):
        settings = TrialSettings(arch="echo", len=n_out, mem=4, seed=0, eval_sequences=2, epochs=50)
        trial = encode(synthetic_result(settings, np.random.default_rng(n_out)), PROVENANCE)
        for number, part in enumerate((trial.trials, trial.predictions, trial.curves)):
            assert part is not None
            (trained / f"{trial.trial_id}.{number}").write_bytes(part)
    (tmp_path / "small.yaml").write_text(GRID)
    monkeypatch.setattr("raysweep.run.request.require_limits", lambda slots: None)

    def run(script: str, **options: Any) -> int:
        body = HEAD.replace("TRAINED", repr(str(trained))) + script

        def command(connection: int, cluster: object) -> list[str]:
            return [sys.executable, "-P", "-c", body, str(connection)]

        monkeypatch.setattr(supervisor, "driver_command", command)
        return run_sweep(tmp_path / "small.yaml", tmp_path, None, RunOptions(plain=True, **options))

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "small")


ALL = "for trials, ids in rounds():\n    for one in ids: finished(one)\n"


def test_what_comes_back_is_committed(sweep: Any, ledger: Ledger, capfd: pytest.CaptureFixture[str]) -> None:
    assert sweep(ALL) == 0
    assert len(ledger.committed()) == 3
    assert ledger.verify().damage == ()
    out, err = capfd.readouterr()
    assert "[3/3] echo len " in out
    assert err == ""


def test_the_page_is_that_of_the_finished_run(
    sweep: Any, ledger: Ledger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.html"
    assert sweep(ALL, html=file) == 0
    assert file.read_text(encoding="utf-8") == report_page(ledger)
    assert "exit code 0" in file.read_text(encoding="utf-8")
    assert capfd.readouterr().err == f"Page: {file}\n"
    assert sweep("", html=file) == 0  # nothing is missing, and the page has one more run
    assert "1 earlier run" in file.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_refused_before_anything_starts(sweep: Any, ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=r"nowhere/page\.html: there is no folder"):
        sweep(ALL, html=Path("nowhere/page.html"))
    assert not ledger.paths.folder.exists()


def test_a_part_of_the_grid_is_trained_and_the_rest_stays_planned(
    sweep: Any, ledger: Ledger, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sweep(ALL, only=("len=2,3",)) == 0
    assert {one.partition("-mem")[0] for one in ledger.committed()} == {"echo-len2", "echo-len3"}
    out, err = capfd.readouterr()
    assert "[2/2] echo len " in out
    assert "small · 2 of 3 trials" in out
    assert "4 │ not run" in out
    assert err == "Left out by --only and not done: 1 trial of the grid\n"
    assert len(ledger.planned() or ()) == 3
    assert sweep("", only=("len=2",)) == 0  # no driver is started
    capfd.readouterr()
    assert sweep(ALL) == 0
    assert capfd.readouterr().err == ""
    record = ledger.record()
    assert record is not None
    assert [run.options for run in record.runs] == [("--only len=2,3",), ("--only len=2",), ()]


def test_a_part_whose_trials_fail_exits_with_1(sweep: Any, ledger: Ledger) -> None:
    script = "for trials, ids in rounds():\n    for one in ids: failed(one)\n"
    assert sweep(script, only=("len=2",), retries=0) == 1
    assert len(ledger.failures()) == 1


def test_what_is_set_is_trained_and_recorded(sweep: Any, ledger: Ledger, tmp_path: Path) -> None:
    assert sweep(ALL, sets=("len=2..3",), html=tmp_path / "page.html") == 0
    assert "--set len=2..3" in (tmp_path / "page.html").read_text(encoding="utf-8")
    record = ledger.record()
    assert record is not None
    assert record.content["grid"][0]["len"] == [2, 3]
    assert record.runs[0].options == ("--set len=2..3",)
    assert len(ledger.committed()) == len(ledger.planned() or ()) == 2


def test_the_command_that_continues_has_the_options(
    sweep: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "len=[2, 3]", "--only", "len=2", "--reuse", "my results"]
    monkeypatch.setattr(sys, "argv", ["raysweep", "run", "small.yaml", *options])
    script = "for trials, ids in rounds():\n    for one in ids: failed(one)\n"
    assert sweep(script, sets=("len=[2, 3]",), only=("len=2",), retries=0) == 1
    err = capfd.readouterr().err
    assert "raysweep run small.yaml --set 'len=[2, 3]' --only len=2 --reuse 'my results'\n" in err


def test_trials_of_other_sweeps_are_taken(
    sweep: Any, ledger: Ledger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sweep(ALL) == 0
    other = ledger.paths.folder.rename(tmp_path / "other")
    assert sweep("", reuse=(other,)) == 0  # no driver is started
    kinds = ("trials", "predictions", "curves")
    assert tables(other, *kinds) == tables(ledger.paths.folder, *kinds)
    record = ledger.record()
    assert record is not None
    assert record.runs[0].options == (f"--reuse {other}",)
    assert capfd.readouterr().err == f"3 trials taken from {other}.\nsmall: 3 trials done, nothing to train\n"


def test_what_is_damaged_elsewhere_is_trained(
    sweep: Any, ledger: Ledger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sweep(ALL) == 0
    other = ledger.paths.folder.rename(tmp_path / "other")
    damaged = sorted((other / "predictions").iterdir())[0]
    data = damaged.read_bytes()
    damaged.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert sweep(ALL, reuse=(other,)) == 0
    out, err = capfd.readouterr()
    assert "[3/3] echo len 2" in out
    assert err == (
        f"2 trials taken from {other}.\n{damaged}: the file does not match its checksum; not taken\n"
    )
    assert ledger.verify().damage == ()
    assert damaged.read_bytes() != data  # another folder is only read


def test_a_part_takes_its_own_trials_alone(sweep: Any, ledger: Ledger, tmp_path: Path) -> None:
    assert sweep(ALL) == 0
    other = ledger.paths.folder.rename(tmp_path / "other")
    assert sweep("", reuse=(other,), only=("len=3",)) == 0
    assert len(ledger.committed()) == 1


def test_options_that_cannot_be_followed_make_nothing(sweep: Any, ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(GridError, match=r"^--set epochs: found 0; .*\n--only len: found 'len'; "):
        sweep(ALL, sets=("epochs=0",), only=("len",))
    with pytest.raises(GridError, match=r"^--only len: no trial of the grid has 9; len is 2\.\.4$"):
        sweep(ALL, only=("len=9",))
    with pytest.raises(UsageError, match="no sweep has written here"):
        sweep(ALL, reuse=(tmp_path,))
    assert not ledger.paths.folder.exists()


def test_a_round_that_answered_for_some_is_not_taken_for_done(sweep: Any, ledger: Ledger) -> None:
    script = """
for number, (trials, ids) in enumerate(rounds()):
    assert [one.attempt for one in trials] == [1] * (3 - number)
    finished(ids[0])
"""
    assert sweep(script) == 0
    assert len(ledger.committed()) == 3


def test_attempts_are_counted_and_the_last_failure_is_kept(sweep: Any, ledger: Ledger) -> None:
    script = """
for trials, ids in rounds():
    for one in trials:
        if one.settings.len == 3:
            failed(one.settings.trial_id, f"attempt {one.attempt}")
        else:
            finished(one.settings.trial_id)
"""
    assert sweep(script, retries=1) == 1
    (failure,) = ledger.failures().values()
    assert (failure.message, failure.attempts, failure.host) == ("attempt 2", 2, "here")
    assert len(ledger.committed()) == 2


@pytest.mark.parametrize("wrong", ["finished(ids[0], of=ids[1])", "finished(ids[0], cut=5)"])
def test_what_is_not_that_trials_is_a_failed_attempt(sweep: Any, ledger: Ledger, wrong: str) -> None:
    script = f"""
first = True
for trials, ids in rounds():
    if first:
        {wrong}
        first, ids = False, ids[1:]
    for one in ids: finished(one)
"""
    assert sweep(script, retries=1) == 0
    assert ledger.failures() == {}
    assert ledger.verify().damage == ()


def test_a_late_answer_changes_nothing(sweep: Any, ledger: Ledger) -> None:
    """As of a worker that was cut off: its trial was done by another one meanwhile."""
    script = """
for trials, ids in rounds():
    for one in ids: finished(one)
    event(Started, ids[0])
    event(Progress, ids[0], epoch=1, loss=1.0, accuracy=0.5)
    connection.send(Checkpoint(trial_id=ids[0]), b"late")
    finished(ids[0])
    failed(ids[0])
    failed("no-trial-of-this-run")
"""
    assert sweep(script) == 0
    assert ledger.failures() == {}
    assert list(ledger.paths.checkpoints.iterdir()) == []


def test_checkpoints_are_kept_and_given_when_they_are_wanted(sweep: Any, ledger: Ledger) -> None:
    script = """
for number, (trials, ids) in enumerate(rounds()):
    if number == 0:
        assert not any(one.has_state for one in trials)
        half_way = state(trials[0].settings)
        connection.send(Checkpoint(trial_id=ids[0]), half_way)
        for one in ids: failed(one)
        saved = ids[0]
        continue
    assert {one.settings.trial_id for one in trials if one.has_state} == {saved}
    event(Wanted, saved)
    assert connection.receive() == (Checkpoint(trial_id=saved), half_way)
    event(Wanted, "echo-len9")
    assert connection.receive() == (Checkpoint(trial_id="echo-len9"), b"")
    for one in ids: finished(one)
"""
    assert sweep(script) == 0
    assert list(ledger.paths.checkpoints.iterdir()) == []


def test_the_end_of_a_driver_keeps_what_came_before(sweep: Any, ledger: Ledger, tmp_path: Path) -> None:
    script = "for trials, ids in rounds():\n    finished(ids[0])\n    sys.exit(1)\n"
    with pytest.raises(ClusterError, match="The cluster was lost") as caught:
        sweep(script)
    said = str(caught.value)
    assert f"see {ledger.paths.log}" in said
    assert "1 of 3 trials are done" in said
    assert "Continue with: " in said
    assert len(ledger.committed()) == 1
    record = ledger.record()
    assert record is not None
    assert record.runs[-1].exit_code == 3
    assert not ledger.paths.lock.exists()
    assert sweep(ALL) == 0
    assert len(ledger.committed()) == 3


def test_the_slots_follow_the_nodes_of_a_cluster(sweep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slots: list[int] = []
    monkeypatch.setattr(RunState, "end_round", lambda self, reason, *, no_worker: slots.append(self.slots))
    script = """
for trials, ids in rounds():
    connection.send(Slots(slots=7))
    for one in ids: finished(one)
"""
    assert sweep(script) == 0
    assert slots == [7]


def test_a_message_out_of_turn_ends_the_run(sweep: Any) -> None:
    with pytest.raises(ClusterError, match="out of turn: stop"):
        sweep("for trials, ids in rounds():\n    connection.send(Stop())\n")


def test_damage_that_needs_more_cores_starts_another_driver(sweep: Any, ledger: Ledger) -> None:
    assert sweep(ALL) == 0
    lost, flipped, _ = sorted(ledger.committed())
    ledger.paths.table("trials", lost).unlink()
    path = ledger.paths.table("curves", flipped)
    path.write_bytes(path.read_bytes()[:-1])
    assert sweep(ALL, cpus=2) == 0
    assert len(ledger.committed()) == 3
    assert ledger.verify().damage == ()


def test_a_torn_record_is_reported(sweep: Any, ledger: Ledger, capfd: pytest.CaptureFixture[str]) -> None:
    assert sweep(ALL) == 0
    ledger.paths.record.write_bytes(ledger.paths.record.read_bytes()[:40])
    capfd.readouterr()
    assert sweep(ALL) == 0
    assert f"{ledger.paths.record}: not valid; set aside in {ledger.paths.damaged}" in capfd.readouterr().err
    assert len(list(ledger.paths.damaged.rglob("sweep.json"))) == 1


def test_a_file_in_the_place_of_the_folder(sweep: Any, tmp_path: Path) -> None:
    (tmp_path / "small").touch()
    with pytest.raises(StorageError, match="a file is in the place of the results folder; give another"):
        sweep(ALL)
