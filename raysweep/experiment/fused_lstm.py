"""One LSTM layer in one operation of TensorFlow for all timesteps: for layers that are small.

The operation multiplies the input with a kernel of its own at each timestep. It is handed the projected
rows as that kernel, stacked upon the recurrent one, and as input a constant that selects each window's row.
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
        self._given = {
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
        self._left = tf.raw_ops.BlockLSTM(**self._given, forget_bias=0.0, cell_clip=-1.0)

    @property
    def hidden(self) -> Tensor:
        """(timesteps * batch, units)."""
        return tf.reshape(self._left.h, [self._timesteps * self._batch, -1])

    @property
    def state(self) -> State:
        """After the last timestep."""
        return State(self._left.h[-1], self._left.cs[-1])

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Carry the gradient back through the timesteps."""
        unread = self._timesteps * self._batch - hidden_gradient.shape[0]
        if unread:
            hidden_gradient = tf.pad(hidden_gradient, [[unread, 0], [0, 0]])
        gradients = tf.raw_ops.BlockLSTMGrad(
            **self._given,
            **self._left._asdict(),
            cs_grad=tf.zeros_like(self._left.cs),
            h_grad=tf.reshape(hidden_gradient, self._left.h.shape),
        )
        return Gradients(gradients.w_grad[: self._rows], gradients.w_grad[self._rows :])


def _selection(offsets: Sequence[int], batch: int, rows: int) -> Floats:
    """Return (timesteps, batch, rows): one where a window reads a row at a timestep, else zero.

    >>> _selection([0, 1], batch=2, rows=3).astype(int).tolist()
    [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 1]]]
    """
    return np.stack([np.eye(batch, rows, k=offset, dtype=np.float32) for offset in offsets])
