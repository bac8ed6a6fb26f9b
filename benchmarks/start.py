"""From the command to the first trained epoch, beside the time of importing TensorFlow, in turns."""

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import raysweep
from benchmarks.table import Figures, print_table

RUNS = 5

GRID = """
name: two
grid: {arch: echo, len: [2, 3], mem: 16, epochs: 500}
"""


def measure() -> Figures:
    """Start both five times in turns; print the table, and return its numbers."""
    _import_s()  # both find their files in memory
    _first_epoch_s()
    pairs = [(_import_s(), _first_epoch_s()) for _ in range(RUNS)]
    imports, epochs = (sorted(each) for each in zip(*pairs, strict=True))
    rows = [
        ["import tensorflow, s", *(f"{seconds:.2f}" for seconds in imports)],
        ["first trained epoch, s", *(f"{seconds:.2f}" for seconds in epochs)],
    ]
    print_table("from the command to the first trained epoch, sorted", ["", *[""] * RUNS], rows)
    ratio = median(epochs) / median(imports)
    print(f"ratio of the medians: {ratio:.2f}")
    return {"import_s": imports, "first_epoch_s": epochs, "ratio": ratio}


def _import_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def _first_epoch_s() -> float:
    with tempfile.TemporaryDirectory() as folder:
        grid = Path(folder) / "two.yaml"
        grid.write_text(GRID)
        command = Path(sys.executable).parent / "raysweep"
        began = datetime.now(UTC)
        line = [str(command), "run", str(grid), "--results-dir", folder, "--plain", "--cpus", "2"]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        trials = raysweep.load(Path(folder) / "two").trials.to_table().to_pylist()
    first = min(
        one["ended"] - timedelta(seconds=one["eval_s"] + one["train_s"] * (1 - 1 / one["epochs"]))
        for one in trials
    )
    return float((first - began).total_seconds())


if __name__ == "__main__":
    measure()
