"""The two networks as the compiled loop computes them: one batch forward and backward.

Only here does the computation differ from the Keras models of `models`; the tests check that the results are
equal. Work that the mathematics does not require is left out: a one-hot input times a kernel is a row of the
kernel, looked up once for each integer of the sequence although many overlapping windows contain the
integer; the encoder's output, repeated for every timestep of the decoder, is projected once; the weights'
gradient over all timesteps is one product; a zero state is not multiplied at all.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from raysweep.experiment.fused_lstm import FusedLSTM
from raysweep.experiment.lstm import Layer, State, Tensor, transposed_product
from raysweep.experiment.unrolled_lstm import UnrolledLSTM
from raysweep.trial.settings import Arch, TrialSettings

FUSED_CELLS: Final = 160
"""Largest batch_size * mem at which the fused layer is faster; see docs/performance.md."""


class Shape(NamedTuple):
    """Settings that determine the traced computation; trials of equal shape share one trace."""

    arch: Arch
    n_in: int
    n_out: int
    mem: int
    vocab: int
    windows: int
    batch_size: int

    @classmethod
    def of(cls, settings: TrialSettings) -> "Shape":
        """Take the shape from a trial's settings."""
        return cls(**{field: getattr(settings, field) for field in cls._fields})

    @property
    def batches(self) -> int:
        """Updates of one epoch."""
        return self.windows // self.batch_size

    @property
    def batch_length(self) -> int:
        """Integers that one batch's windows cover."""
        return self.batch_size + self.n_in - 1

    @property
    def sequence_length(self) -> int:
        """Integers that one sequence's windows cover."""
        return self.windows + self.n_in - 1

    @property
    def layers(self) -> int:
        """LSTM layers."""
        return 1 if self.arch == "echo" else 2


class Pass(NamedTuple):
    """Forward pass of one batch: the values that the loss and the backward pass need."""

    tokens: Tensor
    """(batch + n_in - 1,) int32: the integers that the batch's windows cover."""
    layers: tuple[Layer, ...]
    """The LSTM layers."""
    hidden: Tensor
    """(n_out * batch, mem): the last LSTM layer's outputs, timestep by timestep."""
    logits: Tensor
    """(n_out * batch, vocab): before the softmax."""

    @property
    def states(self) -> list[State]:
        """State of each LSTM layer, carried into the next batch."""
        return [layer.state for layer in self.layers]


def targets(shape: Shape, tokens: Tensor) -> Tensor:
    """Return the target of each row of logits, timestep by timestep: (n_out * batch,) int32."""
    position = np.add.outer(np.arange(shape.n_out), np.arange(shape.batch_size))
    return tf.gather(tokens, position.ravel().astype(np.int32))


def forward(shape: Shape, weights: Sequence[Tensor], tokens: Tensor, states: Sequence[State | None]) -> Pass:
    """Run one batch of overlapping windows through the network.

    Args:
        shape: the trial's shape.
        weights: values in the order of ``keras.Model.get_weights``, gates in the order of `lstm`.
        tokens: (batch + n_in - 1,) int32.
        states: state of each LSTM layer, None for zeros.
    """
    lstm = FusedLSTM if shape.batch_size * shape.mem <= FUSED_CELLS else UnrolledLSTM
    kernel, recurrent_kernel, bias = weights[:3]
    rows = tf.gather(kernel, tokens) + bias
    layer: Layer = lstm(rows, recurrent_kernel, range(shape.n_in), shape.batch_size, states[0])
    layers: tuple[Layer, ...] = (layer,)
    if shape.arch == "seq2seq":
        kernel, recurrent_kernel, bias = weights[3:6]
        rows = tf.matmul(layer.state.hidden, kernel) + bias
        layers = (layer, lstm(rows, recurrent_kernel, [0] * shape.n_out, shape.batch_size, states[1]))
    hidden = layers[-1].hidden
    return Pass(tokens, layers, hidden, tf.matmul(hidden, weights[-2]) + weights[-1])


def backward(shape: Shape, weights: Sequence[Tensor], done: Pass, logit_gradient: Tensor) -> list[Tensor]:
    """Return the gradient of every weight, in the weights' order, from the logits' gradient."""
    dense = [tf.matmul(done.hidden, logit_gradient, transpose_a=True), tf.reduce_sum(logit_gradient, axis=0)]
    hidden_gradient = tf.matmul(logit_gradient, weights[-2], transpose_b=True)
    decoder: list[Tensor] = []
    if shape.arch == "seq2seq":
        encoded = done.layers[0].state.hidden
        rows, recurrent = done.layers[1].backward(hidden_gradient)
        decoder = [tf.matmul(encoded, rows, transpose_a=True), recurrent, tf.reduce_sum(rows, axis=0)]
        hidden_gradient = transposed_product(weights[3], uses=1)(rows)
    rows, recurrent = done.layers[0].backward(hidden_gradient)
    looked_up = tf.scatter_nd(done.tokens[:, tf.newaxis], rows, weights[0].shape)
    return [looked_up, recurrent, tf.reduce_sum(rows, axis=0), *decoder, *dense]
