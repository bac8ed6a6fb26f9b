"""Echo: one LSTM that repeats its whole input, timestep by timestep."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from raysweep.architectures.interface import (
    BuiltIn,
    KerasLayers,
    Layer,
    LayerWeight,
    Sizes,
    Step,
    Tensor,
    lstm_multiplications,
    lstm_weights,
    softmax_weights,
)


class Echo(BuiltIn):
    """LSTM(mem) that returns sequences, then a dense softmax."""

    defaults = MappingProxyType({"epochs": 500, "windows": 20, "batch_size": 5, "eval_every": 100})
    num_layers: ClassVar[int] = 1

    def usual_n_in(self, n_out: int) -> int:
        """Return `n_out`: an output timestep for each input timestep."""
        return n_out

    def n_in_conflict(self, n_in: int, n_out: int) -> str | None:
        """Refuse an input that is longer than the output."""
        if n_in == n_out:
            return None
        return f"{n_in} is not len = {n_out}, but echo repeats its whole input; leave n_in out"

    def timesteps(self, sizes: Sizes) -> int:
        """Count the timesteps of the LSTM."""
        return sizes.n_out

    def multiplications(self, sizes: Sizes) -> int:
        """Count the multiplications of one batch's forward pass."""
        return lstm_multiplications(sizes, sizes.n_out)

    def weights(self, sizes: Sizes) -> tuple[LayerWeight, ...]:
        """List the weights of the LSTM and of the softmax layer."""
        return (*lstm_weights("lstm", sizes.vocab, sizes.mem), *softmax_weights(sizes))

    def hidden(self, sizes: Sizes, window: Tensor, layers: KerasLayers) -> Tensor:
        """Connect the Keras layers."""
        return layers.lstm("lstm", return_sequences=True)(window)

    def forward(self, step: Step, weights: Sequence[Tensor], states: Sequence[Any]) -> tuple[Layer, ...]:
        """Run the LSTM over one batch."""
        return (step.read_window(weights, states[0]),)

    def backward(
        self,
        step: Step,
        weights: Sequence[Tensor],
        layers: Sequence[Layer],
        hidden_gradient: Tensor,
    ) -> list[Tensor]:
        """Return the gradients of the LSTM's weights."""
        return step.window_gradients(layers[0], hidden_gradient)
