"""Hides what only Linux has from Python code that looks for it: /proc, control groups, affinity, waitid."""

import os
from pathlib import Path

HIDDEN = ("/proc", "/sys/fs/cgroup", "/dev/nvidia")


def hide():
    """Hide it in this process; psutil and Ray, which open /proc in their own ways, go on."""
    for name in ("sched_getaffinity", "sched_setaffinity", "waitid", "pidfd_open"):
        if hasattr(os, name):
            delattr(os, name)

    def hidden(path):
        return str(path).startswith(HIDDEN)

    def absent(method, answer):
        def asked(self, *arguments, **options):
            return answer(self) if hidden(self) else method(self, *arguments, **options)

        return asked

    def missing(path):
        raise FileNotFoundError(2, "No such file or directory", str(path))

    for name in ("read_text", "read_bytes", "readlink", "stat", "lstat", "iterdir", "open"):
        setattr(Path, name, absent(getattr(Path, name), missing))
    for name in ("exists", "is_dir", "is_file"):
        setattr(Path, name, absent(getattr(Path, name), lambda _: False))
    setattr(Path, "glob", absent(Path.glob, lambda _: iter(())))  # noqa: B010  # mypy
