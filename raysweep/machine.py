"""This machine: cores and their model, GPUs, packages, the user's tasks, and out-of-memory kills."""

import hashlib
import os
import platform
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

_PACKAGES: Final = ("raysweep", "tensorflow", "keras", "numpy", "ray", "pyarrow")


def local_cpus() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def local_gpus() -> int:
    """Count the GPUs that the driver shows."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def cpu_model() -> str:
    """Return the processor's model, as the system names it."""
    return _cpu().get("model name") or platform.processor() or platform.machine()


def cpu_features() -> str:
    """Return a digest of the processor's instructions, which may differ between processors of one name."""
    told = "\n".join(
        _cpu().get(name, "") for name in ("cpu family", "model", "stepping", "flags", "Features")
    )
    return hashlib.sha256(told.encode()).hexdigest()[:12]


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


class OomKills:
    """Out-of-memory kills in this process's control group.

    The kernel counts them in `memory.events` (cgroup v2) or `memory.oom_control` (v1). If the kernel does
    not count, none is reported.
    """

    def __init__(self) -> None:
        """Start counting."""
        self._seen = self._count()

    def happened(self) -> bool:
        """Return whether the kernel killed a process since the last call."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    @staticmethod
    def _count() -> int:
        folders = _group_folders("memory")
        return sum(_oom_kills_of(f / n) for f in folders for n in ("memory.events", "memory.oom_control"))


def group_tasks() -> tuple[int, int] | None:
    """Return the tasks (processes and threads) of this process's control group, and their limit.

    Returns:
        None if there is no limit.
    """
    for folder in _group_folders("pids"):
        with suppress(OSError, ValueError):
            return int((folder / "pids.current").read_text()), int((folder / "pids.max").read_text())
    return None


def _group_folders(controller: str) -> list[Path]:
    """List the folders of this process's control groups (v1 and v2), or, in a container, the root folders."""
    root = Path("/sys/fs/cgroup")
    folders = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                folders.append((root, group))
            elif controller in controllers.split(","):
                folders.append((root / controller, group))
    return [own if (own := top / group.lstrip("/")).is_dir() else top for top, group in folders]


def _oom_kills_of(path: Path) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0
