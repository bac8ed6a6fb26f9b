"""What `Training` asks of a network in training, be it built in or a user's."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from raysweep.architectures.interface import LayerWeight
from raysweep.trial.result import Floats, Ints


class Epochs(NamedTuple):
    """Losses and accuracies of successive epochs; if a loss is not finite, its epoch is the last."""

    loss: Floats
    """(epochs,): mean over the epoch's batches."""
    accuracy: Floats
    """(epochs,): accuracy per position, mean over the epoch's batches."""


class Evaluated(NamedTuple):
    """Predictions of the network on the evaluation sequences."""

    predicted: Ints
    """(eval_sequences, windows, n_out)"""
    confidence: Floats
    """(eval_sequences, windows, n_out): the softmax value of each predicted symbol."""


class Learner(Protocol):
    """The variables of one network in training, and the compiled functions that change and read them."""

    @property
    def layers(self) -> tuple[LayerWeight, ...]:
        """Weights of the network, in the order of ``keras.Model.get_weights``."""

    @property
    def trace_s(self) -> float:
        """Seconds spent tracing for this trial."""

    @property
    def deterministic(self) -> bool:
        """Return whether the same training gives the same bytes."""

    def train(self, after: int, epochs: int) -> Epochs:
        """Train the epochs `after + 1` to `after + epochs`; stop after a loss that is not finite."""

    def evaluate(self, sequences: Ints) -> Evaluated:
        """Predict every window of sequences of shape (eval_sequences, windows + n_in - 1)."""

    def weights(self) -> list[Floats]:
        """Copy the weights, in the order and layout of ``keras.Model.get_weights``."""

    def arrays(self) -> list[Any]:
        """Copy everything that the next epoch depends on besides the settings."""

    def load(self, arrays: Sequence[Any]) -> None:
        """Go on from a copy.

        Raises:
            ValueError: the arrays are not those of such a network.
        """
