"""The experiment as a notebook does it with Keras: the reference for the compiled loop."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raysweep.experiment import build_model
from raysweep.experiment.models import initial_weights
from raysweep.experiment.sequences import training_sequence, windows_of
from raysweep.trial.result import Floats
from raysweep.trial.settings import TrialSettings


def one_hot(settings: TrialSettings, sequence: np.ndarray) -> tuple[Floats, Floats]:
    """Return (windows, n_in, vocab) and (windows, n_out, vocab): a sequence as Keras reads it."""
    code = np.eye(settings.vocab, dtype=np.float32)
    windows = windows_of(sequence, settings.n_in)
    return code[windows], code[windows[:, : settings.n_out]]


def reset_states(model: Any) -> None:
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()


@dataclass
class Reference:
    """Results of Keras for a trial's first epochs."""

    weights: list[Floats]
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


def fit(settings: TrialSettings, epochs: int) -> Reference:
    """Train as the notebook does: one `fit` an epoch, the states reset after each."""
    model, reference = build_model(settings), Reference([])
    for epoch in range(1, epochs + 1):
        inputs, targets = one_hot(settings, training_sequence(settings, epoch))
        history = model.fit(
            inputs, targets, batch_size=settings.batch_size, epochs=1, shuffle=False, verbose=0
        ).history
        reset_states(model)
        reference.loss += history["loss"]
        reference.accuracy += history["accuracy"]
    reference.weights = model.get_weights()
    return reference


def train_on_batches(settings: TrialSettings, epochs: int, *, carry: bool, reset: bool) -> list[Floats]:
    """Train batch by batch and return the weights: with states lost after each batch unless `carry`, and
    kept from epoch to epoch unless `reset`."""
    model = build_model(settings)
    for epoch in range(1, epochs + 1):
        inputs, targets = one_hot(settings, training_sequence(settings, epoch))
        for start in range(0, settings.windows, settings.batch_size):
            batch = slice(start, start + settings.batch_size)
            model.train_on_batch(inputs[batch], targets[batch])
            if not carry:
                reset_states(model)
        if reset:
            reset_states(model)
    return list(model.get_weights())


def distance(settings: TrialSettings, weights: list[Floats], reference: list[Floats]) -> float:
    """Return the largest difference of a tensor, relative to how far training has moved it."""
    distances = []
    for weight, other, first in zip(weights, reference, initial_weights(settings), strict=True):
        moved = np.linalg.norm(other - first)  # 0 for a recurrent kernel that only ever met the zero state
        distances.append(float(np.linalg.norm(weight - other) / (moved or 1.0)))
    return max(distances)
