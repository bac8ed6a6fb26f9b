"""Ray's start and end: a private cluster on this machine, or a place in one that exists.

The private cluster listens on the loopback address only, asks for a token that nobody else can read, has
no dashboard, sends no usage statistics, and leaves nothing in the temporary folder.
"""

import ipaddress
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from raysweep.errors import ClusterError
from raysweep.grid import Resources
from raysweep.machine import local_gpus
from raysweep.sweep.interrupts import disarm
from raysweep.sweep.scratch import scratch_errors, token_path
from raysweep.sweep.watchdog import Lost, cluster_watched, knock, own_cluster_watched

SETTINGS: Final[Mapping[str, str]] = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # What workers print goes through this process to the run's log: plain, and whole.
    "RAY_COLOR_PREFIX": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # The run has handlers of its own, for more signals than this one.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # A worker that does not answer at the end of a round is killed after this many seconds.
    "TUNE_FORCE_TRIAL_CLEANUP_S": "3",
    # The ledger is the state: Tune's own, rewritten whole every few seconds, is never read.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
"""What Ray reads from the environment, in this process and in those that it starts."""

TRAINING: Final[Mapping[str, str]] = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
"""What TensorFlow reads from the environment of a worker."""

PRIVATE: Final[Mapping[str, str]] = {
    # Use 127.0.0.1 instead of the machine's address, as Ray does on other systems by default.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # A worker that is starting when the command is killed waits so many seconds for a cluster that is gone.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "30",
    "RAY_gcs_server_request_timeout_seconds": "30",
    # Workers that Ray starts with the cluster wait while this process imports Tune; after a second Ray would
    # end them.
    "RAY_idle_worker_killing_time_threshold_ms": "60000",
    # Meanwhile they import Tune, too. (TensorFlow as well was not faster: see docs/performance.md.)
    "RAY_preload_python_modules": "raysweep.sweep.worker",
}
"""What the private cluster's processes read besides."""

OBJECT_STORE_BYTES: Final = 256 * 2**20
"""Shared memory of the private cluster: results are some 50 KB, checkpoints some 15 MB."""

KNOCK_S: Final = 15.0
"""Seconds that a cluster has to answer at all."""

DEAF_TO: Final = ("RAY_TUNE_CALLBACKS",)
"""Variables that would make Tune import classes named by whoever wrote the environment."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to."""

    slots: int
    """Trials that run at a time."""
    scratch: Path
    """Folder for Tune's own files; gone after the run."""
    private: bool
    """Whether this process started it, for itself alone."""


def check_machine(resources: Resources, cpus: int) -> None:
    """Refuse, before anything starts, what this machine can never satisfy.

    Raises:
        ClusterError: more cores than there are, or a GPU where none is.
    """
    if resources.cpu > cpus:
        raise ClusterError(
            f"resources.cpu: a trial asks for {resources.cpu:g} cores, this run has {cpus}; "
            f"use at most {cpus}, or --address of a larger cluster"
        )
    if resources.gpu > (gpus := local_gpus()):
        raise ClusterError(
            f"resources.gpu: a trial asks for {resources.gpu:g} GPUs, this machine has {gpus}; "
            "use gpu: 0, or --address of a cluster that has them"
        )


def check_trust(address: str) -> None:
    """Refuse to join a cluster that anybody on the network may command, and this run's results with it.

    Raises:
        ClusterError: the address is not this machine's own loopback, and no token is used here or none is
            asked for there.
    """
    host = address.rpartition(":")[0].strip("[]")
    with suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    if os.environ.get("RAY_AUTH_MODE") != "token" or lets_anybody_in(address):
        raise ClusterError(
            f"--address {address}: whoever reaches a cluster without a token can run code on it; "
            "start it with RAY_AUTH_MODE=token and set that here too, or say --trust-cluster where the "
            "network is safe"
        )


def lets_anybody_in(address: str) -> bool:
    """Whether a cluster's control store answers a question that comes without a token.

    A driver that has a token shows it to a cluster that asks for none, too, and would not notice. Where
    nobody answers, joining will tell; where the address is not `host:port`, the same is asked after joining.
    """
    import grpc  # TensorFlow's and Ray's; without types

    if not _names_a_port(address):
        return False
    direct = [("grpc.enable_http_proxy", 0)]  # as Ray connects, whatever `http_proxy` says
    with grpc.insecure_channel(address, options=direct) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")(b"", timeout=KNOCK_S)
        except grpc.RpcError as error:
            refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE)
            return error.code() not in (*refused, grpc.StatusCode.DEADLINE_EXCEEDED)
    return True


