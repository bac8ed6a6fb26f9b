"""Many trials of one epoch and one shape: what each costs beyond its training; plan and report on many."""

import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

import raysweep
from benchmarks.table import Figures, print_table
from benchmarks.watch import watch
from raysweep.grid import read_grid
from raysweep.run.environment import run_environment
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from tests.make_results import PROVENANCE, synthetic_result

COUNTS = (100, 1_000, 10_000)
SLOTS = 2
SECONDS = ("trace_s", "train_s", "eval_s")
RAYSWEEP = Path(sys.executable).parent / "raysweep"

ONE_EPOCH = """
name: scale
grid: {{arch: echo, len: 2, mem: 4, epochs: 1, eval_sequences: 1, seed: 0..{last}}}
"""

WIDE = """
name: wide
grid: {arch: seq2seq, len: [2, 3, 4, 5], mem: [16, 50, 150, 300, 600], epochs: 5000, seed: 0..499}
defaults: {eval_sequences: 50}
seq2seq: {windows: 20, batch_size: 20}
"""
"""10,000 trials, each with 20 evaluations of 1,000 windows."""


def measure() -> Figures:
    """Run sweeps of each size, then read a large one; print the tables, and return their numbers."""
    return {"run": {str(count): _run(count) for count in COUNTS}, "read": _read()}


def _run(count: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        grid = Path(folder) / "scale.yaml"
        grid.write_text(ONE_EPOCH.format(last=count - 1))
        used = watch([RAYSWEEP, "run", grid, "--results-dir", folder, "--plain", "--cpus", str(SLOTS)])
        trials = raysweep.load(Path(folder) / "scale").trials.to_table(columns=["ended", *SECONDS])
        ended = np.sort(trials["ended"].cast(pa.int64()).to_numpy()) / 1e6
        training = sum(trials[name].to_numpy().sum() for name in SECONDS) / SLOTS
        disk = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*")) / 2**20
    tenth = max(count // 10, 2)
    figures = {
        "wall_s": used.wall_s,
        "ms_per_trial": 1e3 * (ended[-1] - ended[0]) / (count - 1),
        "of_it_training_ms": 1e3 * training / count,
        "first_tenth_ms": 1e3 * (ended[tenth - 1] - ended[0]) / (tenth - 1),
        "last_tenth_ms": 1e3 * (ended[-1] - ended[-tenth]) / (tenth - 1),
        "last_to_first_tenth": (ended[-1] - ended[-tenth]) / (ended[tenth - 1] - ended[0]),
        "command_mb": used.command_mb,
        "driver_mb": used.driver_mb,
        "temporary_mb": used.temporary_mb,
        "results_mb": disk,
    }
    print_table(f"{count:,} trials of one epoch", ["", ""], [[k, f"{v:,.2f}"] for k, v in figures.items()])
    return figures


def _read() -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.yaml"
        path.write_text(WIDE)
        grid, rng = read_grid(path), np.random.default_rng(0)
        with Ledger(Path(folder) / "wide").open_for_writing() as writer:
            writer.begin_run(grid.name, grid.content, run_environment())
            for settings in grid.trials:
                writer.commit(encode(synthetic_result(settings, rng), PROVENANCE))
            writer.end_run(0)
        commands: dict[str, list[str | Path]] = {
            "plan, nothing done": ["plan", path, "--results-dir", Path(folder) / "none"],
            "plan, all done": ["plan", path, "--results-dir", folder],
            "report": ["report", Path(folder) / "wide"],
            "report --json": ["report", Path(folder) / "wide", "--json"],
        }
        each = {
            name: [watch([RAYSWEEP, *arguments]) for _ in range(5)] for name, arguments in commands.items()
        }
    figures = {}
    for name, runs in each.items():
        figures[f"{name}: s"] = median(run.wall_s for run in runs)
        figures[f"{name}: MB"] = max(run.memory_mb for run in runs)
    title = "10,000 trials, each with 20 evaluations of 1,000 windows"
    print_table(title, ["", ""], [[key, f"{value:,.1f}"] for key, value in figures.items()])
    return figures


if __name__ == "__main__":
    measure()
