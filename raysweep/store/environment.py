"""Software and hardware of a run, for `sweep.json` and the rows of `trials/`."""

import platform
import socket
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from raysweep.store.sweep_record import RunEnvironment

_PACKAGES: Final = ("raysweep", "tensorflow", "keras", "numpy", "ray", "pyarrow")
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


def cpu_model() -> str:
    """Return the processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
