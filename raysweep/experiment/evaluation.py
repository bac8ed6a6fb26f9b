"""Evaluation of a trained network on held-out sequences."""

import numpy as np

from raysweep.experiment.adam import Variables
from raysweep.experiment.sequences import evaluation_sequence, windows_of
from raysweep.experiment.steps import Steps
from raysweep.trial.result import Predictions
from raysweep.trial.settings import TrialSettings


def evaluate(steps: Steps, variables: Variables, settings: TrialSettings) -> Predictions:
    """Predict every window of the trial's held-out sequences.

    As in training, each sequence is read in batches of the trial's size; the states are carried from batch to
    batch and reset before the next sequence. The predicted symbol of a position is the argmax of the softmax.
    """
    outputs = steps.evaluate(variables, settings, settings.eval_sequences)
    drawn = [evaluation_sequence(settings, number) for number in range(settings.eval_sequences)]
    windows = windows_of(drawn, settings.n_in).reshape(-1, settings.n_in)
    count = np.arange(len(windows), dtype=np.int32)
    return Predictions(
        sequence=count // settings.windows,
        window=count % settings.windows,
        input=windows,
        expected=np.ascontiguousarray(windows[:, : settings.n_out]),
        predicted=outputs.predicted.reshape(-1, settings.n_out),
        confidence=outputs.confidence.reshape(-1, settings.n_out),
    )
