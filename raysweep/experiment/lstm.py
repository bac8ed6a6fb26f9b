"""Shared parts of the two implementations of one LSTM layer, over the timesteps of one batch.

The arithmetic is that of ``keras.layers.LSTM`` in another order; the tests check that the results are equal:

- The input arrives projected, as rows. Each timestep reads `batch` consecutive rows, from its offset on:
  overlapping windows share the rows of their integers, and a repeated vector has one row for each window.
- The gates are stored in the order of TensorFlow's fused operations, i, c, f, o; Keras stores i, f, c, o.
  `swap_gates` converts in both directions, and no other code depends on the order.
- The gradients are written out: TensorFlow need not derive them while tracing, no unused gradient is
  computed, and the weights' gradient over all timesteps is one product.

`unrolled_lstm` is for layers that spend their time in the products, `fused_lstm` for small layers that spend
their time between the products.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import tensorflow as tf

from raysweep.trial.result import Floats

Tensor: TypeAlias = Any

AMORTISED_USES: Final = 3
"""Number of products from which transposing the kernel once, beforehand, is faster."""


class State(NamedTuple):
    """State that an LSTM carries from batch to batch; each field is (batch, units)."""

    hidden: Tensor
    cell: Tensor


class Gradients(NamedTuple):
    """Gradients of the loss by a layer's inputs; no gradient flows back into the previous batch."""

    rows: Tensor
    """(rows, 4 units): of the projected input."""
    recurrent_kernel: Tensor
    """(units, 4 units)"""


class Layer(Protocol):
    """A layer that has run forward, and keeps the values that its backward pass needs."""

    @property
    def hidden(self) -> Tensor:
        """Outputs, timestep by timestep: (timesteps * batch, units)."""

    @property
    def state(self) -> State:
        """State after the last timestep, for the next batch."""

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Propagate the gradient back through the timesteps.

        Args:
            hidden_gradient: (timesteps * batch, units): gradient of the outputs; or (batch, units), if the
                layers above read only the last timestep's output.
        """


def swap_gates(weight: Floats) -> Floats:
    """Swap between Keras' gate order (i, f, c, o) and the compiled loop's (i, c, f, o), along the last axis.

    >>> swap_gates(np.asarray([1, 2, 3, 4], np.float32)).tolist()
    [1.0, 3.0, 2.0, 4.0]
    """
    i, second, third, o = np.split(weight, 4, axis=-1)
    return np.concatenate([i, third, second, o], axis=-1)


def transposed_product(kernel: Tensor, uses: int) -> Callable[[Tensor], Tensor]:
    """Return the function ``gates -> gates @ kernel.T``, in the form that is fastest for `uses` calls.

    Written literally, each product would transpose the whole kernel while loading it into the caches;
    the transpose of ``kernel @ gates.T`` transposes only the few gates.
    """
    if uses < AMORTISED_USES:
        return lambda gates: tf.transpose(tf.matmul(kernel, gates, transpose_b=True))
    transposed = tf.transpose(kernel)
    return lambda gates: tf.matmul(gates, transposed)
