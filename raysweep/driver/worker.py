"""The Tune Trainable: one actor, many trials, compiled steps kept by shape.

Nothing slow happens before the first `step`, TensorFlow's import included: what takes long there is part of
a trial that is shown as running and has a deadline.
"""

import gc
import platform
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import ray
from ray.tune import Trainable

from raysweep.errors import NetworkError, ResultsError
from raysweep.machine import cpu_model, package_versions
from raysweep.store.encoding import Provenance, encode
from raysweep.trial.cost import state_bytes
from raysweep.trial.network import NetworkSource
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.experiment import CompiledSteps, Training

REPORT_S: Final = 2.0
"""Least seconds of training between two reports: as often as a person looks."""

REPORTING_SLOTS: Final = 150
"""Slots that may report so often: the driver takes 1.3 to 1.6 ms for a report, so a tenth of its time."""

CHECKPOINT_S: Final = 120.0
"""Least seconds of training between two checkpoints; a shorter trial makes none."""

CHECKPOINT_BYTES: Final = 2_400_000_000
"""Bytes of all slots' checkpoints in that time: 20 MB/s on the driver's network and disk."""

LARGEST_STATE: Final = 2**30
"""Bytes of a state that is saved; that of a network of some 90 million weights is larger."""


def report_s(slots: int) -> float:
    """Return the seconds of training between two reports of one slot."""
    return REPORT_S * max(1.0, slots / REPORTING_SLOTS)


def checkpoint_s(slots: int, settings: TrialSettings) -> float:
    """Return the seconds of training between two checkpoints of one slot."""
    return CHECKPOINT_S * max(1.0, slots * state_bytes(settings) / CHECKPOINT_BYTES)


class Task(NamedTuple):
    """What a worker is to train."""

    settings: TrialSettings
    attempt: int
    """Which attempt of this command it is, from 1."""
    cpus: int
    """Threads that TensorFlow may use."""
    keep_state: bool
    """Whether the state of the trained network is to be kept."""
    network: NetworkSource | None = None
    """The file that a user's network comes from."""


class Worker(Trainable):
    """Trains one trial after another in one process.

    Tune's `config` has the trial's id, the slots, and where its checkpoint is, if any. Tune copies the
    configurations of all trials for each of them, and writes them down: what else belongs to a trial comes
    beside them, by id.
    """

    _steps: ClassVar["CompiledSteps | None"] = None
    _training: "Training | None"
    _last_checkpoint_at: float
    """`time.monotonic()` of the latest checkpoint, or of the trial's start."""

    def setup(self, config: dict[str, Any], tasks: Mapping[str, Task] | None = None) -> None:
        """Take up the first trial.

        Args:
            config: `trial`, its id; `slots`, the trials that run at a time, for which the driver's time has
                to suffice; and perhaps `state`, a reference to what the trial goes on from.
            tasks: this round's trials, by id.
        """
        self._tasks = tasks or {}
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up the next trial in this process."""
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train for some seconds, and return how far it came; at the end, the encoded trial."""
        try:
            return self._advance()
        except NetworkError as error:  # of a user's: this process can train others
            trace = "".join(traceback.format_exception(error.__cause__ or error))
            return {"done": True, "network_error": str(error), "traceback": trace}

    def _advance(self) -> dict[str, Any]:
        report: dict[str, Any] = {}
        if self._training is None:
            self._training, report["not_used"] = self._begin()
        training = self._training
        training.advance(report_s(self._slots))
        report |= {
            "epoch": training.epoch,
            "loss": training.loss,
            "accuracy": training.accuracy,
            "done": training.finished,  # Tune ends the trial by it
        }
        if training.finished:
            report["finished"] = self._finish(training)
        elif time.monotonic() - self._last_checkpoint_at >= checkpoint_s(self._slots, self._task.settings):
            report["checkpoint"] = _not_too_large(training.state())
            self._last_checkpoint_at = time.monotonic()
        return report

    def _take(self, config: Mapping[str, Any]) -> None:
        self._task = self._tasks[config["trial"]]
        self._slots: int = config["slots"]
        self._state: ray.ObjectRef[bytes] | None = config.get("state")
        self._training = None
        self._started = datetime.now(UTC)
        self._last_checkpoint_at = time.monotonic()

    def _begin(self) -> "tuple[Training, str]":
        """Begin the trial, or go on from a state; return why the state could not be used, else nothing."""
        # Seconds of import: see the module's docstring.
        with _uncollected() if Worker._steps is None else nullcontext():
            from raysweep.experiment import CompiledSteps, SourcedNetwork, Training, configure_threads

        if Worker._steps is None:
            configure_threads(self._task.cpus)
            Worker._steps = CompiledSteps()
        settings, source, not_used = self._task.settings, self._task.network, ""
        network = None if source is None else SourcedNetwork(source, settings.arch)
        if self._state is not None:
            try:
                return Training(settings, Worker._steps, ray.get(self._state), network), ""
            except ResultsError as error:
                not_used = str(error.__cause__ or error)
        return Training(settings, Worker._steps, network=network), not_used

    def _finish(self, training: "Training") -> dict[str, Any]:
        result = training.result()
        provenance = Provenance(
            attempt=self._task.attempt,
            started=self._started,
            ended=datetime.now(UTC),
            host=platform.node(),
            cpu_model=cpu_model(),
            threads=self._task.cpus,
            versions=package_versions(),
        )
        exact = None if result.predictions is None else float(result.predictions.exact.mean())
        return {
            "trial": encode(result, provenance),
            "state": self._kept(training),
            "exact_match": exact,
            "seconds": result.trace_s + result.train_s + result.eval_s,
            "inherited_epochs": result.inherited_epochs,
        }

    def _kept(self, training: "Training") -> bytes | None:
        """Return the state if it is to be kept, and not too large to be sent."""
        return _not_too_large(training.state()) if self._task.keep_state else None


def _not_too_large(state: bytes) -> bytes | None:
    return None if len(state) > LARGEST_STATE else state


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python's garbage collector away from what is made now, and stays: a sixth of the import's time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
