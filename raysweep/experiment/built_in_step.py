"""Built-in networks as the compiled loop computes them: one batch forward and backward.

Only here, and in the architectures' modules, does the computation differ from the Keras models of `models`;
the tests check that the results are equal.

Work that the mathematics does not require is left out: a one-hot input times a kernel is a row of the
kernel, looked up once for each integer of the sequence although many overlapping windows contain the
integer; the encoder's output, repeated for every timestep of the decoder, is projected once; the weights'
gradient over all timesteps is one product; a zero state is not multiplied at all.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from raysweep.architectures import BUILT_IN
from raysweep.architectures.interface import BuiltIn
from raysweep.experiment.fused_lstm import FusedLSTM
from raysweep.experiment.lstm import Layer, State, Tensor, transposed_product
from raysweep.experiment.unrolled_lstm import UnrolledLSTM
from raysweep.trial.settings import TrialSettings

FUSED_CELLS: Final = 160
"""Largest batch_size * mem at which the fused layer is faster; see docs/performance.md."""


class Shape(NamedTuple):
    """Settings that determine the traced computation; trials of equal shape share one trace."""

    arch: str
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
    def architecture(self) -> BuiltIn:
        """The built-in architecture."""
        return BUILT_IN[self.arch]


class Pass(NamedTuple):
    """Forward pass of one batch: the values that the loss and the backward pass need."""

    step: "Step"
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


class Step:
    """Arithmetic of one batch of overlapping windows; see `architectures.interface.Step`."""

    def __init__(self, shape: Shape, tokens: Tensor) -> None:
        """Take the integers that the batch's windows cover: (batch + n_in - 1,) int32."""
        self._shape, self._tokens = shape, tokens
        self._lstm = FusedLSTM if shape.batch_size * shape.mem <= FUSED_CELLS else UnrolledLSTM

    def read_window(self, weights: Sequence[Tensor], state: State | None) -> Layer:
        """Run an LSTM over the windows."""
        kernel, recurrent_kernel, bias = weights
        rows = tf.gather(kernel, self._tokens) + bias
        return self._lstm(rows, recurrent_kernel, range(self._shape.n_in), self._shape.batch_size, state)

    def read_repeated(self, vector: Tensor, weights: Sequence[Tensor], state: State | None) -> Layer:
        """Run an LSTM over `n_out` timesteps that all read one vector."""
        kernel, recurrent_kernel, bias = weights
        rows = tf.matmul(vector, kernel) + bias
        return self._lstm(rows, recurrent_kernel, [0] * self._shape.n_out, self._shape.batch_size, state)

    def window_gradients(self, layer: Layer, hidden_gradient: Tensor) -> list[Tensor]:
        """Return the gradients of the three weights of a layer that read the windows."""
        rows, recurrent = layer.backward(hidden_gradient)
        kernel_shape = [self._shape.vocab, 4 * self._shape.mem]
        looked_up = tf.scatter_nd(self._tokens[:, tf.newaxis], rows, kernel_shape)
        return [looked_up, recurrent, tf.reduce_sum(rows, axis=0)]

    def repeated_gradients(
        self, vector: Tensor, weights: Sequence[Tensor], layer: Layer, hidden_gradient: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Return the gradients of the three weights of a layer that read a vector, and that of the vector."""
        rows, recurrent = layer.backward(hidden_gradient)
        gradients = [tf.matmul(vector, rows, transpose_a=True), recurrent, tf.reduce_sum(rows, axis=0)]
        return gradients, transposed_product(weights[0], uses=1)(rows)


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
    step = Step(shape, tokens)
    layers = shape.architecture.forward(step, weights[:-2], states)
    hidden = layers[-1].hidden
    return Pass(step, layers, hidden, tf.matmul(hidden, weights[-2]) + weights[-1])


def backward(shape: Shape, weights: Sequence[Tensor], done: Pass, logit_gradient: Tensor) -> list[Tensor]:
    """Return the gradient of every weight, in the weights' order, from the logits' gradient."""
    dense = [tf.matmul(done.hidden, logit_gradient, transpose_a=True), tf.reduce_sum(logit_gradient, axis=0)]
    hidden_gradient = tf.matmul(logit_gradient, weights[-2], transpose_b=True)
    return [*shape.architecture.backward(done.step, weights[:-2], done.layers, hidden_gradient), *dense]
