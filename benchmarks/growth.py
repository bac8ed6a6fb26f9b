"""A sweep that is trained longer, from its states, beside the same sweep from nothing.

    python -m benchmarks growth

E epochs with `keep_state`, then 2E; and 2E at once without. Whole commands, each alone on the machine.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import raysweep
from benchmarks.table import Figures, print_table
from benchmarks.watch import watch
from tests.command import tables

RAYSWEEP = Path(sys.executable).parent / "raysweep"
EPOCHS = 2_500
GRID = """
name: {name}
keep_state: {keep}
grid: {{arch: seq2seq, len: [2, 4], mem: [50, 150, 300], epochs: {epochs}}}
"""


def measure() -> Figures:
    """Run the three commands; print the table, and return its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        first = _run(place, "grown", [EPOCHS], keep=True)
        grown = _run(place, "grown", [EPOCHS, 2 * EPOCHS], keep=True)
        anew = _run(place, "anew", [2 * EPOCHS], keep=False)
        found, expected = tables(place / "grown"), tables(place / "anew")
        equal = all(found[name] == data for name, data in expected.items())
        states_mb = sum(path.stat().st_size for path in (place / "grown" / "states").iterdir()) / 1e6
    figures: Figures = {
        "first": first,
        "grown": grown,
        "anew": anew,
        "training_ratio": grown["train_s"] / anew["train_s"],
        "bytes_equal": equal,
        "states_mb": states_mb,
    }
    rows = [
        [words, f"{run['wall_s']:.1f} s", f"{run['train_s']:.1f} s"]
        for words, run in (
            (f"{EPOCHS:,} epochs", first),
            (f"from there to {2 * EPOCHS:,}", grown),
            (f"{2 * EPOCHS:,} epochs from nothing", anew),
        )
    ]
    print_table("six trials of seq2seq", ["", "command", "training, all trials"], rows)
    print(
        f"training {figures['training_ratio']:.2f} of that from nothing; "
        f"bytes {'equal' if equal else 'DIFFER'}; states {states_mb:.0f} MB"
    )
    return figures


def _run(place: Path, name: str, epochs: list[int], *, keep: bool) -> dict[str, Any]:
    grid = place / f"{name}.yaml"
    grid.write_text(GRID.format(name=name, keep=str(keep).lower(), epochs=epochs))
    used = watch([RAYSWEEP, "run", grid, "--results-dir", place, "--plain"])
    query = f"SELECT sum(train_s + eval_s) FROM trials WHERE epochs = {epochs[-1]}"
    ((seconds,),) = raysweep.load(place / name).sql(query).fetchall()
    return {"wall_s": used.wall_s, "train_s": seconds}


if __name__ == "__main__":
    measure()
