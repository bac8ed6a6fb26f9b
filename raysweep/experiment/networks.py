"""The two networks as the compiled loop computes them: one batch forward, and one batch back.

This is the one place where the computation differs from the Keras models of `models`; the tests hold the
two equal. It leaves out what the mathematics does not ask for: a one-hot input times a kernel is a row of
it, looked up once for each integer of the sequence although many overlapping windows hold it; the encoder's
output, repeated for every timestep of the decoder, is projected once; the weights' gradients of all
timesteps are one product; a zero state is multiplied with nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from raysweep.experiment import lstm
from raysweep.experiment.lstm import State, Tensor, Timestep
from raysweep.settings import Arch, TrialSettings


class Shape(NamedTuple):
    """What fixes the traced computation; trials that agree in it share one trace."""

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
    """One batch, forward: what the loss and the backward pass need."""

    tokens: Tensor
    """(batch + n_in - 1,) int32: the integers that the batch's windows cover."""
    layers: tuple[list[Timestep], ...]
    """The LSTM layers' timesteps."""
    hidden: Tensor
    """(n_out * batch, mem): the last layer's outputs, timestep by timestep."""
    logits: Tensor
    """(n_out * batch, vocab): before the softmax."""

    @property
    def states(self) -> list[State]:
        """What each LSTM layer carries into the next batch."""
        return [steps[-1].after for steps in self.layers]


def positions(shape: Shape, timesteps: int) -> np.ndarray:
    """Index of each window's integers within the batch's, (timesteps * batch,), timestep by timestep."""
    return (np.arange(timesteps)[:, None] + np.arange(shape.batch_size)).ravel().astype(np.int32)


def forward(shape: Shape, weights: Sequence[Tensor], tokens: Tensor, states: Sequence[State | None]) -> Pass:
    """Run one batch of overlapping windows through the network.

    Args:
        shape: of the trial.
        weights: in the order of ``keras.Model.get_weights``, gates in the order of `lstm`.
        tokens: (batch + n_in - 1,) int32.
        states: of each LSTM layer, None for zeros.
    """
    kernel, recurrent_kernel, bias = weights[:3]
    rows = tf.gather(kernel, tokens) + bias
    projected = [rows[t : t + shape.batch_size] for t in range(shape.n_in)]
    layers = [lstm.forward(projected, recurrent_kernel, states[0])]
    if shape.arch == "seq2seq":
        kernel, recurrent_kernel, bias = weights[3:6]
        repeated = tf.matmul(layers[0][-1].after.hidden, kernel) + bias
        layers.append(lstm.forward([repeated] * shape.n_out, recurrent_kernel, states[1]))
    hidden = tf.concat([step.after.hidden for step in layers[-1]], axis=0)
    return Pass(tokens, tuple(layers), hidden, tf.matmul(hidden, weights[-2]) + weights[-1])


def backward(shape: Shape, weights: Sequence[Tensor], done: Pass, logit_gradient: Tensor) -> list[Tensor]:
    """Return the gradient of every weight, in the weights' order, from that of the logits."""
    dense = [tf.matmul(done.hidden, logit_gradient, transpose_a=True), tf.reduce_sum(logit_gradient, axis=0)]
    reaching = tf.split(tf.matmul(logit_gradient, weights[-2], transpose_b=True), shape.n_out)
    if shape.arch == "echo":
        return _token_layer(shape, weights, done, reaching) + dense
    steps, encoded = done.layers[1], done.layers[0][-1].after.hidden
    gates = lstm.backward(steps, weights[4], reaching)
    summed = tf.add_n(gates)
    decoder = [
        tf.matmul(encoded, summed, transpose_a=True),
        lstm.recurrent_gradient(steps, gates),
        tf.reduce_sum(summed, axis=0),
    ]
    encoded_gradient = tf.matmul(summed, tf.transpose(weights[3]))
    unseen = [None] * (shape.n_in - 1)
    return _token_layer(shape, weights, done, [*unseen, encoded_gradient]) + decoder + dense


def _token_layer(
    shape: Shape, weights: Sequence[Tensor], done: Pass, reaching: Sequence[Tensor | None]
) -> list[Tensor]:
    """Return the gradients of the layer that reads the integers: each adds to its own kernel row."""
    gates = lstm.backward(done.layers[0], weights[1], reaching)
    every = tf.concat(gates, axis=0)
    read = tf.gather(done.tokens, positions(shape, shape.n_in))
    return [
        tf.math.unsorted_segment_sum(every, read, shape.vocab),
        lstm.recurrent_gradient(done.layers[0], gates),
        tf.reduce_sum(every, axis=0),
    ]
