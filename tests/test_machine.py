"""What this machine allows: control groups of both versions, nested and hidden ones, and other systems."""

import os
from pathlib import Path

import pytest

from raysweep import control_groups, machine

V1 = "4:memory:/\n3:cpu,cpuacct:{group}\n0::/\n"
V2 = "0::{group}\n"


class Kernel:
    """Control groups as files of a test, in the place of the kernel's."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proc, self.top = folder / "proc", folder / "a cgroup"
        self.proc.mkdir()
        self.top.mkdir()
        monkeypatch.setattr(control_groups, "PROC", self.proc)

    def says(self, own: str, *, root: str = "/") -> None:
        kind, options = ("cgroup2", "rw") if own.startswith("0::") else ("cgroup", "rw,cpu,cpuacct")
        top = str(self.top).replace(" ", "\\040")
        mount = f"31 23 0:28 {root} {top} rw,relatime - {kind} {kind} {options}\n"
        (self.proc / "cgroup").write_text(own)
        (self.proc / "mountinfo").write_text(f"23 1 8:1 / / rw shared:1 - ext4 /dev/vda rw\n{mount}")

    def group(self, name: str, **values: str) -> None:
        folder = self.top / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, value in values.items():
            (folder / file.replace("__", ".")).write_text(f"{value}\n")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(machine, "_affinity", lambda: 64)
    return Kernel(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("50000", 1),
        ("10000", 1),
        ("149000", 1),
        ("150000", 2),
        ("250000", 3),
        ("6400000", 64),
        ("9900000", 64),
    ],
)
def test_a_quota_is_rounded_and_one_core_is_the_least(kernel: Kernel, quota: str, cores: int) -> None:
    kernel.says(V2.format(group="/job"))
    kernel.group("job", cpu__max=f"{quota} 100000")
    assert machine.local_cpus() == cores
    notice = machine.quota_notice()
    assert notice.startswith(f"CPU quota of this container or job: {int(quota) / 1e5:.3g} of 64 cores") == (
        int(quota) < 6400000
    )
    assert len(notice) <= 80


def test_the_smallest_quota_on_the_path_counts(kernel: Kernel) -> None:
    kernel.says(V2.format(group="/a/b/c"))
    kernel.group(".", cpu__max="max 100000")
    kernel.group("a", cpu__max="200000 100000")
    kernel.group("a/b", cpu__max="800000 100000")
    kernel.group("a/b/c", cpu__max="max 100000")
    kernel.group("a/other", cpu__max="1000 100000")
    assert control_groups.cpu_quota() == 2
    assert (
        machine.quota_notice()
        == "CPU quota of this container or job: 2 of 64 cores, so 2 are used (or --cpus N)"
    )


def test_version_1(kernel: Kernel) -> None:
    kernel.says(V1.format(group="/docker/1f/sub"), root="/docker/1f")  # what Docker shows a container
    kernel.group(".", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    assert control_groups.cpu_quota() == 3  # the own group is not visible: the mounted one
    kernel.group("sub", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert control_groups.cpu_quota() == 3
    kernel.group("sub", cpu__cfs_quota_us="25000", cpu__cfs_period_us="50000")
    assert control_groups.cpu_quota() == 0.5


@pytest.mark.parametrize("group", ["/", "/../../elsewhere", "/not/visible"])
def test_a_container_sees_its_group_as_the_root(kernel: Kernel, group: str) -> None:
    kernel.says(V2.format(group=group))
    kernel.group(".", cpu__max="150000 100000")
    assert machine.local_cpus() == 2


@pytest.mark.parametrize("text", ["max 100000", "", "garbage", "1 2 3"])
def test_no_quota_is_no_limit(kernel: Kernel, text: str) -> None:
    kernel.says(V2.format(group="/"))
    kernel.group(".", cpu__max=text)
    assert machine.local_cpus() == 64
    assert machine.quota_notice() == ""


def test_paths_of_groups_and_mounts_may_be_any_bytes(kernel: Kernel) -> None:
    kernel.says(V2.format(group="/job"))
    kernel.group("job", cpu__max="200000 100000")
    with (kernel.proc / "mountinfo").open("ab") as mounts:
        mounts.write(b"32 23 0:29 / /mnt/caf\xe9 rw - tmpfs x rw\n")
    assert machine.local_cpus() == 2


@pytest.mark.parametrize(
    ("visible", "gpus"), [(None, 4), ("", 0), ("NoDevFiles", 0), ("2", 1), ("0,1,2,3,4", 4)]
)
def test_gpus_are_counted_as_ray_does(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, gpus: int
) -> None:
    monkeypatch.setattr(machine, "_gpus", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.local_gpus() == gpus


def test_a_system_without_control_groups_or_affinity(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.local_cpus() == 64  # no files at all
    assert control_groups.group_tasks() is None
    assert not control_groups.OomKills().happened()
    monkeypatch.undo()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert machine.local_cpus() >= 1


def test_the_limit_of_tasks_with_the_least_room(kernel: Kernel) -> None:
    kernel.says(V2.format(group="/a/b"))
    kernel.group(".", pids__current="500", pids__max="max")
    kernel.group("a", pids__current="90", pids__max="100")
    kernel.group("a/b", pids__current="10", pids__max="1000")
    assert control_groups.group_tasks() == (90, 100)


def test_gpus_that_only_their_own_program_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    monkeypatch.setattr(machine, "_answer", lambda *_: "GPU 0: a\n  MIG 1g\nGPU 1: b")
    assert machine.local_gpus() == 2
