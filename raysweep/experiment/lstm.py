"""One LSTM layer over a few timesteps, forward and backward, in as few operations as TensorFlow allows.

The arithmetic is that of ``keras.layers.LSTM``; only its order differs:

- The input arrives already projected (input times kernel, plus bias): its product is not this module's.
- The gates are stored i, c, f, o where Keras stores i, f, c, o, because the fused operation that computes
  their gradients wants them so; `swap_gates` converts in both directions, and nothing else needs to know.
- The gradients are written out, so that TensorFlow neither derives them when it traces nor computes those
  nobody asks for.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from raysweep.outcome import Floats

Tensor: TypeAlias = Any


class State(NamedTuple):
    """What a stateful LSTM carries from batch to batch; each (batch, units)."""

    hidden: Tensor
    cell: Tensor


class Timestep(NamedTuple):
    """Everything the backward pass needs of one timestep; each (batch, units)."""

    before: State | None
    """None: the zero state."""
    i: Tensor
    c: Tensor
    f: Tensor
    o: Tensor
    squashed: Tensor
    """tanh of the cell."""
    after: State


def swap_gates(weight: Floats) -> Floats:
    """Exchange Keras' gate order (i, f, c, o) and this module's (i, c, f, o); last axis is 4 units.

    >>> swap_gates(np.asarray([1, 2, 3, 4], np.float32)).tolist()
    [1.0, 3.0, 2.0, 4.0]
    """
    i, second, third, o = np.split(weight, 4, axis=-1)
    return np.concatenate([i, third, second, o], axis=-1)


def forward(projected: Sequence[Tensor], recurrent_kernel: Tensor, state: State | None) -> list[Timestep]:
    """Run the layer over its timesteps.

    Args:
        projected: for each timestep, (batch, 4 units): the input times the kernel, plus the bias.
        recurrent_kernel: (units, 4 units).
        state: what the batch before left, or None for zeros, which saves the first product.
    """
    steps: list[Timestep] = []
    for gates in projected:
        if state is not None:
            gates = gates + tf.matmul(state.hidden, recurrent_kernel)
        i, c, f, o = tf.split(gates, 4, axis=1)
        i, c, f, o = tf.sigmoid(i), tf.tanh(c), tf.sigmoid(f), tf.sigmoid(o)
        cell = i * c if state is None else i * c + f * state.cell
        squashed = tf.tanh(cell)
        after = State(o * squashed, cell)
        steps.append(Timestep(state, i, c, f, o, squashed, after))
        state = after
    return steps


def backward(
    steps: Sequence[Timestep], recurrent_kernel: Tensor, hidden_gradients: Sequence[Tensor | None]
) -> list[Tensor]:
    """Carry the loss's gradient back through the timesteps of one batch.

    Args:
        steps: what `forward` returned.
        recurrent_kernel: (units, 4 units).
        hidden_gradients: for each timestep, what reaches its output from the layers above, (batch, units),
            or None.

    Returns:
        For each timestep, the gradient of its gates before their activation, (batch, 4 units). Nothing
        flows into the state that the batch before left: stateful training cuts there.
    """
    # A product with a transposed kernel runs at half the speed of one that is transposed once for all.
    transposed = tf.transpose(recurrent_kernel)
    zeros = tf.zeros_like(steps[0].i)
    gate_gradients: list[Tensor] = []
    cell_gradient, through_time = zeros, None
    for step, from_above in zip(reversed(steps), reversed(hidden_gradients), strict=True):
        reaching = [gradient for gradient in (from_above, through_time) if gradient is not None]
        hidden_gradient = tf.add_n(reaching) if len(reaching) > 1 else reaching[0]
        cell_gradient, gates = _cell_gradients(step, recurrent_kernel, zeros, cell_gradient, hidden_gradient)
        gate_gradients.append(gates)
        if len(gate_gradients) < len(steps):
            through_time = tf.matmul(gates, transposed)
    return gate_gradients[::-1]


def _cell_gradients(
    step: Timestep, kernel: Tensor, zeros: Tensor, cell_gradient: Tensor, hidden_gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the cell before the timestep and of its gates, from one fused operation.

    The operation contains no product: `kernel` and the peephole weights only have to have their shapes.
    """
    units = zeros.shape[1]
    unused = tf.zeros([units])
    gradients = tf.raw_ops.LSTMBlockCellGrad(
        x=tf.zeros([zeros.shape[0], 0]),
        cs_prev=zeros if step.before is None else step.before.cell,
        h_prev=zeros if step.before is None else step.before.hidden,
        w=kernel,
        wci=unused,
        wcf=unused,
        wco=unused,
        b=tf.zeros([4 * units]),
        i=step.i,
        cs=step.after.cell,
        f=step.f,
        o=step.o,
        ci=step.c,
        co=step.squashed,
        cs_grad=cell_gradient,
        h_grad=hidden_gradient,
        use_peephole=False,
    )
    return gradients.cs_prev_grad, gradients.dicfo


def recurrent_gradient(steps: Sequence[Timestep], gate_gradients: Sequence[Tensor]) -> Tensor:
    """Return the recurrent kernel's gradient, (units, 4 units): all timesteps in one product."""
    pairs = [
        (step.before.hidden, gates)
        for step, gates in zip(steps, gate_gradients, strict=True)
        if step.before is not None
    ]
    if not pairs:
        units = steps[0].i.shape[1]
        return tf.zeros([units, 4 * units])
    hidden, gates = (tf.concat(parts, axis=0) for parts in zip(*pairs, strict=True))
    return tf.matmul(hidden, gates, transpose_a=True)