@contextmanager
def local_cluster(resources: Resources, cpus: int, scratch: Path, lost: Lost) -> Iterator[Cluster]:
    """Start a private cluster on this machine, look after it, and end it.

    Raises:
        ClusterError: Ray does not start.
    """
    try:
        _set_environment(**TRAINING, **PRIVATE)
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(_write_token(scratch)))
        with own_cluster_watched(lost):
            with _children_in_sessions_of_their_own(), _temporary_files_in(scratch):
                _init(
                    address="local",
                    num_cpus=cpus,
                    num_gpus=None if resources.gpu else 0,
                    object_store_memory=OBJECT_STORE_BYTES,
                    # Ray lets everybody write there; `scratch` itself stays closed.
                    _temp_dir=str(scratch / "r"),
                )
            yield Cluster(_slots(resources, cap=cpus), scratch, private=True)
    finally:
        _shutdown()


@contextmanager
def existing_cluster(
    resources: Resources, address: str, cpus: int | None, scratch: Path, lost: Lost, *, trusted: bool
) -> Iterator[Cluster]:
    """Connect to a cluster that exists, and look after it; the package's code travels along.

    Raises:
        ClusterError: nobody answers, the token is wrong, the cluster is not to be trusted, or no node can
            satisfy the request.
    """
    try:
        _set_environment()
        _check_answers(address)
        package = str(Path(__file__).parents[1])
        _init(address=address, runtime_env={"py_modules": [package], "env_vars": {**SETTINGS, **TRAINING}})
        control_store, raylet = _addresses()
        if not trusted and not _names_a_port(address):  # as with `auto`: nobody could be asked before
            check_trust(control_store)
        cluster = Cluster(_slots(resources, cap=cpus), scratch, private=False)
        with cluster_watched(control_store, raylet, lost):
            yield cluster
    finally:
        _shutdown()


def _check_answers(address: str) -> None:
    """Find out whether anybody answers; Ray itself would wait for minutes."""
    if _names_a_port(address) and (error := knock(address, KNOCK_S)):
        raise ClusterError(
            f"--address {address}: nobody answers ({error.strerror or error}); is the cluster up?"
        ) from error


def _names_a_port(address: str) -> bool:
    return address.rpartition(":")[2].isdecimal()


def _set_environment(**more: str) -> None:
    for name in DEAF_TO:
        os.environ.pop(name, None)
    os.environ.update(SETTINGS, **more)


def _init(**arguments: Any) -> None:
    import ray

    try:
        ray.init(include_dashboard=False, log_to_driver=True, configure_logging=False, **arguments)
    except Exception as error:  # Ray raises anything here: one boundary translates it
        address = arguments["address"]
        where = "a cluster on this machine" if address == "local" else f"the cluster at {address}"
        raise ClusterError(f"Ray could not use {where}: {error}; see the log for more") from error


@contextmanager
def _children_in_sessions_of_their_own() -> Iterator[None]:
    """Keep from Ray's processes the signals that a terminal, or `kill`, sends to this process's group.

    When its raylet ends, Ray's C++ ends this process within seconds and without a word; so a signal must come
    to this process alone. Ray has no option for it, but forks with a `preexec_fn`, for which Python calls
    what was registered here. That cannot be taken back, only made to do nothing.
    """
    detaching = True

    def detach() -> None:
        if detaching:
            os.setsid()

    os.register_at_fork(after_in_child=detach)
    try:
        yield
    finally:
        detaching = False


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Give the processes that are started a temporary folder, so that what they leave there goes with it.

    However they end: one that is killed while Python tries out that folder leaves an empty file.
    """
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before


def _slots(resources: Resources, *, cap: int | None) -> int:
    """Count the trials that the cluster can run at a time, within so many cores."""
    if not (nodes := [node["Resources"] for node in _nodes()]):
        raise ClusterError("no node of the cluster is alive; its log may say why")
    slots = sum(resources.slots(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes)
    if slots == 0:
        cores, gpus = (max(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU"))
        raise ClusterError(
            f"no node can run a trial of {resources.cpu:g} cores and {resources.gpu:g} GPUs; "
            f"the most that one of the {len(nodes)} nodes has is {cores:g} and {gpus:g}; "
            "lower `resources` in the grid"
        )
    return slots if cap is None else min(slots, max(math.floor(cap / resources.cpu + 1e-9), 1))


def _addresses() -> tuple[str, str]:
    """Return `host:port` of the cluster's control store, and of Ray's daemon on this machine."""
    import ray

    context = ray.get_runtime_context()
    for node in _nodes():
        if node["NodeID"] == context.get_node_id():
            return context.gcs_address, f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    raise ClusterError("the cluster's node on this machine is not alive; its log may say why")


def _nodes() -> list[dict[str, Any]]:
    """What Ray tells of each node that is alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]  # Ray's


def _shutdown() -> None:
    import ray

    disarm()  # the end of a cluster that was just starting may take longer
    ray.shutdown()


def _write_token(folder: Path) -> Path:
    """Write a fresh token that nobody else can read; Ray's own would be readable by all."""
    path = token_path(folder)
    with scratch_errors(folder):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path
