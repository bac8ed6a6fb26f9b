"""Injects a fault into the workers of a real run: on PYTHONPATH, every Python process imports this first.

``RAYSWEEP_FAULT`` is a JSON object: `what` (raise, hang, exit, nan, eat, slow), `trial` (the beginning of
the ids that it strikes; "" for all), `times` (how often; -1 for ever), `state` (a folder that counts the times
across processes) and `seconds` (for slow). The training itself stays the real one.
"""

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import time
from pathlib import Path

FAULT = json.loads(os.environ.get("RAYSWEEP_FAULT", "null"))
TARGET = "raysweep.experiment"


class AfterImport(importlib.abc.MetaPathFinder):
    """Lets the real loader load the experiment, then wraps what trains."""

    def find_spec(self, name, path, target=None):
        if name != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            wrap(module.Training)

        spec.loader.exec_module = exec_module
        return spec


def wrap(training):
    """Strike before a slice of training."""
    start, advance = training.__init__, training.advance

    def named(self, settings, *arguments, **options):
        self.struck_trial = settings.trial_id
        start(self, settings, *arguments, **options)

    def struck(self, seconds):
        if self.struck_trial.startswith(FAULT["trial"]) and due():
            strike()
        advance(self, seconds)

    training.__init__, training.advance = named, struck


def due():
    """Count one more time, unless all are spent."""
    if FAULT["times"] < 0:
        return True
    for number in range(FAULT["times"]):
        try:
            (Path(FAULT["state"]) / str(number)).touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def strike():
    """Do what was asked."""
    what = FAULT["what"]
    if what == "raise":
        raise RuntimeError("injected \x1b[31mfault")
    if what == "exit":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(3600)
    if what == "slow":
        time.sleep(FAULT["seconds"])
    if what == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(b"x" * (64 << 20)))
            time.sleep(0.05)


if FAULT:
    sys.meta_path.insert(0, AfterImport())
