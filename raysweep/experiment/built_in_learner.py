"""A built-in network in training."""

from collections.abc import Sequence
from typing import Any

from raysweep.architectures.interface import LayerWeight
from raysweep.experiment.adam import Variables, read
from raysweep.experiment.compiled_steps import Steps
from raysweep.experiment.learner import Epochs, Evaluated
from raysweep.experiment.lstm import swap_gates
from raysweep.experiment.models import initial_weights, layer_weights
from raysweep.trial.result import Floats, Ints
from raysweep.trial.settings import TrialSettings


class BuiltInLearner:
    """See `learner.Learner`."""

    deterministic = True

    def __init__(self, settings: TrialSettings, steps: Steps) -> None:
        """Draw the initial weights, and trace the steps if no trial of the shape has done so."""
        self._settings, self._steps = settings, steps
        self.layers = layer_weights(settings)
        self._variables = Variables.starting_from(in_loop_order(self.layers, initial_weights(settings)))
        self.trace_s = steps.trace(self._variables, settings)

    def train(self, after: int, epochs: int) -> Epochs:
        """Train some epochs."""
        return self._steps.train(self._variables, self._settings, after, epochs)

    def evaluate(self, sequences: Ints) -> Evaluated:
        """Predict every window of some sequences."""
        return self._steps.evaluate(self._variables, sequences)

    def weights(self) -> list[Floats]:
        """Copy the weights, in Keras' layout."""
        return in_loop_order(self.layers, [read(weight).numpy() for weight in self._variables.weights])

    def arrays(self) -> list[Any]:
        """Copy weights and Adam's two slots."""
        return self._variables.arrays()

    def load(self, arrays: Sequence[Any]) -> None:
        """Go on from a copy of weights and slots."""
        if [array.shape for array in arrays] != 3 * [weight.shape for weight in self.layers]:
            raise ValueError("arrays of unexpected shapes")
        self._variables = Variables.of(arrays)


def in_loop_order(layers: Sequence[LayerWeight], weights: Sequence[Floats]) -> list[Floats]:
    """Swap between the gate orders of Keras and the compiled loop, in both directions."""
    return [
        weight if of.layer == "dense" else swap_gates(weight)
        for of, weight in zip(layers, weights, strict=True)
    ]
