"""Seq2seq: an LSTM encoder, whose last output an LSTM decoder reads at each of its timesteps."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

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

USUAL_N_IN: Final = 5
"""Input timesteps, unless the output is longer or the grid sets `n_in`."""


class Seq2seq(BuiltIn):
    """LSTM(mem), its last output repeated `n_out` times, LSTM(mem) that returns sequences, dense softmax."""

    defaults = MappingProxyType({"epochs": 5000, "windows": 21, "batch_size": 21, "eval_every": 250})
    num_layers: ClassVar[int] = 2

    def usual_n_in(self, n_out: int) -> int:
        """Return 5, or `n_out` if it is more."""
        return max(USUAL_N_IN, n_out)

    def timesteps(self, sizes: Sizes) -> int:
        """Count the timesteps of both LSTMs."""
        return sizes.n_in + sizes.n_out

    def multiplications(self, sizes: Sizes) -> int:
        """Count the multiplications of one batch's forward pass; the repeated vector is projected once."""
        return lstm_multiplications(sizes, sizes.n_in + 1 + sizes.n_out)

    def weights(self, sizes: Sizes) -> tuple[LayerWeight, ...]:
        """List the weights of encoder, decoder and softmax layer."""
        encoder = lstm_weights("lstm", sizes.vocab, sizes.mem)
        return (*encoder, *lstm_weights("lstm_1", sizes.mem, sizes.mem), *softmax_weights(sizes))

    def hidden(self, sizes: Sizes, window: Tensor, layers: KerasLayers) -> Tensor:
        """Connect the Keras layers."""
        repeated = layers.repeat("repeat_vector")(layers.lstm("lstm")(window))
        return layers.lstm("lstm_1", return_sequences=True)(repeated)

    def forward(self, step: Step, weights: Sequence[Tensor], states: Sequence[Any]) -> tuple[Layer, ...]:
        """Run encoder and decoder over one batch."""
        encoder = step.read_window(weights[:3], states[0])
        return encoder, step.read_repeated(encoder.state.hidden, weights[3:], states[1])

    def backward(
        self,
        step: Step,
        weights: Sequence[Tensor],
        layers: Sequence[Layer],
        hidden_gradient: Tensor,
    ) -> list[Tensor]:
        """Return the gradients of both LSTMs' weights."""
        encoder, decoder = layers
        of_decoder, encoded = step.repeated_gradients(
            encoder.state.hidden, weights[3:], decoder, hidden_gradient
        )
        return [*step.window_gradients(encoder, encoded), *of_decoder]
