"""Training of one trial in slices, and its state as bytes; neither changes the result."""

import io
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf

from raysweep.errors import ResultsError, UsageError
from raysweep.experiment.built_in_learner import BuiltInLearner
from raysweep.experiment.compiled_steps import CompiledSteps
from raysweep.experiment.evaluation import HeldOut
from raysweep.experiment.learner import Learner
from raysweep.experiment.network_module import NetworkFunction, as_network
from raysweep.experiment.own_learner import OwnLearner
from raysweep.trial.outcome import Evaluation
from raysweep.trial.result import Curve, Floats, TrialResult
from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import MadeWith, StateHeader, pack, unpack

MadeWith.here(threads=0, device="")  # reads source and versions now: they may change while a trial is trained

GROWTH: Final = 8
"""Largest growth in epochs between calls of the compiled loop, while the loop's speed is being learnt."""


class Training:
    """Training of one trial, a slice at a time.

    The result depends on the settings alone: not on the slices, not on states that it went on from, not on
    earlier trials that used the same compiled steps.

    Raises:
        ResultsError: the state is damaged, of another trial, or made with something that gives other bits.
        UsageError: the settings are not of the network's function.
        NetworkError: the function fails, or its model cannot be trained.
    """

    def __init__(
        self,
        settings: TrialSettings,
        steps: CompiledSteps | None = None,
        state: bytes | None = None,
        network: NetworkFunction | None = None,
    ) -> None:
        """Begin a trial, or go on from a state.

        Args:
            settings: the trial.
            steps: cache of compiled steps that trials share; None for a trial on its own.
            state: bytes that the method `state` returned, of this trial or of one that differs only in having
                fewer epochs; None to begin.
            network: the function of a user's network; None for a built-in one.
        """
        self.settings = settings
        self._losses = np.zeros(0, np.float32)
        self._accuracies = np.zeros(0, np.float32)
        self._evaluations: list[Evaluation] = []
        self._train_s = self._eval_s = 0.0
        self._inherited_epochs = 0
        self._held_out = HeldOut(settings)
        arrays = None if state is None else self._restored(state)
        self._learner = _learner(settings, steps or CompiledSteps(), network)
        if arrays is not None:
            self._load(arrays)

    @property
    def epoch(self) -> int:
        """Number of epochs trained so far."""
        return len(self._losses)

    @property
    def loss(self) -> float:
        """Loss of the last epoch trained, NaN before the first."""
        return float(self._losses[-1]) if self.epoch else float("nan")

    @property
    def accuracy(self) -> float:
        """Accuracy of the last epoch trained, NaN before the first."""
        return float(self._accuracies[-1]) if self.epoch else float("nan")

    @property
    def diverged(self) -> bool:
        """Return whether the last epoch's loss is not finite, which ends the training."""
        return self.epoch > 0 and not np.isfinite(self._losses[-1])

    @property
    def finished(self) -> bool:
        """Return whether every epoch is trained, or the training diverged."""
        return self.diverged or self.epoch >= self.settings.epochs

    @property
    def weights(self) -> list[Floats]:
        """Current weights, in the order and layout of ``keras.Model.get_weights``."""
        return self._learner.weights()

    def advance(self, seconds: float) -> None:
        """Train for about this many seconds: at least one epoch, never beyond the last.

        Between two epochs, the network is evaluated where the settings' `eval_every` says so.
        """
        end = time.perf_counter() + seconds
        epochs = 1
        while not self.finished:
            self._evaluate_if_due()
            began = time.perf_counter()
            epochs = min(epochs, self._epochs_in_one_go())
            done = self._learner.train(after=self.epoch, epochs=epochs)
            self._losses = np.concatenate([self._losses, done.loss])
            self._accuracies = np.concatenate([self._accuracies, done.accuracy])
            now = time.perf_counter()
            self._train_s += now - began
            affordable = (end - now) / (now - began) * epochs
            if affordable < 1:
                return
            epochs = int(min(affordable, GROWTH * epochs))

    def _epochs_in_one_go(self) -> int:
        """Return the number of epochs up to the next evaluation."""
        left = self.settings.epochs - self.epoch
        every = self.settings.eval_every
        return min(left, every - self.epoch % every) if every else left

    def _evaluate_if_due(self) -> None:
        """Evaluate the network in the middle of its training, which is not changed by it."""
        every = self.settings.eval_every
        if not every or self.epoch == 0 or self.epoch % every:
            return
        if self._evaluations and self._evaluations[-1].epoch == self.epoch:
            return
        began = time.perf_counter()
        if (outputs := self._held_out.evaluate(self._learner)) is not None:
            self._evaluations.append(self._held_out.counts(self.epoch, outputs))
        self._eval_s += time.perf_counter() - began

    def state(self) -> bytes:
        """Return the state of the training as bytes; the arrays are NumPy's npz without pickled objects."""
        saved: dict[str, Any] = {f"variable_{n}": array for n, array in enumerate(self._learner.arrays())}
        saved |= {
            "variables": len(saved),
            "loss": self._losses,
            "accuracy": self._accuracies,
            "evaluations": np.array([_packed(one) for one in self._evaluations], np.int64),
            "train_s": self._train_s,
            "eval_s": self._eval_s,
            "inherited_epochs": self._inherited_epochs,
        }
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **saved)
        header = StateHeader(settings=self.settings, epoch=self.epoch, made_with=made_with())
        return pack(header, file.getvalue())

    def _restored(self, state: bytes) -> list[Any]:
        """Take up the curve and the evaluations of a state; return the arrays of its network."""
        with self._naming_the_trial():
            header, arrays = unpack(state)
            self._require_usable(header)
            with np.load(io.BytesIO(arrays), allow_pickle=False) as saved:
                if len(saved["loss"]) != header.epoch:
                    raise ValueError("arrays of unexpected shapes")
                self._losses, self._accuracies = saved["loss"], saved["accuracy"]
                self._evaluations = [_unpacked(of) for of in saved["evaluations"].tolist()]
                if header.settings == self.settings:
                    self._train_s, self._eval_s = float(saved["train_s"]), float(saved["eval_s"])
                    self._inherited_epochs = int(saved["inherited_epochs"])
                else:  # the seconds are those of the trial that made it
                    self._inherited_epochs = header.epoch
                return [saved[f"variable_{number}"] for number in range(int(saved["variables"]))]

    def _load(self, arrays: list[Any]) -> None:
        with self._naming_the_trial():
            self._learner.load(arrays)

    @contextmanager
    def _naming_the_trial(self) -> Iterator[None]:
        """Translate what is wrong with a state."""
        try:
            yield
        except (ResultsError, KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            trial = self.settings.trial_id
            raise ResultsError(f"state for {trial}: {error}; start the trial without it") from error

    def _require_usable(self, header: StateHeader) -> None:
        if header.settings.beginning != self.settings.beginning:
            raise ResultsError(f"of another trial, {header.settings.trial_id}")
        if header.epoch > self.settings.epochs:
            raise ResultsError(f"after {header.epoch} epochs, more than the trial has")
        if difference := header.made_with.difference(made_with()):
            raise ResultsError(difference)

    def result(self) -> TrialResult:
        """Evaluate the trained network on the held-out sequences.

        Raises:
            RuntimeError: the training is not finished.
        """
        if not self.finished:
            raise RuntimeError(
                f"{self.settings.trial_id} has trained {self.epoch} of {self.settings.epochs} epochs; "
                "call advance until it is finished"
            )
        began = time.perf_counter()
        # No outputs of a finished training: its last update gave NaN or infinity, and no loss came after it.
        outputs = None if self.diverged else self._held_out.evaluate(self._learner)
        evaluations = [*self._evaluations]
        if outputs is not None:
            evaluations.append(self._held_out.counts(self.epoch, outputs))
        return TrialResult(
            settings=self.settings,
            status="diverged" if outputs is None else "done",
            loss=self.loss,
            accuracy=self.accuracy,
            curve=_curve(self._losses, self._accuracies, evaluations, self.settings),
            evaluations=tuple(evaluations),
            predictions=None if outputs is None else self._held_out.predictions(outputs),
            layers=self._learner.layers,
            updates=self.epoch * (self.settings.windows // self.settings.batch_size),
            inherited_epochs=self._inherited_epochs,
            trace_s=self._learner.trace_s,
            train_s=self._train_s,
            eval_s=self._eval_s + time.perf_counter() - began,
            device="gpu" if tf.config.list_physical_devices("GPU") else "cpu",
            deterministic=self._learner.deterministic,
        )


def _learner(settings: TrialSettings, steps: CompiledSteps, network: NetworkFunction | None) -> Learner:
    if settings.network is None and network is None:
        return BuiltInLearner(settings, steps.of(settings))
    if network is None:
        raise UsageError(f"{settings.arch} is not built in; give its function: network={settings.arch}")
    own = as_network(network)
    own.require(settings)
    return OwnLearner(settings, own, steps.checked)


def _packed(evaluation: Evaluation) -> list[int]:
    return [evaluation.epoch, evaluation.exact, evaluation.exact_squares, *evaluation.right]


def _unpacked(numbers: list[int]) -> Evaluation:
    epoch, exact, exact_squares, *right = numbers
    return Evaluation(epoch, exact, exact_squares, tuple(right))


def made_with() -> MadeWith:
    """Describe what the bits of a training in this process depend on besides its settings."""
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu") if gpus else "cpu"
    return MadeWith.here(tf.config.threading.get_intra_op_parallelism_threads(), device)


def _curve(
    losses: Floats, accuracies: Floats, evaluations: Sequence[Evaluation], settings: TrialSettings
) -> Curve:
    """Average `curve_every` epochs into each point, in float64; the last point covers the rest."""
    every = settings.curve_every
    starts = np.arange(0, len(losses), every)
    ends = np.minimum(starts + every, len(losses))
    loss, accuracy = (
        np.add.reduceat(values.astype(np.float64), starts) / (ends - starts)
        for values in (losses, accuracies)
    )
    points = np.searchsorted(ends, [one.epoch for one in evaluations])
    windows = settings.eval_sequences * settings.windows
    exact_match = np.full(len(ends), np.nan)
    exact_match[points] = [one.exact / windows for one in evaluations]
    position_accuracy = np.full((len(ends), settings.n_out), np.nan)
    right = np.array([one.right for one in evaluations], np.int64)
    position_accuracy[points] = right.reshape(-1, settings.n_out) / windows
    return Curve(ends.astype(np.int32), loss, accuracy, exact_match, position_accuracy)
