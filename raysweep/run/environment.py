"""Software and hardware of a run, for `sweep.json`."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from raysweep.machine import cpu_model, package_versions
from raysweep.store.sweep_record import RunEnvironment

_SOURCE: Final = Path(__file__).resolve().parents[1]
_GIT_TIMEOUT_S: Final = 10


def run_environment() -> RunEnvironment:
    """Describe this process's environment, without importing the packages whose versions it lists."""
    commit, dirty = _checkout()
    return RunEnvironment(
        versions=package_versions(),
        commit=commit,
        dirty=dirty,
        host=socket.gethostname(),
        cpu_model=cpu_model(),
    )


def _checkout() -> tuple[str | None, bool | None]:
    """Return the commit of raysweep's source, and whether there are changes; None outside of a checkout.

    A virtual environment may lie inside another project's checkout, so the source itself must be under
    version control there.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name, folder=Path(__file__).parent) is None:
        return None, None
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    return commit, None if changes is None else bool(changes)


def _git(*arguments: str, folder: Path = _SOURCE) -> str | None:
    command: Sequence[str] = ("git", "-C", str(folder), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
