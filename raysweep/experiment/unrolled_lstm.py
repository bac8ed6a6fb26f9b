"""One LSTM layer, timestep by timestep; for layers that spend their time in the products."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from raysweep.experiment.lstm import Gradients, State, Tensor, transposed_product


class Timestep(NamedTuple):
    """Values of one timestep that the backward pass needs; each (batch, units)."""

    before: State | None
    """None for the zero state."""
    i: Tensor
    c: Tensor
    f: Tensor
    o: Tensor
    squashed: Tensor
    """tanh of the cell."""
    after: State


class UnrolledLSTM:
    """See `lstm.Layer`."""

    def __init__(
        self, rows: Tensor, recurrent_kernel: Tensor, offsets: Sequence[int], batch: int, state: State | None
    ) -> None:
        """Run the layer forward.

        Args:
            rows: (rows, 4 units): the input times the kernel, plus the bias.
            recurrent_kernel: (units, 4 units).
            offsets: for each timestep, the first of its `batch` rows.
            batch: number of windows.
            state: the state after the previous batch; None for zeros, which saves a product.
        """
        self._kernel, self._offsets, self._batch = recurrent_kernel, offsets, batch
        self._steps: list[Timestep] = []
        for offset in offsets:
            read = rows if rows.shape[0] == batch else rows[offset : offset + batch]
            self._steps.append(_forward(read, recurrent_kernel, state))
            state = self._steps[-1].after

    @property
    def hidden(self) -> Tensor:
        """Outputs, timestep by timestep: (timesteps * batch, units)."""
        return tf.concat([step.after.hidden for step in self._steps], axis=0)

    @property
    def state(self) -> State:
        """State after the last timestep."""
        return self._steps[-1].after

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Propagate the gradient back through the timesteps."""
        fill = _Fill.of(self._kernel, self._batch)
        times_kernel = transposed_product(self._kernel, len(self._steps) - 1)
        gate_gradients: list[Tensor] = []
        cell, through_time = fill.state, None
        for step, above in zip(reversed(self._steps), reversed(self._parts(hidden_gradient)), strict=True):
            hidden = (
                through_time if above is None else above if through_time is None else above + through_time
            )
            cell, gates = _backward(step, fill, cell, hidden)
            gate_gradients.insert(0, gates)
            if len(gate_gradients) < len(self._steps):
                through_time = times_kernel(gates)
        every = tf.concat(gate_gradients, axis=0)
        return Gradients(self._row_gradient(every), self._kernel_gradient(every))

    def _parts(self, hidden_gradient: Tensor) -> list[Tensor | None]:
        """Split the outputs' gradient into timesteps; None for timesteps whose outputs are not read."""
        read = hidden_gradient.shape[0] // self._batch
        return [*[None] * (len(self._steps) - read), *tf.split(hidden_gradient, read)]

    def _row_gradient(self, gate_gradients: Tensor) -> Tensor:
        """Sum, for each row, the gradients of the timesteps and windows that read the row."""
        row = np.add.outer(self._offsets, np.arange(self._batch)).ravel().astype(np.int32)
        order = np.argsort(row, kind="stable").astype(np.int32)
        added = tf.raw_ops.SparseSegmentSum(data=gate_gradients, indices=order, segment_ids=row[order])
        added.set_shape([row.max() + 1, None])
        return added

    def _kernel_gradient(self, gate_gradients: Tensor) -> Tensor:
        before = [step.before.hidden for step in self._steps if step.before is not None]
        if not before:
            return tf.zeros(self._kernel.shape)
        first = (len(self._steps) - len(before)) * self._batch
        return tf.matmul(tf.concat(before, axis=0), gate_gradients[first:], transpose_a=True)


def _forward(gates: Tensor, recurrent_kernel: Tensor, state: State | None) -> Timestep:
    """Run one timestep; `gates` is its input times the kernel plus the bias, (batch, 4 * units)."""
    if state is not None:
        gates = gates + tf.matmul(state.hidden, recurrent_kernel)
    i, c, f, o = tf.split(gates, 4, axis=1)
    i, c, f, o = tf.sigmoid(i), tf.tanh(c), tf.sigmoid(f), tf.sigmoid(o)
    cell = i * c if state is None else i * c + f * state.cell
    squashed = tf.tanh(cell)
    return Timestep(state, i, c, f, o, squashed, State(o * squashed, cell))


class _Fill(NamedTuple):
    """Placeholder arguments of the fused operation in `_backward`, made once for all timesteps."""

    kernel: Tensor
    nothing: Tensor
    state: Tensor
    peephole: Tensor
    bias: Tensor

    @classmethod
    def of(cls, kernel: Tensor, batch: int) -> "_Fill":
        units = kernel.shape[0]
        shapes = ([batch, 0], [batch, units], [units], [4 * units])
        return cls(kernel, *(tf.zeros(shape) for shape in shapes))


def _backward(
    step: Timestep, fill: _Fill, cell_gradient: Tensor, hidden_gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the cell before one timestep and of its gates before their activation.

    TensorFlow's fused operation computes no product, although the weights are among its arguments.
    """
    gradients = tf.raw_ops.LSTMBlockCellGrad(
        x=fill.nothing,
        cs_prev=fill.state if step.before is None else step.before.cell,
        h_prev=fill.state,
        w=fill.kernel,
        wci=fill.peephole,
        wcf=fill.peephole,
        wco=fill.peephole,
        b=fill.bias,
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
