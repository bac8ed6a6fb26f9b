"""Results that 0.1.0 wrote: they stay readable, and are continued.

The files in `golden/0.1.0` are never written again: a change that breaks these tests breaks users' results.
They come from the wheel of 0.1.0, by `raysweep run` of the grid below: first with a trial of `broken` besides
(`{arch: broken, len: 2, mem: 8}`), which ends its worker, and then with the options that `sweep.json` has.
The networks file is the copy in `networks/`.
"""

import shutil
from pathlib import Path

import pytest

import raysweep
from raysweep.store.ledger import Ledger
from tests.command import raysweep as command
from tests.command import tables, write_grid

GOLDEN = Path(__file__).parent / "golden" / "0.1.0"

GRID = """
name: golden
networks: networks.py
keep_state: true
grid:
  - {arch: [echo, seq2seq], len: 2, mem: 8, seed: 0..1}
  - {arch: gru, len: 2, mem: 8, depth: [1, 2]}
  - {arch: echo, len: 3, mem: 8, learning_rate: 3.0e+38}
defaults: {eval_sequences: 2, curve_every: 20, eval_every: 20}
echo: {epochs: 400}
seq2seq: {epochs: 20, windows: 6, batch_size: 3}
gru: {epochs: 20, windows: 6, batch_size: 3}
"""

ECHO = "echo-len2-mem8-seed0-963d0df79225"
DIVERGED = "echo-len3-mem8-seed0-5b597dbcdbe7"
GRU = "gru-len2-mem8-seed0-f774490b5d79"
IDS = [
    ECHO,
    "echo-len2-mem8-seed1-51b7178ddedc",
    DIVERGED,
    "gru-len2-mem8-seed0-af58f36b63af",
    GRU,
    "seq2seq-len2-mem8-seed0-7fb932c19e95",
    "seq2seq-len2-mem8-seed1-3a5deee0a435",
]
BROKEN = "broken-len2-mem8-seed0-9fd5e801ebf9"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(GOLDEN)


def test_every_file_is_valid(ledger: Ledger) -> None:
    assert ledger.verify().damage == ()
    assert sorted(ledger.committed_with_expected_sizes()) == IDS
    assert sorted(ledger.planned() or ()) == IDS


def test_the_record_and_the_failure_are_read(ledger: Ledger) -> None:
    record = ledger.record()
    assert record is not None
    assert [(run.options, run.exit_code) for run in record.runs] == [
        ((), 1),
        (("--set eval_sequences=2", "--only arch=echo,seq2seq,gru"), 0),
    ]
    assert {trial_id: failure.kind for trial_id, failure in ledger.failures().items()} == {
        BROKEN: "worker_lost"
    }


def test_the_tables_are_read() -> None:
    sweep = raysweep.load(GOLDEN)
    columns = (
        "trial_id, status, deterministic, exact_match, position_accuracy, updates, options, layers[1].shape"
    )
    rows = sweep.sql(f"SELECT {columns} FROM trials ORDER BY ALL").fetchall()
    assert [rows[IDS.index(trial_id)] for trial_id in (ECHO, DIVERGED, GRU)] == [
        (ECHO, "done", True, 0.375, [0.625, 0.575], 1600, {}, [100, 32]),
        (DIVERGED, "diverged", True, None, None, 4, {}, [100, 32]),
        (GRU, "done", True, 0.0, [0.0, 0.0], 40, {"depth": "2"}, [100, 24]),
    ]
    sums = "SELECT count(*), sum(exact::int), sum(input[1]), sum(predicted[2]) FROM predictions"
    assert sweep.sql(sums).fetchall() == [(128, 37, 5795, 5660)]
    last = f"SELECT loss, exact_match FROM curves WHERE trial_id = '{ECHO}' AND epoch = 400"
    assert sweep.sql(last).fetchall() == [(3.5964444994926454, 0.375)]


def test_longer_trials_can_go_on_from_the_states(ledger: Ledger) -> None:
    states = ledger.states(None)
    planned = ledger.planned() or {}
    assert {trial_id: states.epochs(planned[trial_id]) for trial_id in (ECHO, GRU)} == {ECHO: 400, GRU: 20}


@pytest.mark.e2e
def test_the_same_grid_trains_nothing(tmp_path: Path, ledger: Ledger) -> None:
    results = tmp_path / "results" / "golden"
    shutil.copytree(GOLDEN, results)
    (source,) = (GOLDEN / "networks").iterdir()
    shutil.copy(source, tmp_path / "networks.py")
    write_grid(tmp_path, GRID, "golden.yaml")
    ran = command("run", "golden.yaml", "--plain", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(Ledger(results).record().runs) == 3  # type: ignore[union-attr]  # just written
    assert tables(results, "trials", "predictions", "curves") == tables(
        GOLDEN, "trials", "predictions", "curves"
    )
    assert BROKEN in command("show", str(results), BROKEN, cwd=tmp_path).stdout
