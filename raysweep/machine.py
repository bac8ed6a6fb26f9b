"""This machine: cores and their model, GPUs, packages, processes, and the boot that they belong to.

What only some systems have (`/proc`, affinity, `sysctl`) is used if it is there; psutil is on all of them.
"""

import hashlib
import math
import os
import platform
import socket
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

from raysweep.control_groups import cpu_quota

_PACKAGES: Final = ("raysweep", "tensorflow", "keras", "numpy", "ray", "pyarrow")


_ANSWER_S: Final = 10.0
"""Seconds that a program of the system may take to answer."""


def local_cpus() -> int:
    """Count the cores that this process may use: its affinity, or a smaller CPU quota, rounded."""
    quota = cpu_quota()
    return _affinity() if quota is None else min(_affinity(), _rounded(quota))


def quota_notice() -> str:
    """Say how a CPU quota limits this process; empty if it does not.

    A quota of less than a core limits a single core, too.
    """
    quota, cores = cpu_quota(), _affinity()
    if quota is None or quota >= cores:
        return ""
    used = "1 is used" if (slots := _rounded(quota)) == 1 else f"{slots} are used"
    of = f"{quota:.3g} of {cores} {'core' if cores == 1 else 'cores'}"
    return f"CPU quota of this container or job: {of}, so {used} (or --cpus N)"


def _rounded(quota: float) -> int:
    return max(math.floor(quota + 0.5), 1)


def _affinity() -> int:
    """Count the cores that this process may run on; all cores if the system has no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def local_gpus() -> int:
    """Count the GPUs that this process may use: NVIDIA's, within CUDA_VISIBLE_DEVICES as Ray reads it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return _gpus()
    return 0 if visible in ("", "NoDevFiles") else min(_gpus(), len(visible.split(",")))


def _gpus() -> int:
    """Count NVIDIA's GPUs, as devices or, as under WSL, by NVIDIA's own program alone."""
    if devices := list(Path("/dev").glob("nvidia[0-9]*")):
        return len(devices)
    return sum(line.startswith("GPU ") for line in _answer("nvidia-smi", "-L").splitlines())


def cpu_model() -> str:
    """Return the processor's model, as the system names it."""
    named = _cpu().get("model name") or _answer("sysctl", "-n", "machdep.cpu.brand_string")
    return named or platform.processor() or platform.machine()


def cpu_features() -> str:
    """Return a digest of the processor's instructions, which may differ between processors of one name."""
    named = [_cpu().get(name, "") for name in ("cpu family", "model", "stepping", "flags", "Features")]
    if not any(named):
        named = [_answer("sysctl", "hw.optional")]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:12]


@cache
def _cpu() -> dict[str, str]:
    """Return what Linux says of the first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


@cache
def _answer(*command: str) -> str:
    """Return what a program of the system prints; nothing if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return ""
    return done.stdout.strip()


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine a trial's numbers or files."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # a worker's node may run the package's code without having it installed
    return versions


def num_tasks() -> int:
    """Count this user's processes and threads, which `ulimit -u` limits."""
    tasks = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid():
                tasks += process.num_threads()
    return tasks


def boot_id() -> str:
    """Return an id of this boot of this machine; of the machine alone if the system has no such id."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return _answer("sysctl", "-n", "kern.bootsessionuuid") or f"host {socket.gethostname()}"


def process_start(pid: int) -> int | None:
    """Return when a process started, the same in every process that asks; None if that cannot be told.

    It may have ended, or be another user's where those are hidden (`hidepid` of proc(5)).

    In ticks since boot (proc(5), field 22), or in milliseconds of the time of day. The command's name, field
    2, may contain any character, so the fields are counted from its end.
    """
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        return int(fields[19])
    try:
        return round(psutil.Process(pid).create_time() * 1000)
    except psutil.Error:
        return None
