"""Evaluation of a network on held-out sequences, during the training and after it."""

from functools import cached_property

import numpy as np

from raysweep.experiment.learner import Evaluated, Learner
from raysweep.experiment.sequences import evaluation_sequence, windows_of
from raysweep.trial.outcome import Evaluation
from raysweep.trial.result import Ints, Predictions
from raysweep.trial.settings import TrialSettings


class HeldOut:
    """The held-out sequences of a trial, the same at every evaluation; training never sees them.

    As in training, each sequence is read in batches of the trial's size; the states are carried from batch to
    batch and reset before the next sequence. The predicted symbol of a position is the argmax of the softmax.
    """

    def __init__(self, settings: TrialSettings) -> None:
        """Take the trial; the sequences are drawn when they are first used."""
        self._settings = settings

    def evaluate(self, learner: Learner) -> Evaluated | None:
        """Predict every window; return None if an output is not finite, and the predictions mean nothing."""
        outputs = learner.evaluate(self._sequences)
        return outputs if np.isfinite(outputs.confidence).all() else None

    def counts(self, epoch: int, outputs: Evaluated) -> Evaluation:
        """Count what is right in the outputs after an epoch."""
        return Evaluation.of(epoch, outputs.predicted == self._windows[..., : self._settings.n_out])

    def predictions(self, outputs: Evaluated) -> Predictions:
        """Lay out the outputs, one row per window."""
        settings = self._settings
        windows = self._windows.reshape(-1, settings.n_in)
        number = np.arange(len(windows), dtype=np.int32)
        return Predictions(
            sequence_index=number // settings.windows,
            window_index=number % settings.windows,
            input=windows,
            expected=np.ascontiguousarray(windows[:, : settings.n_out]),
            predicted=outputs.predicted.reshape(-1, settings.n_out),
            confidence=outputs.confidence.reshape(-1, settings.n_out),
        )

    @cached_property
    def _sequences(self) -> Ints:
        """(eval_sequences, windows + n_in - 1)."""
        drawn = [evaluation_sequence(self._settings, i) for i in range(self._settings.eval_sequences)]
        return np.stack(drawn)

    @cached_property
    def _windows(self) -> Ints:
        """(eval_sequences, windows, n_in)."""
        return windows_of(self._sequences, self._settings.n_in)
