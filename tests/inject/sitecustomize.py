"""Injects faults into a real run: on PYTHONPATH, every Python process of the command imports this first.

``RAYSWEEP_FAULTS`` is a JSON list of objects: `what` (raise, exit, hang, stop, slow, nan or eat strike
before a slice of training, garble and break when a trial is encoded, miscommit when it is committed,
stop-at-setup and stop-at-reset when a worker takes up its first or its next trial), `trial` (the beginning of
the ids that it strikes; "" for all), `epoch` (before which it does not), `times` (how often; -1 for ever),
`state` (a folder that counts the times across processes), `seconds` (for slow), `message` (for raise). The
training itself stays the real one; where a trial is begun or taken up, `state` gets a note of the epoch and
the file of the code.
``RAYSWEEP_CONSTANTS`` is a JSON object: values for constants, by dotted name.
``RAYSWEEP_CONTROLLER`` says when Tune's controller raises: `once`, after a trial has finished, or `always`.
``RAYSWEEP_LATE`` is a results folder: all workers but one come up when that one has finished a trial there.
``RAYSWEEP_PORTABLE`` hides what only Linux has (see `portable`).
``RAYSWEEP_NO_FOLDER_SYNC`` lets the sync of every folder fail, as on vboxsf.
``RAYSWEEP_CLOCK`` is how many seconds the clock is set forward four seconds after the start.
"""

import importlib
import importlib.util
import json
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

FAULTS = json.loads(os.environ.get("RAYSWEEP_FAULTS", "[]"))
STRIKES = ("raise", "exit", "hang", "stop", "slow", "nan", "eat")
CLOCK = float(os.environ.get("RAYSWEEP_CLOCK", "0"))
CONTROLLER = os.environ.get("RAYSWEEP_CONTROLLER")
LATE = os.environ.get("RAYSWEEP_LATE", "")
CONSTANTS = json.loads(os.environ.get("RAYSWEEP_CONSTANTS", "{}"))


class AfterImport:
    """A finder that lets the real loader load a module, then changes what is in it."""

    def __init__(self, target, change):
        self.target, self.change = target, change

    def find_spec(self, name, path, target=None):
        if name != self.target:
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self.change(module)

        spec.loader.exec_module = exec_module
        return spec


def wrap(module):
    """Strike before a slice of training."""
    training = module.Training
    start, advance = training.__init__, training.advance

    def named(self, settings, *arguments, **options):
        self.struck_trial = settings.trial_id
        start(self, settings, *arguments, **options)
        for fault in FAULTS[:1]:
            note = Path(fault["state"]) / f"begun-{time.time_ns()}"
            unread = note.with_name(f".{note.name}")  # nobody reads half a note
            unread.write_text(f"{self.struck_trial} {self.epoch} {module.__file__}")
            unread.rename(note)

    def struck(self, seconds):
        poisoned = False
        for number, fault in enumerate(FAULTS):
            hits = self.struck_trial.startswith(fault["trial"]) and self.epoch >= fault["epoch"]
            if fault["what"] in STRIKES and hits and due(number, fault):
                strike(fault)
                poisoned |= fault["what"] == "nan"
        advance(self, seconds)
        if poisoned:
            self._losses[-1] = float("nan")

    training.__init__, training.advance = named, struck


def due(number, fault):
    """Count one more time, unless all are spent."""
    if fault["times"] < 0:
        return True
    for time_ in range(fault["times"]):
        try:
            (Path(fault["state"]) / f"{number}-{time_}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def strike(fault):
    """Do what was asked."""
    what = fault["what"]
    if what == "raise":
        raise RuntimeError(fault["message"])
    if what == "exit":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "hang":
        time.sleep(3600)
    if what == "slow":
        time.sleep(fault["seconds"])
    if what == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(b"x" * (64 << 20)))
            time.sleep(0.05)


