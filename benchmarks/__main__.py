"""`make bench`: every benchmark, one after another, as tables and as one JSON file.

Name some of them to run only those: ``python -m benchmarks epoch scale``.
"""

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.table import write_json

# The last three keep TensorFlow in this process.
ALL = (
    "start",
    "schedule",
    "scale",
    "cluster",
    "sweep",
    "growth",
    "coverage",
    "differences",
    "evaluation",
    "epoch",
    "own_networks",
)
OUT = Path(__file__).parent / "out" / "benchmarks.json"

if __name__ == "__main__":
    names = sys.argv[1:] or ALL
    write_json(OUT, {name: import_module(f"benchmarks.{name}").measure() for name in names})
    print(f"written to {OUT}")
