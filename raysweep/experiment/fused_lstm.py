"""One LSTM layer as one TensorFlow operation for all timesteps; for small layers.

At each timestep the operation multiplies its input by a kernel. Here that kernel is the projected rows,
stacked on the recurrent kernel, and the input is a constant that selects each window's row.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from raysweep.experiment.lstm import Gradients, State, Tensor
from raysweep.trial.result import Floats


class FusedLSTM:
    """See `lstm.Layer`."""

    def __init__(
        self, rows: Tensor, recurrent_kernel: Tensor, offsets: Sequence[int], batch: int, state: State | None
    ) -> None:
        """Run the layer forward; the arguments are those of `UnrolledLSTM`."""
        units = recurrent_kernel.shape[0]
        self._rows, self._timesteps, self._batch = rows.shape[0], len(offsets), batch
        peephole, zeros = tf.zeros([units]), tf.zeros([batch, units])
        before = State(zeros, zeros) if state is None else state
        self._arguments = {
            "seq_len_max": tf.constant(len(offsets), tf.int64),
            "x": tf.constant(_selection(offsets, batch, rows.shape[0])),
            "cs_prev": before.cell,
            "h_prev": before.hidden,
            "w": tf.concat([rows, recurrent_kernel], axis=0),
            "wci": peephole,
            "wcf": peephole,
            "wco": peephole,
            "b": tf.zeros([4 * units]),
            "use_peephole": False,
        }
        self._outputs = tf.raw_ops.BlockLSTM(**self._arguments, forget_bias=0.0, cell_clip=-1.0)

    @property
    def hidden(self) -> Tensor:
        """Outputs, timestep by timestep: (timesteps * batch, units)."""
        return tf.reshape(self._outputs.h, [self._timesteps * self._batch, -1])

    @property
    def state(self) -> State:
        """State after the last timestep."""
        return State(self._outputs.h[-1], self._outputs.cs[-1])

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Propagate the gradient back through the timesteps."""
        unread = self._timesteps * self._batch - hidden_gradient.shape[0]
        if unread:
            hidden_gradient = tf.pad(hidden_gradient, [[unread, 0], [0, 0]])
        gradients = tf.raw_ops.BlockLSTMGrad(
            **self._arguments,
            **self._outputs._asdict(),
            cs_grad=tf.zeros_like(self._outputs.cs),
            h_grad=tf.reshape(hidden_gradient, self._outputs.h.shape),
        )
        return Gradients(gradients.w_grad[: self._rows], gradients.w_grad[self._rows :])


def _selection(offsets: Sequence[int], batch: int, rows: int) -> Floats:
    """Return (timesteps, batch, rows): 1 if a window reads a row at a timestep, else 0.

    >>> _selection([0, 1], batch=2, rows=3).astype(int).tolist()
    [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 1]]]
    """
    return np.stack([np.eye(batch, rows, k=offset, dtype=np.float32) for offset in offsets])
