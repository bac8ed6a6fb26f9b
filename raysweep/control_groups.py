"""Control groups (cgroup v1 and v2) of this process: CPU quota, limit of tasks, out-of-memory kills.

A limit holds for a group and for all groups inside it, so every group on the path from this process's own
up to the topmost visible one counts. If the kernel has no control groups, nothing is limited.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

PROC: Final = Path("/proc/self")


def cpu_quota() -> float | None:
    """Return the cores that the smallest CPU quota on the path allows; None if there is no quota.

    In v2 the quota is in `cpu.max`, in v1 in `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    """
    quotas = [quota for group in _groups("cpu") for folder in group if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def group_tasks() -> tuple[int, int] | None:
    """Return the tasks (processes and threads) and their limit, of the group with the least room.

    Returns:
        None if there is no limit.
    """
    found = []
    for group in _groups("pids"):
        for folder in group:
            with suppress(OSError, ValueError):  # the limit is `max`: none
                found.append(
                    (int((folder / "pids.current").read_text()), int((folder / "pids.max").read_text()))
                )
    return min(found, key=lambda tasks: tasks[1] - tasks[0], default=None)


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
        own = [group[0] for group in _groups("memory")]
        return sum(_oom_kills_of(f / name) for f in own for name in ("memory.events", "memory.oom_control"))


def _quota(folder: Path) -> float | None:
    """Return the quota of one group, in cores."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        return quota_us / int((folder / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None


def _oom_kills_of(path: Path) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0


def _groups(controller: str) -> list[list[Path]]:
    """Return the folders of this process's group in each hierarchy with a controller, its own group first."""
    found = []
    with suppress(OSError):
        own = dict(_own_groups(controller))
        for kind, root, mount in _mounts(controller):
            if kind in own:
                found.append(_path(own[kind], root, mount))
    return found


def _lines(name: str) -> list[str]:
    """Read what the kernel says of this process; paths of groups and mounts may be any bytes."""
    return (PROC / name).read_text(encoding="utf-8", errors="surrogateescape").splitlines()


def _own_groups(controller: str) -> Iterator[tuple[str, str]]:
    """Yield this process's groups: the kind of the hierarchy, and the group's path in it."""
    for line in _lines("cgroup"):
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield "cgroup2", group
        elif controller in controllers.split(","):
            yield "cgroup", group


def _mounts(controller: str) -> Iterator[tuple[str, str, Path]]:
    """Yield where hierarchies are mounted: their kind, the group that is mounted, and the folder."""
    for line in _lines("mountinfo"):
        before, _, after = line.partition(" - ")
        root, folder = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            yield kind, root, Path(folder.replace("\\040", " "))


def _path(own: str, root: str, mount: Path) -> list[Path]:
    """Return the folders from a group up to the mounted one; that one alone if the group is not visible."""
    group = PurePosixPath(own)
    if group.is_relative_to(root) and ".." not in group.parts:
        below = group.relative_to(root)
        folders = [mount / part for part in (below, *below.parents)]
        if folders[0].is_dir():
            return folders
    return [mount]
