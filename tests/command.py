"""Runs the installed command as a user does: a process of its own, real files, real Ray."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

RAYSWEEP = Path(sys.executable).parent / "raysweep"

TINY = """
name: tiny
grid:
  arch: [echo, seq2seq]
  len: [2, 3]
  mem: 4
defaults: {epochs: 30, eval_sequences: 3}
seq2seq: {windows: 6, batch_size: 3}
"""
"""Four trials that train in no time."""


def environment(folder: Path, **extra: str) -> dict[str, str]:
    """The environment of a user's shell, the command on its path, with a temporary folder of its own."""
    values = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    values["PATH"] = f"{RAYSWEEP.parent}:{os.environ['PATH']}"
    return values | {"TMPDIR": _temporary(folder), "COLUMNS": "100", **extra}


@cache
def _temporary(folder: Path) -> str:
    """Make a temporary folder whose path is short enough for Ray's sockets, one for each folder."""
    temporary = tempfile.mkdtemp(prefix="rs", dir="/tmp")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def raysweep(
    *arguments: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 240
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run(
        [RAYSWEEP, *map(str, arguments)],
        cwd=cwd,
        env=dict(env if env is not None else environment(cwd)),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def full_pipe() -> tuple[int, int]:
    """A pipe, as its two ends, into which nothing goes any more until somebody reads."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x")
    os.set_blocking(write, True)
    return read, write


def start(
    *arguments: object, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.Popen[str]":
    """Start the command and leave it running."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        [RAYSWEEP, *map(str, arguments)],
        cwd=cwd,
        env=dict(env if env is not None else environment(cwd)),
        text=True,
        stdin=subprocess.DEVNULL,
        **pipes,
    )


def write_grid(folder: Path, text: str = TINY, name: str = "tiny.yaml") -> Path:
    """Write a grid file into a folder."""
    path = folder / name
    path.write_text(text)
    return path


def tables(results: Path, *kinds: str) -> dict[str, bytes]:
    """Read the files that must be the same whatever happened, by kind and name."""
    kinds = kinds or ("predictions", "curves")
    return {f"{k}/{p.name}": p.read_bytes() for k in kinds for p in sorted((results / k).glob("*.parquet"))}
