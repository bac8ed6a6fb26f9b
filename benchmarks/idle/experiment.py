"""Training that takes its time and computes nothing, for the workers of `benchmarks.cluster`.

`RAYSWEEP_IDLE` is a JSON object: `trial_s` and `report_s`, seconds of a trial and between two reports, and
`notes`, a folder in which each process writes down when it trained.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2]))
from tests.make_results import synthetic_result

ASKED = json.loads(os.environ.get("RAYSWEEP_IDLE", "{}"))


class CompiledSteps:
    """Nothing is compiled."""


class SourcedNetwork:
    """No network comes from a file."""


def configure_threads(threads):
    """Use none."""


def result_of(settings):
    """Return a trial's result, which only its settings decide."""
    seed = int.from_bytes(hashlib.sha256(settings.trial_id.encode()).digest()[:8])
    return synthetic_result(settings, np.random.default_rng(seed))


class Training:
    """Sleeps in place of training."""

    loss, accuracy = 1.0, 0.5

    def __init__(self, settings, steps=None, state=None, network=None):
        """Begin a trial."""
        self.settings = settings
        self._slept: list[tuple[float, float, float]] = []
        self._left = ASKED["trial_s"]
        note({"begun": time.monotonic()})

    @property
    def epoch(self):
        """Return the epochs for which it has slept."""
        return int(self.settings.epochs * (1 - self._left / ASKED["trial_s"]))

    @property
    def finished(self):
        """Return whether it has slept enough."""
        return self._left <= 0

    def advance(self, seconds):
        """Sleep as long as one would train in a cluster of the simulated size."""
        began = time.monotonic()
        planned = min(ASKED["report_s"], self._left)
        time.sleep(planned)
        self._left = round(self._left - planned, 6)
        self._slept.append((began, planned, time.monotonic()))

    def result(self):
        """Return the result."""
        note({"slept": self._slept})
        return result_of(self.settings)


def note(what):
    """Write down something of this process; a node is known by the session of its processes."""
    with (Path(ASKED["notes"]) / str(os.getpid())).open("a") as file:
        file.write(json.dumps({"node": os.getsid(0), **what}) + "\n")
