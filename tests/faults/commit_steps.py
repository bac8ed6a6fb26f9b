"""Runs a commit again and again in forked children, each with a fault at the next call to the disk.

``python -m tests.faults.commit_steps FOLDER FAULT`` makes one results folder per call, `FOLDER/1`,
`FOLDER/2`, …, until a commit gets through untouched, and prints what became of each as a line of JSON.
"""

import errno
import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from raysweep.errors import StorageError
from raysweep.store.encoding import EncodedTrial, encode
from raysweep.store.ledger import Ledger
from raysweep.store.sweep_record import Failure, RunEnvironment
from tests.make_results import MOMENT, PROVENANCE, synthetic_result, synthetic_settings

CALLS = (
    *("open", "write", "pwrite", "ftruncate", "fsync", "close"),
    *("replace", "rename", "unlink", "mkdir", "scandir"),
)
ENVIRONMENT = RunEnvironment(versions={}, commit=None, dirty=None, host="a", cpu_model="b")
UNTOUCHED = 10
"""Exit code of a child whose every call got through."""


def trial(seed: int) -> EncodedTrial:
    """A small trial, the same each time."""
    return encode(synthetic_result(synthetic_settings(seed=seed), np.random.default_rng(seed)), PROVENANCE)


FIRST, SECOND, DAMAGED = trial(0), trial(1), trial(2)
FAILURE = Failure(
    trial_id=SECOND.trial_id, kind="error", message="", traceback="", attempts=1, host="a", time=MOMENT
)


def prepare(ledger: Ledger) -> None:
    """One trial is done, another has failed and has a checkpoint, and one is damaged."""
    with ledger.open_for_writing() as writer:
        writer.commit(FIRST)
        writer.commit(DAMAGED)
        writer.put_checkpoint(SECOND.trial_id, b"weights")
        writer.record_failure(FAILURE)
    path = ledger.paths.table("curves", DAMAGED.trial_id)
    path.write_bytes(path.read_bytes()[:-1])


def act(ledger: Ledger) -> None:
    """What a run does to the disk: all of it, in order."""
    with ledger.open_for_writing() as writer:
        writer.begin_run("lengths", {}, ENVIRONMENT)
        writer.check()
        writer.put_checkpoint(SECOND.trial_id, b"later weights")
        writer.commit(SECOND)
        writer.end_run(0)


def strike_at(number: int, fault: str, struck: Callable[[], None]) -> None:
    """Make the numbered call to the disk, and it alone, meet the fault."""
    count = itertools.count(1)

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(count) != number:
                return real(*arguments, **options)
            struck()
            if fault == "kill":
                if name == "write":  # half of it got through
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            code = getattr(errno, fault)
            raise OSError(code, os.strerror(code))

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def child(folder: Path, number: int, fault: str) -> bool:
    """One process with one fault, or none if that call is never made; whether it met it."""
    ledger = Ledger(folder / str(number))
    shutil.copytree(folder / "prepared", ledger.paths.folder)
    hit: list[int] = []
    strike_at(number, fault, lambda: hit.append(number))
    try:
        act(ledger)
    except StorageError as error:
        tell(number, str(error))
    else:
        tell(number, "survived" if hit else "untouched")
    return bool(hit)


def tell(number: int, outcome: str) -> None:
    """Print what became of a child."""
    sys.stdout.write(json.dumps({"number": number, "outcome": outcome}) + "\n")
    sys.stdout.flush()


def main(folder: Path, fault: str) -> None:
    """Fork a child for each number until one is not hit."""
    prepare(Ledger(folder / "prepared"))
    for number in itertools.count(1):
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if child(folder, number, fault) else UNTOUCHED)
            except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            tell(number, "killed")
        elif os.WEXITSTATUS(status) == UNTOUCHED:
            return
        elif status:
            sys.exit(f"call {number}: ended otherwise than by a StorageError")


def traced(folder: Path) -> set[str]:
    """Name the functions of `posix` that a commit and what goes before it call."""
    ledger, called = Ledger(folder / "traced"), set()
    prepare(ledger)

    def note(_: object, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") == "posix":
            called.add(function.__name__)

    sys.setprofile(note)
    try:
        act(ledger)
    finally:
        sys.setprofile(None)
    return called


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
