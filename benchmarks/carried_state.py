"""Trains the notebook's two seq2seq experiments with an LSTM whose state is not reset between epochs.

    python -m benchmarks.carried_state

A hypothesis on the notebook's figures, see docs/notebook.md. The loop is raysweep's own, but the chosen
layers begin each epoch with the state that the epoch before has left; the gradient stays within the epoch.
"""

from typing import Any, Final

import numpy as np
import tensorflow as tf

from raysweep.experiment import configure_threads
from raysweep.experiment.adam import Variables
from raysweep.experiment.built_in_learner import in_loop_order
from raysweep.experiment.compiled_steps import Steps
from raysweep.experiment.lstm import State
from raysweep.experiment.models import initial_weights, layer_weights
from raysweep.trial.settings import TrialSettings

SEEDS: Final = range(4)
CARRIED: Final = {"none": (False, False), "decoder": (False, True), "encoder and decoder": (True, True)}
EXPERIMENTS: Final = (
    TrialSettings(arch="seq2seq", len=2, mem=150, seed=0),
    TrialSettings(arch="seq2seq", len=4, mem=300, seed=0),
)
LAST: Final = 25
"""Epochs that a printed loss and accuracy are the means of, as one point of a learning curve."""


class CarriedSteps(Steps):
    """Steps of one batch an epoch whose layers, or some, keep their states."""

    def __init__(self, settings: TrialSettings, carried: tuple[bool, bool]) -> None:
        """Begin with zeros."""
        super().__init__(settings)
        zeros = np.zeros([settings.batch_size, settings.mem], np.float32)
        self._kept = [State(tf.Variable(zeros), tf.Variable(zeros)) if keep else None for keep in carried]

    def _train_sequence(self, variables: Variables, sequence: Any, rates: Any) -> tuple[Any, Any]:
        before = [kept and State(kept.hidden.read_value(), kept.cell.read_value()) for kept in self._kept]
        losses, hits, after = self._update(variables, sequence, rates[0], before)
        for kept, state in zip(self._kept, after, strict=True):
            if kept is not None:
                kept.hidden.assign(state.hidden)
                kept.cell.assign(state.cell)
        return tf.reduce_mean(losses), tf.reduce_mean(hits)


def train(settings: TrialSettings, carried: tuple[bool, bool]) -> tuple[float, float, float]:
    """Return the last loss and accuracy, and the largest rise of the loss from 250 epochs to the next."""
    steps = CarriedSteps(settings, carried)
    variables = Variables.starting_from(in_loop_order(layer_weights(settings), initial_weights(settings)))
    done = steps.train(variables, settings, after=0, epochs=settings.epochs)
    means = done.loss.reshape(-1, 250).mean(axis=1)
    rise = float(np.diff(means).max())
    return float(done.loss[-LAST:].mean()), float(done.accuracy[-LAST:].mean()), rise


def main() -> None:
    """Print one line for each experiment, seed and choice of carried states."""
    configure_threads(1)
    for experiment in EXPERIMENTS:
        for name, carried in CARRIED.items():
            for seed in SEEDS:
                settings = experiment.model_copy(update={"seed": seed})
                loss, accuracy, rise = train(settings, carried)
                print(
                    f"{settings.n_in}→{settings.len} MEM {settings.mem}, carried: {name}, seed {seed}: "
                    f"loss {loss:.2f}, accuracy {accuracy:.2f}, largest rise of the loss {rise:+.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
