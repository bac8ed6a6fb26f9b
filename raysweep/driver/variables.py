"""Environment variables of Ray, Tune and TensorFlow, for the driver and the processes that it starts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

SETTINGS: Final[Mapping[str, str]] = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # What workers print goes through the driver to the run's log: plain, and whole.
    "RAY_COLOR_PREFIX": "0",
    "RAY_DEDUP_LOGS": "0",
    # Under `uv run` Ray would start its workers through uv, in a copy of the current folder.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # No signal reaches the driver.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # A worker that does not answer at the end of a round is killed after this many seconds.
    "TUNE_FORCE_TRIAL_CLEANUP_S": "3",
    # The ledger is the state: Tune's own, rewritten whole every few seconds, is never read.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
"""For Ray and Tune."""

TRAINING: Final[Mapping[str, str]] = {
    "KERAS_BACKEND": "tensorflow",
    # A network's function may go through a set: in the same order in every process.
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""For TensorFlow and Keras in a worker."""

PRIVATE: Final[Mapping[str, str]] = {
    "RAY_AUTH_MODE": "token",
    # Use 127.0.0.1 instead of the machine's address, as Ray does on other systems by default.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # `ray.init` waits so long for a control store that has died, and no thread of the driver runs meanwhile.
    "RAY_gcs_server_port_wait_time_s": "5",
    # A process that loses the control store waits this many seconds for it, and the driver runs no thread
    # meanwhile. On the loopback address a lost connection is a dead process.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_gcs_server_request_timeout_seconds": "30",
    # Ray's process on a node connects to its object store, which it has just started in a thread: if it
    # comes too early it tries again after 20 ms, not after a second; for 10 s in all, as by default.
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",
    # Workers that Ray starts with the cluster wait while the driver imports Tune; after a second Ray would
    # end them.
    "RAY_idle_worker_killing_time_threshold_ms": "60000",
    # Meanwhile they import Tune, too. (TensorFlow as well was not faster: see docs/performance.md.)
    "RAY_preload_python_modules": "raysweep.driver.worker",
}
"""Also set for a private cluster."""


class ClusterRequest(NamedTuple):
    """The cluster that a driver is to start or to join."""

    address: str | None
    """Of an existing cluster; None for a private one."""
    trusted: bool
    """Join an existing cluster even if it asks for no token."""
    cpus: int | None
    """Cores of the private cluster, or a cap on the cores used of an existing one."""
    cpu: float
    """Cores of one trial."""
    gpu: float
    """GPUs of one trial."""

    def to_argument(self) -> str:
        """Return the request as an argument of the driver's command line.

        >>> request = ClusterRequest(address=None, trusted=False, cpus=2, cpu=1.0, gpu=0.5)
        >>> ClusterRequest.from_argument(request.to_argument()) == request
        True
        """
        return json.dumps(self._asdict())

    @classmethod
    def from_argument(cls, argument: str) -> "ClusterRequest":
        """Read what `to_argument` returned."""
        return cls(**json.loads(argument))


def token_path(folder: Path) -> Path:
    """Name the file of a private cluster's token, in a run's temporary folder."""
    return folder / "token"
