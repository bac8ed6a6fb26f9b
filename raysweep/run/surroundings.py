"""Surroundings of the driver's process: its environment, composed here, and its limits.

Ray, TensorFlow and Keras read dozens of variables and files. The driver gets the command's environment less
what would change what is imported or computed, and what a run needs. Home and temporary folder are replaced
for a private cluster only: the token and the address of an existing cluster are found by them.
"""

import os
import resource
import site
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import raysweep
from raysweep.control_groups import group_tasks
from raysweep.driver.variables import PRIVATE, SETTINGS, TRAINING, ClusterRequest, token_path
from raysweep.errors import SurroundingsError
from raysweep.machine import num_tasks

LEFT_OUT: Final = (
    "RAY_TUNE_CALLBACKS",  # classes that Tune would import, named by whoever wrote the environment
    "RAY_RUNTIME_ENV_HOOK",  # likewise, and Ray would start its workers in another way
    "RAY_AIR_LOCAL_CACHE_DIR",  # with either of these two every Tuner refuses to start
    "TUNE_RESULT_DIR",
    "KERAS_HOME",  # a keras.json, which may ask for another backend or for other floats
    "ONEDNN_MAX_CPU_ISA",  # these six would change the last bits of what is computed
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "PYTHONPATH",  # composed below
)
"""Variables that are not passed on."""

LEFT_OUT_IF_PRIVATE: Final = (
    "RAY_JOB_CONFIG_JSON_ENV_VAR",  # of `ray job submit`: another cluster's packages
    "RAY_OVERRIDE_RESOURCES",
    "RAY_REDIS_ADDRESS",  # where the control store would keep its state
)
"""Variables that are not passed on to a driver with a cluster of its own."""

PATHS: Final = (
    "RAY_AUTH_TOKEN_PATH",
    "RAY_TLS_CA_CERT",
    "RAY_TLS_SERVER_CERT",
    "RAY_TLS_SERVER_KEY",
    "RAY_TMPDIR",
    "TMPDIR",
)
"""Variables that name files; relative to the command's current folder, which is not the driver's."""

OPEN_FILES: Final = 100
"""Descriptors that one of Ray's processes needs: at two slots, 64 were enough and 40 were not."""

OPEN_FILES_A_SLOT: Final = 8
"""Further descriptors for each slot: a worker's connections to raylet and control store."""

MAX_OPEN_FILES: Final = 65_536
"""Soft limit that is set if the hard limit allows it."""

TASKS: Final = 180
"""Processes and threads of a private cluster without workers: at two slots and cores, 209 in all were enough
and 189 were not."""

TASKS_A_SLOT: Final = 30
"""Processes and threads of each worker."""


def driver_environment(folder: Path, *, private: bool) -> dict[str, str]:
    """Compose the environment of a driver.

    Args:
        folder: the run's temporary folder.
        private: whether the driver starts a cluster of its own.
    """
    left_out = {*LEFT_OUT, *(LEFT_OUT_IF_PRIVATE if private else ())}
    values = {name: value for name, value in os.environ.items() if name not in left_out}
    values |= {name: str(Path(values[name]).absolute()) for name in PATHS if values.get(name)}
    values |= {**SETTINGS, **TRAINING}
    if paths := [*_own_path(), *absolute_paths(os.environ.get("PYTHONPATH", ""))]:
        values["PYTHONPATH"] = os.pathsep.join(paths)
    if Path(home := values.get("HOME", "")).is_absolute():  # compiled for minutes, and kept for the next run
        values.setdefault("CUDA_CACHE_PATH", f"{home}/.nv/ComputeCache")
    if site.ENABLE_USER_SITE and Path(base := site.getuserbase()).is_absolute():
        values.setdefault("PYTHONUSERBASE", base)  # packages there are found by the home folder
    if private:
        values |= {**PRIVATE, "TMPDIR": str(folder), "RAY_AUTH_TOKEN_PATH": str(token_path(folder))}
    if private or not Path(values.get("HOME", "")).is_absolute():  # Ray needs a home folder
        values["HOME"] = str(folder)
    return values


def _own_path() -> list[str]:
    """Name the folder of this package if the driver would not find it, or would find another one.

    As with `python -m raysweep` in a checkout, whose folder is off the path by now.
    """
    own = str(Path(raysweep.__file__).parents[1])
    return [] if own in sys.path else [own]


def absolute_paths(variable: str) -> list[str]:
    """Return the folders of a PYTHONPATH that do not depend on the current folder.

    >>> absolute_paths("/opt/lib:.::lib")
    ['/opt/lib']
    """
    return [path for path in variable.split(os.pathsep) if Path(path).is_absolute()]


def driver_command(connection: int, cluster: ClusterRequest) -> list[str]:
    """Return the command line of a driver; the current folder decides nothing that it imports."""
    return [sys.executable, "-P", "-m", "raysweep.driver", str(connection), cluster.to_argument()]


def require_limits(slots: int) -> None:
    """Compare the limits of this user's processes with what a private cluster needs; raise the soft ones.

    Raises:
        SurroundingsError: a limit is too low.
    """
    _require_open_files(slots)
    _require_tasks(slots)


def _require_open_files(slots: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = OPEN_FILES + OPEN_FILES_A_SLOT * slots
    if hard != resource.RLIM_INFINITY and hard < need:
        raise SurroundingsError(
            f"this run ({slots} trials at a time) needs {need} open files in a process, and the hard limit "
            f"is {hard}; raise it (ulimit -H -n {need}, as an administrator), or use fewer cores (--cpus)"
        )
    if soft != resource.RLIM_INFINITY and soft < MAX_OPEN_FILES:
        most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
        while most > soft:  # some systems allow less than their hard limit says
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
                return
            most //= 2


def _require_tasks(slots: int) -> None:
    """Check the limits of processes and threads: the container's, and, for others than root, the user's."""
    need = TASKS + TASKS_A_SLOT * slots
    limits = [("pids.max of this container or job", *group)] if (group := group_tasks()) else []
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard != resource.RLIM_INFINITY and os.geteuid() != 0:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
        limits.append(("ulimit -u", num_tasks(), hard))
    for name, used, limit in limits:
        if limit - used < need:
            raise SurroundingsError(
                f"this run ({slots} trials at a time) needs {need} more processes and threads, and {used} "
                f"of at most {limit} are in use; raise the limit ({name}), or use fewer cores (--cpus)"
            )
