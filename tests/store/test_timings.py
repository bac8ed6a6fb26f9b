"""The estimate of a sweep is read from its rows, without the diverged ones, and never fails a command."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two trials that were measured, and one that diverged."""
    ledger, rng = Ledger(tmp_path / "sweep"), np.random.default_rng(0)
    with ledger.open_for_writing() as writer:
        for seed in range(3):
            result = synthetic_result(synthetic_settings(seed=seed), rng, diverged=seed == 2)
            result = dataclasses.replace(result, trace_s=1.0, train_s=10.0 * (seed + 1), eval_s=0.5)
            writer.commit(encode(result, PROVENANCE))
    return ledger


def test_the_runtimes_of_finished_trials(ledger: Ledger) -> None:
    costs = {cost.settings: cost.seconds for cost in ledger.timings()}
    assert costs == {synthetic_settings(seed=0): 11.5, synthetic_settings(seed=1): 21.5}


def test_without_a_folder_there_are_no_measurements(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").timings() == []


def test_a_damaged_row_gives_no_measurements(ledger: Ledger) -> None:
    Path(ledger.files("trials")[0]).write_bytes(b"torn")
    assert ledger.timings() == []
