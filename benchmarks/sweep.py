"""A whole sweep: raysweep, the plain Ray Tune script, and a plain loop in one process, one after another.

raysweep takes a fraction of a minute, so it runs before, between and after the other two, which take long,
and its median counts.
"""

import json
import sys
import tempfile
from operator import attrgetter
from pathlib import Path

from benchmarks.table import Figures, print_table
from benchmarks.watch import Usage, watch

TRIALS = [{"arch": "seq2seq", "length": 2, "mem": mem, "epochs": 5000, "seed": 0} for mem in (16, 50)] + [
    {"arch": "echo", "length": length, "mem": mem, "epochs": 500, "seed": 0}
    for length in (4, 6)
    for mem in (16, 50)
]
"""A subset of `lengths.yaml` that the plain scripts can finish."""

GRID = """
name: bench
grid:
  - {arch: seq2seq, len: 2, mem: [16, 50], epochs: 5000}
  - {arch: echo, len: [4, 6], mem: [16, 50], epochs: 500}
"""


def measure() -> Figures:
    """Run the three; print the table, and return its numbers."""
    ours_each = [_raysweep()]
    others = {}
    for name, module in (("plain Ray Tune script", "plain_tune"), ("plain loop, one process", "plain_loop")):
        others[name] = _baseline(module)
        ours_each.append(_raysweep())
    used = {"raysweep": sorted(ours_each, key=attrgetter("wall_s"))[1], **others}
    ours = used["raysweep"].wall_s
    rows = [
        [name, f"{u.wall_s:.1f}", f"{u.wall_s / ours:.1f}", f"{u.cpu_s:.1f}", f"{u.memory_mb:,.0f}"]
        for name, u in used.items()
    ]
    print_table(f"a sweep of {len(TRIALS)} trials", ["", "wall s", "× ours", "CPU s", "peak MB"], rows)
    figures = {
        name: {"wall_s": u.wall_s, "cpu_s": u.cpu_s, "memory_mb": u.memory_mb} for name, u in used.items()
    }
    return {**figures, "raysweep_wall_s": [u.wall_s for u in ours_each]}


def _raysweep() -> Usage:
    with tempfile.TemporaryDirectory() as folder:
        grid = Path(folder) / "bench.yaml"
        grid.write_text(GRID)
        raysweep = Path(sys.executable).parent / "raysweep"
        return watch([raysweep, "run", grid, "--results-dir", folder])


def _baseline(module: str) -> Usage:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return watch([sys.executable, "-m", f"benchmarks.baselines.{module}", json.dumps(TRIALS)], quiet)


if __name__ == "__main__":
    measure()
