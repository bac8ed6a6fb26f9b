"""A row's tally says what the trial's predictions say; rows without one are counted in the files."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from raysweep.results.analysis import Counts, analyse
from raysweep.results.ledger import Ledger
from raysweep.results.recount import recount, tallies
from raysweep.results.schema import encode
from raysweep.results.tally import Tally
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings
from tests.results.sweeps import GOLDEN, planned, synthetic_results, trials_of, write_sweep

WITHOUT_TALLIES = GOLDEN / "schema-1"


def counted_in_the_files(ledger: Ledger) -> dict[str, Tally]:
    predictions = {Path(name).stem: name for name in ledger.files("predictions")}
    return recount(ledger.files("trials"), predictions)


def comparable(tally: Tally) -> Tally:
    """NaN equals nothing, not even itself."""
    return dataclasses.replace(tally, loss=0.0) if tally.status == "diverged" else tally


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_a_tally_says_what_the_files_say(tmp_path: Path, share: float) -> None:
    content = planned(
        {"arch": ["echo", "seq2seq"], "len": [1, 3, 9], "mem": [4], "seed": [0, 1], "eval_sequences": [1, 4]}
    )
    results = synthetic_results(
        trials_of(content), lambda _: share, diverged=lambda trial: trial.seed == 1 and trial.len == 3
    )
    ledger = write_sweep(tmp_path / "s", content, results)
    carried = tallies(ledger, ledger.committed())
    counted = counted_in_the_files(ledger)
    assert len(carried) == 24
    assert all(receipt.tally for receipt in ledger.receipts(ledger.committed()).values())
    assert {i: comparable(t) for i, t in carried.items()} == {i: comparable(t) for i, t in counted.items()}


def test_rows_of_before_are_counted_in_the_files(tmp_path: Path) -> None:
    folder = shutil.copytree(WITHOUT_TALLIES, tmp_path / "s")
    ledger = Ledger(folder)
    assert [receipt.tally for receipt in ledger.receipts(ledger.committed()).values()] == [None, None]
    later = synthetic_settings(mem=32)
    with ledger.open_for_writing() as writer:
        writer.commit(encode(synthetic_result(later, np.random.default_rng(0)), PROVENANCE))
    analysis = analyse(ledger)
    assert analysis.counts == Counts(done=2, diverged=1, failed=0, missing=0)
    echo, diverged, added = analysis.cells
    assert (echo.windows, echo.exact_match, echo.position_accuracy) == (40, 0.675, (0.775, 0.875))
    assert echo.interval is not None
    assert (echo.interval.over, echo.interval.n) == ("sequences", 2)
    assert (diverged.diverged, diverged.exact_match) == ((0,), None)
    assert (added.settings["mem"], added.windows) == (32, later.eval_sequences * later.windows)
