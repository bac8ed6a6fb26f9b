"""What the two ways to compute one LSTM layer, over the timesteps of one batch, have in common.

The arithmetic is that of ``keras.layers.LSTM``; its order is another, and the tests hold the two equal:

- The input arrives projected, as rows of which each timestep reads `batch` in succession, from its offset
  on: overlapping windows share the rows of their integers, a repeated vector has one row for each window.
- The gates are stored i, c, f, o where Keras stores i, f, c, o, because TensorFlow's fused operations want
  them so; `swap_gates` converts in both directions, and nothing else needs to know.
- The gradients are written out: TensorFlow need not derive them when it traces, nothing is computed that
  nobody asks for, and the weights' gradient of all timesteps is one product.

`unrolled_lstm` is for layers whose time goes to the products, `fused_lstm` for those so small that it goes
to what lies between them.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import tensorflow as tf

from raysweep.trial.result import Floats

Tensor: TypeAlias = Any

AMORTISED_USES: Final = 3
"""Products that pay for transposing a kernel once and for all."""


class State(NamedTuple):
    """What a stateful LSTM carries from batch to batch; each (batch, units)."""

    hidden: Tensor
    cell: Tensor


class Gradients(NamedTuple):
    """Of the loss, by what a layer was given; nothing flows back into the batch before."""

    rows: Tensor
    """(rows, 4 units): by the projected input."""
    recurrent_kernel: Tensor
    """(units, 4 units)"""


class Layer(Protocol):
    """A layer that has run forward, and keeps what its backward pass needs."""

    @property
    def hidden(self) -> Tensor:
        """(timesteps * batch, units): the outputs, timestep by timestep."""

    @property
    def state(self) -> State:
        """What the last timestep leaves to the next batch."""

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Carry the gradient back through the timesteps.

        Args:
            hidden_gradient: (timesteps * batch, units): what reaches the outputs from the layers above; or
                (batch, units), where they read none but the last.
        """


def swap_gates(weight: Floats) -> Floats:
    """Exchange Keras' gate order (i, f, c, o) and the compiled loop's (i, c, f, o) along the last axis.

    >>> swap_gates(np.asarray([1, 2, 3, 4], np.float32)).tolist()
    [1.0, 3.0, 2.0, 4.0]
    """
    i, second, third, o = np.split(weight, 4, axis=-1)
    return np.concatenate([i, third, second, o], axis=-1)


def transposed_product(kernel: Tensor, uses: int) -> Callable[[Tensor], Tensor]:
    """Return the function ``gates -> gates @ kernel.T``, in the form that is quickest for so many uses.

    As it stands there, each product would transpose the whole kernel on its way into the processor's caches;
    the transpose of ``kernel @ gates.T`` does that to the few gates instead.
    """
    if uses < AMORTISED_USES:
        return lambda gates: tf.transpose(tf.matmul(kernel, gates, transpose_b=True))
    transposed = tf.transpose(kernel)
    return lambda gates: tf.matmul(gates, transposed)