def garble(module):
    """Send tables that are not the trial's, or none, as a defect would."""
    encode = module.encode

    def garbled(result, provenance):
        encoded = encode(result, provenance)
        for number, fault in enumerate(FAULTS):
            what, hits = fault["what"], encoded.trial_id.startswith(fault["trial"])
            if what == "garble" and hits and due(number, fault):
                return type(encoded)(encoded.trial_id, encoded.trials, encoded.predictions, b"not the curves")
            if what == "break" and hits and due(number, fault):
                return type(encoded)(encoded.trial_id, None, encoded.predictions, encoded.curves)
        return encoded

    module.encode = garbled


def miscommit(module):
    """Let a commit raise what nobody expects."""
    commit = module.Writer.commit

    def failing(self, encoded, state=None):
        for number, fault in enumerate(FAULTS):
            if (
                fault["what"] == "miscommit"
                and encoded.trial_id.startswith(fault["trial"])
                and due(number, fault)
            ):
                raise ArithmeticError("nobody expects it")
        commit(self, encoded, state)

    module.Writer.commit = failing


def stop_between(module):
    """Stop a worker that takes up a trial, before Tune says that it runs."""

    def stopping(method, what):
        def stopped(self, config, *arguments, **options):
            for number, fault in enumerate(FAULTS):
                if (
                    fault["what"] == what
                    and config["trial"].startswith(fault["trial"])
                    and due(number, fault)
                ):
                    strike({"what": "stop"})
            return method(self, config, *arguments, **options)

        return stopped

    worker = module.Worker
    worker.setup = stopping(worker.setup, "stop-at-setup")
    worker.reset_config = stopping(worker.reset_config, "stop-at-reset")


def set_constants(name):
    """Give a module's constants other values."""

    def change(module):
        for dotted, value in CONSTANTS.items():
            module_name, _, constant = dotted.rpartition(".")
            if module_name == name:
                setattr(module, constant, value)

    return change


def come_up_late(_):
    """Wait until another worker, which came here first, has finished a trial."""
    if any("_worker.py" in argument for argument in sys.orig_argv):
        folder, give_up = Path(LATE), time.monotonic() + 40
        try:
            folder.with_name("first").touch(exist_ok=False)
        except FileExistsError:
            while time.monotonic() < give_up and not any(folder.glob("trials/*")):
                time.sleep(0.1)


def fail_controller(module):
    """Let Tune's controller give up."""
    step = module.TuneController.step
    raised: list[bool] = []

    def failing(self):
        finished = any(trial.status == "TERMINATED" for trial in self.get_trials())
        if CONTROLLER == "always" or (finished and not raised):
            raised.append(True)
            raise RuntimeError("the controller lost its head")
        step(self)

    module.TuneController.step = failing


if CLOCK:

    def stepped(real=time.time, began=time.monotonic()):  # noqa: B008  # read once, at the start
        """Tell the time as a clock does that is set while the process runs."""
        return real() + (CLOCK if time.monotonic() - began > 4 else 0)

    time.time = stepped

if os.environ.get("RAYSWEEP_NO_FOLDER_SYNC"):

    def of_files_only(descriptor, sync=os.fsync):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        sync(descriptor)

    os.fsync = of_files_only
if os.environ.get("RAYSWEEP_PORTABLE"):

    def replace_keeper(module):
        module.__file__ = str(Path(__file__).parent / "portable" / "driver" / "keeper.py")

    importlib.import_module("portable").hide()
    sys.meta_path.insert(0, AfterImport("raysweep.driver.keeper", replace_keeper))
if FAULTS:
    sys.meta_path.insert(0, AfterImport("raysweep.experiment", wrap))
    sys.meta_path.insert(0, AfterImport("raysweep.store.writer", miscommit))
if LATE:
    sys.meta_path.insert(0, AfterImport("raysweep.driver.worker", come_up_late))
if CONTROLLER is not None:
    sys.meta_path.insert(0, AfterImport("ray.tune.execution.tune_controller", fail_controller))
if FAULTS or CONSTANTS:

    def change_worker(module):
        garble(module)
        stop_between(module)
        set_constants(module.__name__)(module)

    sys.meta_path.insert(0, AfterImport("raysweep.driver.worker", change_worker))
    for name in ("raysweep.driver.deadlines", "raysweep.run.state"):
        sys.meta_path.insert(0, AfterImport(name, set_constants(name)))
