"""A place of its own for one sweep under faults: grid, results, temporary folder, and every process in it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from raysweep.store.ledger import Ledger
from tests.command import environment, raysweep, start, write_grid

NOBODY = 12345
"""A user id that no file knows."""

INJECT = Path(__file__).parents[1] / "inject"
SWITCHES = {"RAYSWEEP_CONSTANTS", "RAYSWEEP_CONTROLLER", "RAYSWEEP_CLOCK", "RAYSWEEP_PORTABLE"}
"""Variables that change processes of the command, besides faults (see tests/inject)."""

Faults: TypeAlias = Sequence[Mapping[str, Any]]

SMALL = """
name: small
grid:
  - {arch: echo, len: [2, 3, 4], mem: 4}
  - {arch: seq2seq, len: [1, 2, 3], mem: 4}
defaults: {epochs: 30, eval_sequences: 2}
seq2seq: {windows: 6, batch_size: 3}
"""
"""Six trials that train in no time."""


class Sandbox:
    """One grid, and the commands that run it; `close` ends what is left of them.

    Args:
        folder: an empty folder.
        grid: text of the grid file.
    """

    def __init__(self, folder: Path, grid: str = SMALL) -> None:
        self.folder = folder
        self.env = environment(folder)
        self.temporary = Path(self.env["TMPDIR"])
        self.set_grid(grid)

    def set_grid(self, text: str) -> None:
        """Write another grid file in place of the one before."""
        self.grid = write_grid(self.folder, text, "grid.yaml")
        (self.name,) = re.findall(r"^name: (\S+)", text, re.MULTILINE)

    @property
    def results(self) -> Path:
        return self.folder / "results" / str(self.name)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.results)

    @property
    def log(self) -> str:
        """What Ray, Tune and TensorFlow printed; for a failed assertion."""
        return self.ledger.paths.log.read_text(errors="replace")

    def environment(self, faults: Faults = (), **extra: str) -> dict[str, str]:
        """The command's environment, with faults that strike its workers (see tests/inject)."""
        values = {**self.env, **extra}
        if faults or extra.keys() & SWITCHES:
            state = self.folder / "struck"
            state.mkdir(exist_ok=True)
            default = {"trial": "", "times": 1, "epoch": 0, "state": str(state)}
            values["RAYSWEEP_FAULTS"] = json.dumps([{**default, **fault} for fault in faults])
            values["PYTHONPATH"] = str(INJECT)
        return values

    def run(self, *options: object, faults: Faults = (), **extra: str) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end."""
        return raysweep("run", self.grid, *options, cwd=self.folder, env=self.environment(faults, **extra))

    @contextmanager
    def running(
        self, *options: object, faults: Faults = (), popen: Mapping[str, Any] | None = None, **extra: str
    ) -> Iterator["subprocess.Popen[str]"]:
        """Start the command; whatever happens to the test, it is dead after the block."""
        env = self.environment(faults, **extra)
        with start("run", self.grid, *options, cwd=self.folder, env=env, **(popen or {})) as process:
            try:
                yield process
            finally:
                process.kill()

    def processes(self, name: str = "") -> list[psutil.Process]:
        """Every process that lives in this sandbox, or those with a name; zombies do not count.

        Ray's agents wipe their environment; they are known by the files that they have open, be they removed.
        """
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
                inside = process.environ().get("TMPDIR", "").startswith(str(self.temporary))
                inside = inside or any(name.startswith(str(self.temporary)) for name in open_files(process))
                inside &= process.pid != os.getpid()
                if inside and name in process.name() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes that train, or are about to."""
        agents = ("ray::Dashboard", "ray::RuntimeEnv")
        found = []
        for process in self.processes("ray::"):
            with suppress(psutil.NoSuchProcess):  # since it was listed
                if not process.name().startswith(agents):
                    found.append(process)
        return found

    def part(self, name: str) -> psutil.Process | None:
        """The keeper, or the driver, or a daemon that the driver has started, once it is there.

        A child that a raylet has just forked has the raylet's name for a moment, and does not count.
        """
        for process in self.processes():
            with suppress(psutil.Error):
                line, parent = " ".join(process.cmdline()), process.parent()
                if name == "keeper" and "driver/keeper.py" in line:
                    return process
                if name == "driver" and "-m raysweep.driver" in line and "keeper.py" not in line:
                    return process
                agent = name.startswith("ray::")
                if name in process.name() and (agent or (parent and parent.name() != process.name())):
                    return process
        return None

    def close(self) -> None:
        """Kill what is left, and remove the temporary folder."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(self.temporary, ignore_errors=True)


def open_files(process: psutil.Process) -> Iterator[str]:
    """Name the files that a process has open; it may be opening and closing others meanwhile."""
    for file in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(file.readlink())


def wait_until_gone(sandbox: Sandbox, seconds: float) -> None:
    """Wait until no process lives in a sandbox."""
    end = time.monotonic() + seconds
    while left := sandbox.processes():
        assert time.monotonic() < end, f"still there after {seconds:g} s: {left}"
        time.sleep(0.2)


def wait_for(what: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited for {seconds:g} s"
        time.sleep(0.05)
    return found


def kill(process: psutil.Process, signum: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signum)
