"""Adam as ``keras.optimizers.Adam`` computes it, with TensorFlow's fused update of a whole variable.

Keras 3 makes a dozen passes over each weight; the fused operation makes one. Both use the same formula, but
the fused operation derives 1 - beta from a rounded beta, and Keras rounds the difference: for the second
moment, the results differ by a relative 1.3e-5. `adam_rates` corrects the step size accordingly. (Epsilon
would need half that correction, which is negligible: 1e-7, next to the root of the second moment.)
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager.context import anonymous_name

from raysweep.trial.result import Floats

BETA_1: Final = np.float32(0.9)
BETA_2: Final = np.float32(0.999)
EPSILON: Final = 1e-7
"""The constants of ``keras.optimizers.Adam``."""

_CORRECTION: Final = float(
    np.sqrt((1 - np.float64(BETA_2)) / np.float64(np.float32(1 - 0.999)))
    / ((1 - np.float64(BETA_1)) / np.float64(np.float32(1 - 0.9)))
)
"""Factor from the fused operation's step to Keras', exact to the last bits of a float32."""


class Variables(NamedTuple):
    """Weights and Adam's two slots of one trial, each in the order of ``keras.Model.get_weights``.

    The fields hold handles of TensorFlow's variables, because making a ``tf.Variable`` takes four times as
    long: a third of the work of a small trial.
    """

    weights: tuple[Any, ...]
    momentums: tuple[Any, ...]
    velocities: tuple[Any, ...]

    @classmethod
    def starting_from(cls, weights: Sequence[Floats]) -> "Variables":
        """Make the variables for the start of training."""
        zeros = [np.zeros_like(weight) for weight in weights]
        return cls.of([*weights, *zeros, *zeros])

    @classmethod
    def of(cls, arrays: Sequence[Floats]) -> "Variables":
        """Make the variables from arrays in the order of the method `arrays`."""
        variables = tuple(_variable(array) for array in arrays)
        count = len(variables) // 3
        return cls(variables[:count], variables[count : 2 * count], variables[2 * count :])

    def arrays(self) -> list[Floats]:
        """Copy the values: weights, momentums, velocities."""
        return [read(variable).numpy() for group in self for variable in group]


def _variable(array: Floats) -> Any:
    """Make an unshared variable that lives as long as its handle."""
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=array.shape, shared_name=anonymous_name())
    tf.raw_ops.AssignVariableOp(resource=handle, value=array)
    return handle


def read(variable: Any) -> Any:
    """Return a variable's value; in a graph, the shape is not known yet."""
    return tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)


def adam_rates(learning_rate: Any, updates: Any, count: int) -> Any:
    """Return the step sizes of the `count` updates that follow the first `updates`, (count,) float32.

    Kingma & Ba (2015), the more efficient order of section 2: both bias corrections in the step size.
    """
    number = tf.cast(updates + tf.range(1, count + 1, dtype=tf.int64), tf.float32)
    corrected = tf.sqrt(1.0 - tf.pow(BETA_2, number)) / (1.0 - tf.pow(BETA_1, number))
    return learning_rate * corrected * _CORRECTION


def apply_adam(variables: Variables, gradients: Sequence[Any], rate: Any) -> None:
    """Update every weight in place that has a gradient; `rate` is one step size of `adam_rates`."""
    for weight, momentum, velocity, gradient in zip(*variables, gradients, strict=True):
        if gradient is None:
            continue
        if isinstance(gradient, tf.IndexedSlices):
            _apply_to_rows(weight, momentum, velocity, gradient, rate)
            continue
        tf.raw_ops.ResourceApplyAdam(
            var=weight,
            m=momentum,
            v=velocity,
            beta1_power=0.0,  # the bias corrections are in the rate
            beta2_power=0.0,
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            grad=gradient,
        )


def _apply_to_rows(weight: Any, momentum: Any, velocity: Any, gradient: tf.IndexedSlices, rate: Any) -> None:
    """Update a weight of which single rows were read, such as an embedding's.

    Keras squares the gradient of every use of a row before it adds those of one row, unlike Kingma & Ba.
    """
    squares = tf.IndexedSlices(gradient.values**2, gradient.indices, gradient.dense_shape)
    m, v = read(momentum), read(velocity)
    m = m + (tf.convert_to_tensor(gradient) - m) * (1 - BETA_1)
    v = v + (tf.convert_to_tensor(squares) - v) * (1 - BETA_2)
    step = rate / _CORRECTION * m / (tf.sqrt(v) + EPSILON)
    for variable, value in ((momentum, m), (velocity, v), (weight, read(weight) - step)):
        tf.raw_ops.AssignVariableOp(resource=variable, value=value)
