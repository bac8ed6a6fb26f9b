"""Adam as ``keras.optimizers.Adam`` computes it, with TensorFlow's fused update of a whole variable.

Keras 3 makes a dozen passes over each weight; the fused operation makes one, of the same formula but for
two constants: it derives 1 - beta from a rounded beta where Keras rounds the difference, which for the
second moment is 1.3e-5 off. `adam_rates` puts that into the step size. (Keras' epsilon would have to change
by half as much; it is 1e-7, beside the root of the second moment.)
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
"""What turns the fused operation's step into Keras', to the last bits of a float32."""


class Variables(NamedTuple):
    """Weights and Adam's two slots of one trial, each in the order of ``keras.Model.get_weights``.

    They are the handles of TensorFlow's variables. A ``tf.Variable`` takes four times as long to make: it
    would be a third of the work for a small trial.
    """

    weights: tuple[Any, ...]
    momentums: tuple[Any, ...]
    velocities: tuple[Any, ...]

    @classmethod
    def starting_from(cls, weights: Sequence[Floats]) -> "Variables":
        """Make the variables of a training that begins."""
        zeros = [np.zeros_like(weight) for weight in weights]
        return cls.of([*weights, *zeros, *zeros])

    @classmethod
    def of(cls, arrays: Sequence[Floats]) -> "Variables":
        """Make the variables that `arrays` described."""
        variables = tuple(_variable(array) for array in arrays)
        count = len(variables) // 3
        return cls(variables[:count], variables[count : 2 * count], variables[2 * count :])

    def arrays(self) -> list[Floats]:
        """Copy the values: weights, momentums, velocities."""
        return [read(variable).numpy() for group in self for variable in group]


def _variable(array: Floats) -> Any:
    """Make a variable that nothing else shares and that lives as long as its handle."""
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=array.shape, shared_name=anonymous_name())
    tf.raw_ops.AssignVariableOp(resource=handle, value=array)
    return handle


def read(variable: Any) -> Any:
    """Return a variable's value; in a graph, of a shape that is not known yet."""
    return tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)


def adam_rates(learning_rate: Any, updates: Any, count: int) -> Any:
    """Return the step sizes of the `count` updates that follow the first `updates`, (count,) float32.

    Kingma & Ba (2015), the more efficient order of section 2: both bias corrections in the step size.
    """
    number = tf.cast(updates + tf.range(1, count + 1, dtype=tf.int64), tf.float32)
    corrected = tf.sqrt(1.0 - tf.pow(BETA_2, number)) / (1.0 - tf.pow(BETA_1, number))
    return learning_rate * corrected * _CORRECTION


def apply_adam(variables: Variables, gradients: Sequence[Any], rate: Any) -> None:
    """Move every weight against its gradient, in place; `rate` is one of `adam_rates`."""
    for weight, momentum, velocity, gradient in zip(*variables, gradients, strict=True):
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
