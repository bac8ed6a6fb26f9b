"""Thousands of trivial trials: what a sweep needs does not grow with them, and no cost is quadratic."""

import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

import raysweep
from tests.command import environment, start, write_grid

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

ONE_EPOCH = """
name: scale
grid: {{arch: echo, len: 2, mem: 4, epochs: 1, eval_sequences: 1, seed: 0..{last}}}
"""


class Peak(threading.Thread):
    """Looks at the command's own process, and at its temporary folder, until told to stop."""

    def __init__(self, pid: int, temporary: Path) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.temporary = temporary
        self.descriptors = self.memory_mb = self.files = 0

    def run(self) -> None:
        try:
            while self.process.status() != psutil.STATUS_ZOMBIE:
                self.descriptors = max(self.descriptors, self.process.num_fds())
                self.memory_mb = max(self.memory_mb, self.process.memory_info().rss >> 20)
                self.files = max(self.files, sum(1 for _ in self.temporary.rglob("*")))
                time.sleep(0.5)
        except (psutil.Error, OSError):
            return


@pytest.mark.parametrize(
    "count", [200, pytest.param(6_000, marks=[pytest.mark.scale, pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_sweep_of_many_trials_is_whole_and_bounded(tmp_path: Path, count: int) -> None:
    env = environment(tmp_path)
    write_grid(tmp_path, ONE_EPOCH.format(last=count - 1), "scale.yaml")
    process = start("run", "scale.yaml", "--plain", cwd=tmp_path, env=env)
    peak = Peak(process.pid, Path(env["TMPDIR"]))
    peak.start()
    out, err = process.communicate(timeout=800)
    assert (process.returncode, err) == (0, "")
    assert f"scale · {count:,} of {count:,} trials" in out or f"scale · {count} of {count} trials" in out
    trials = raysweep.load(tmp_path / "results" / "scale").trials.to_table(columns=["seed", "ended"])
    assert (len(trials), set(trials["seed"].to_pylist())) == (count, set(range(count)))
    assert 0 < peak.descriptors < 400
    assert 0 < peak.memory_mb < 700
    assert peak.files < 1_000 + 5 * count
    if count >= 1_000:
        ended = np.sort(trials["ended"].cast(pa.int64()).to_numpy())
        tenth = count // 10
        first, last = ended[tenth] - ended[0], ended[-1] - ended[-tenth]
        # A cost that grew with the trials would show here as a multiple; a busy machine does not.
        # So would one that a round pays before its first trial: there are two rounds.
        assert last < 4 * first
        assert np.diff(ended).max() < 4 * first
