"""What this machine has for trials to run on, and what its kernel says of them."""

import os
from contextlib import suppress
from pathlib import Path

import psutil


def local_cpus() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def local_gpus() -> int:
    """Count the GPUs that the driver shows."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def num_tasks() -> int:
    """Count this user's processes and threads, which `ulimit -u` limits."""
    tasks = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid():
                tasks += process.num_threads()
    return tasks


class OomKills:
    """The processes of this one's control group that the kernel ends for want of memory.

    Counted by `memory.events` (cgroup v2) or `memory.oom_control` (v1); none where the kernel does not say.
    """

    def __init__(self) -> None:
        """Begin to count."""
        self._seen = self._count()

    def happened(self) -> bool:
        """Return whether there was one since the last call."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    @staticmethod
    def _count() -> int:
        return sum(map(_oom_kills_of, _memory_files()))


def _memory_files() -> list[Path]:
    """Name the files of this process's control group; in a container, its own group is the root."""
    root = Path("/sys/fs/cgroup")
    files = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                files.append((root, group, "memory.events"))
            elif "memory" in controllers.split(","):
                files.append((root / "memory", group, "memory.oom_control"))
    found = [(top / group.lstrip("/") / name, top / name) for top, group, name in files]
    return [own if own.exists() else top for own, top in found]


def _oom_kills_of(path: Path) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0
