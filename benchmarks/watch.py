"""Runs a command and watches it from outside: wall time, CPU time and memory of all its processes, disk."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOK_S = 0.5
"""Seconds between two looks; what lives shorter than this is not counted."""

LOOKS_AT_DISK = 20
"""Looks between two at the temporary folder, which may hold thousands of files."""


@dataclass
class Usage:
    """What one command used."""

    exit_code: int = 0
    wall_s: float = 0.0
    memory_mb: float = 0.0
    """Peak of the resident memory of all its processes together; pages that they share count for each."""
    command_mb: float = 0.0
    """Peak of the resident memory of the command's own process."""
    driver_mb: float = 0.0
    """Peak of the resident memory of the driver's process."""
    temporary_mb: float = 0.0
    """Peak of what lay in its temporary folder, looked at every ten seconds."""
    output: str = ""
    _cpu: dict[tuple[int, float], float] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        """User and system seconds of all its processes."""
        return sum(self._cpu.values())

    def look(self, command: psutil.Process) -> None:
        """Add up what its processes have used so far."""
        memory = 0.0
        for process in [command, *command.children(recursive=True)]:
            try:
                times, resident = process.cpu_times(), process.memory_info().rss
                driver = "raysweep.driver" in process.cmdline()
                key = (process.pid, process.create_time())
            except psutil.Error:
                continue
            self._cpu[key] = times.user + times.system
            memory += resident
            if process.pid == command.pid:
                self.command_mb = max(self.command_mb, resident / 2**20)
            elif driver and "-I" not in process.cmdline():  # the keeper's line has the driver's behind it
                self.driver_mb = max(self.driver_mb, resident / 2**20)
        self.memory_mb = max(self.memory_mb, memory / 2**20)


def watch(arguments: Sequence[str | Path], extra: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end, with a temporary folder of its own."""
    usage = Usage()
    with (
        tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as temporary,
        tempfile.TemporaryFile("w+") as out,
    ):
        environment = {**os.environ, "TMPDIR": temporary, **(extra or {})}
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        command, looks = psutil.Process(process.pid), 0
        while process.poll() is None:
            try:
                usage.look(command)
            except psutil.Error:
                break
            if looks % LOOKS_AT_DISK == 0:
                usage.temporary_mb = max(usage.temporary_mb, _size(Path(temporary)) / 2**20)
            looks += 1
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_S)
        usage.exit_code = process.wait()
        usage.wall_s = time.perf_counter() - start
        out.seek(0)
        usage.output = out.read()
    if usage.exit_code != 0:
        raise SystemExit(f"{arguments[0]} ended with {usage.exit_code}:\n{usage.output[-2000:]}")
    return usage


def _size(folder: Path) -> int:
    total = 0
    for base, folders, files in os.walk(folder):  # unlike `rglob` it bears folders that go while it looks
        for name in (*folders, *files):
            with suppress(OSError):
                total += Path(base, name).lstat().st_blocks * 512
    return total
