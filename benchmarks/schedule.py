"""`lengths.yaml`, whole: what a sweep takes beyond the training and tracing of its trials."""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import raysweep
from benchmarks.table import Figures, print_table
from benchmarks.watch import watch

GRID = Path(__file__).parents[1] / "grids" / "lengths.yaml"
SLOTS = 2


def measure() -> Figures:
    """Run the main job on two cores; print the table, and return its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        started = datetime.now(UTC)
        command = Path(sys.executable).parent / "raysweep"
        used = watch([command, "run", GRID, "--results-dir", folder, "--cpus", str(SLOTS)])
        trials = raysweep.load(Path(folder) / "lengths").trials.to_table().to_pylist()
    traced, trained = (sum(trial[key] for trial in trials) for key in ("trace_s", "train_s"))
    first = min(t["ended"] - timedelta(seconds=t["train_s"] + t["eval_s"]) for t in trials)
    figures = {
        "trials": len(trials),
        "wall_s": used.wall_s,
        "training_s": trained,
        "tracing_s": traced,
        "evaluation_s": sum(trial["eval_s"] for trial in trials),
        "beyond_s": used.wall_s - (traced + trained) / SLOTS,
        "first_training_s": (first - started).total_seconds(),
        "memory_mb": used.memory_mb,
    }
    print_table(
        "lengths.yaml on 2 cores", ["", ""], [[key, f"{value:,.1f}"] for key, value in figures.items()]
    )
    return figures


if __name__ == "__main__":
    measure()
