"""`sweep.json`: the requested grid and each run."""

import json
from pathlib import Path

import pytest

from raysweep.machine import package_versions
from raysweep.run.environment import run_environment
from raysweep.store import sweep_record
from raysweep.store.ledger import Ledger
from raysweep.store.sweep_record import RunEnvironment, SweepRecord

ENVIRONMENT = RunEnvironment(
    versions={"python": "3.11.7", "keras": "3.15.0"}, commit="f00d", dirty=True, host="a", cpu_model="fast"
)
GRID = {"grid": {"arch": ["echo"], "len": [2, 3]}, "resources": {"cpu": 1}}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "lengths")


def read(ledger: Ledger) -> SweepRecord:
    found = ledger.record()
    assert found is not None
    return found


def test_a_run_is_recorded_at_its_start_and_its_end(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.begin_run("lengths", GRID, ENVIRONMENT)
        (run,) = read(ledger).runs
        assert run.ended is None
        assert run.exit_code is None
        assert run.started.utcoffset() is not None
        writer.end_run(130)
    found = read(ledger)
    assert (found.name, found.content) == ("lengths", GRID)
    (run,) = found.runs
    assert run.exit_code == 130
    assert run.ended is not None
    assert run.ended >= run.started
    assert (run.commit, run.dirty, run.host, run.cpu_model) == ("f00d", True, "a", "fast")
    assert run.versions == ENVIRONMENT.versions
    assert json.loads(ledger.paths.record.read_bytes())["runs"][0]["exit_code"] == 130


def test_the_latest_grid_counts_and_killed_runs_have_no_end(ledger: Ledger) -> None:
    for length in (2, 3):
        with ledger.open_for_writing() as writer:
            writer.begin_run("lengths", {"len": length}, ENVIRONMENT)
    with ledger.open_for_writing() as writer:
        writer.begin_run("lengths", GRID, ENVIRONMENT)
        writer.end_run(0)
    assert read(ledger).content == GRID
    assert [run.exit_code for run in read(ledger).runs] == [None, None, 0]


def test_an_end_without_a_start_is_not_recorded(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.end_run(0)
    assert ledger.record() is None


@pytest.mark.parametrize("content", ["", "{", '{"format": 99}', "[]"])
def test_a_torn_record_is_quarantined_and_rebuilt(ledger: Ledger, content: str) -> None:
    with ledger.open_for_writing():
        ledger.paths.record.write_text(content)
    assert ledger.record() is None
    with ledger.open_for_writing() as writer:
        writer.begin_run("lengths", GRID, ENVIRONMENT)
    assert len(read(ledger).runs) == 1
    (quarantined,) = ledger.paths.damaged.iterdir()
    assert (quarantined / "sweep.json").read_text() == content
    assert ledger.verify().damage == ()


def test_the_history_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_record, "LONGEST_HISTORY", 3)
    for number in range(5):
        with ledger.open_for_writing() as writer:
            writer.begin_run("lengths", {}, ENVIRONMENT)
            writer.end_run(number)
    assert [run.exit_code for run in read(ledger).runs] == [2, 3, 4]


def test_the_environment_is_described() -> None:
    found = run_environment()
    assert found.host
    assert found.cpu_model
    assert {"python", "numpy", "pyarrow"} <= package_versions().keys()
    assert (found.commit is None) == (found.dirty is None)
