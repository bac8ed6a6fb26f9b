"""What is said when a folder's results are of another grid."""

from pathlib import Path

import pytest

from raysweep.analysis.grid_change import grid_changes
from raysweep.grid import Grid, read_grid
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

USUAL = {"arch": ["echo"], "len": [2], "mem": [4, 8], "seed": [0, 1]}


def grid_of(folder: Path, mem: str) -> Grid:
    (folder / "grid.yaml").write_text(f"name: s\ngrid: {{arch: echo, len: 2, mem: {mem}, seed: 0..1}}\n")
    return read_grid(folder / "grid.yaml")


@pytest.mark.parametrize(
    ("mem", "said"),
    [("[4, 8]", 0), ("[4, 8, 16]", 0), ("4", 1), ("16", 3)],
    ids=["same", "more", "less", "other"],
)
def test_finished_trials_that_the_grid_no_longer_has_are_counted(tmp_path: Path, mem: str, said: int) -> None:
    content = planned(USUAL)
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)[:3]))
    lines = [*grid_changes(grid_of(tmp_path, mem), ledger, ledger.committed())]
    if not said:
        assert lines == []
    else:
        are = "1 finished trial" if said == 1 else "3 finished trials"
        (line,) = lines
        assert line.startswith(f"{are} in {tmp_path / 's'} {'is' if said == 1 else 'are'} not of this grid.")
        assert "--name NAME" in line
