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
from typing import Final

import numpy as np
import tensorflow as tf

from raysweep.architectures.interface import Gradients, Layer, State, Tensor
from raysweep.trial.result import Floats

__all__ = ["Gradients", "Layer", "State", "Tensor", "swap_gates", "transposed_product"]

AMORTISED_USES: Final = 3
"""Number of products from which transposing the kernel once, beforehand, is faster."""


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
