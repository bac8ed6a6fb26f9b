"""The two networks as Keras models, with the shapes and initial values of their weights.

Users see, save and inspect the Keras model. The compiled loop trains the same weights outside of the model;
`build_model(settings).set_weights(training.weights)` copies the trained weights into a model.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from raysweep.experiment.backend import import_keras
from raysweep.experiment.sequences import Domain, generator, stream
from raysweep.trial.result import Floats, LayerWeight
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    import keras

DTYPE: Final = "float32"
"""Type of weights and states, here and in the compiled loop."""


def build_model(settings: TrialSettings) -> "keras.Model":
    """Build a trial's network with the initial weights of its seed, compiled for `fit`.

    Input is one-hot, (batch_size, n_in, vocab); output is the softmax, (batch_size, n_out, vocab). The
    LSTMs are stateful: ``keras.Model.layers[i].reset_states()`` ends a sequence. Everything is float32,
    whatever Keras' configuration says.

    Raises:
        UsageError: Keras was imported before with another backend than TensorFlow.
    """
    keras = import_keras()
    shape = (settings.batch_size, settings.n_in, settings.vocab)
    inputs = keras.Input(batch_shape=shape, dtype=DTYPE, name="window")
    lstm = partial(keras.layers.LSTM, settings.mem, stateful=True, dtype=DTYPE)
    if settings.arch == "echo":
        hidden = lstm(return_sequences=True, name="lstm")(inputs)
    else:
        encoded = lstm(name="lstm")(inputs)
        repeated = keras.layers.RepeatVector(settings.n_out, dtype=DTYPE, name="repeat_vector")(encoded)
        hidden = lstm(return_sequences=True, name="lstm_1")(repeated)
    outputs = keras.layers.Dense(settings.vocab, activation="softmax", dtype=DTYPE, name="dense")(hidden)
    model = keras.Model(inputs, outputs, name=settings.arch)
    model.set_weights(initial_weights(settings))
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(dtype=DTYPE),
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        metrics=["accuracy"],
    )
    return model


def layer_weights(settings: TrialSettings) -> tuple[LayerWeight, ...]:
    """List the network's weights, in the order of ``keras.Model.get_weights``, without building it."""
    inputs = {"lstm": settings.vocab}
    if settings.arch == "seq2seq":
        inputs["lstm_1"] = settings.mem
    gates = 4 * settings.mem
    recurrent = [
        LayerWeight(layer, weight, shape)
        for layer, width in inputs.items()
        for weight, shape in (
            ("kernel", (width, gates)),
            ("recurrent_kernel", (settings.mem, gates)),
            ("bias", (gates,)),
        )
    ]
    dense = [
        LayerWeight("dense", "kernel", (settings.mem, settings.vocab)),
        LayerWeight("dense", "bias", (settings.vocab,)),
    ]
    return (*recurrent, *dense)


def initial_weights(settings: TrialSettings) -> list[Floats]:
    """Draw the weights a trial starts with, in the order of ``keras.Model.get_weights``.

    The distributions are those of Keras' default initialisers: Glorot uniform for kernels, orthogonal for
    recurrent kernels, zero for biases, except one in the LSTM's forget gate. The weights are drawn here
    because the random generator of Keras' own initialisers depends on the device.
    """
    first = stream(Domain.INITIAL_WEIGHTS, settings.seed)
    return [
        _initial(weight, generator(first, number)) for number, weight in enumerate(layer_weights(settings))
    ]


def _initial(weight: LayerWeight, drawing: dict[str, Any]) -> Floats:
    if weight.weight == "kernel":
        return _glorot_uniform(weight.shape, drawing)
    if weight.weight == "recurrent_kernel":
        return _orthogonal(weight.shape, drawing)
    bias = np.zeros(weight.shape, np.float32)
    if weight.layer != "dense":
        units = weight.shape[0] // 4
        bias[units : 2 * units] = 1.0  # Keras' gates are i, f, c, o: this is `unit_forget_bias`
    return bias


def _glorot_uniform(shape: tuple[int, ...], drawing: dict[str, Any]) -> Floats:
    """Draw uniformly within ± sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio, 2010)."""
    limit = (6.0 / sum(shape)) ** 0.5
    uniform = _array(tf.raw_ops.StatelessRandomUniformV2(shape=shape, **drawing))
    return (np.float32(2) * uniform - np.float32(1)) * np.float32(limit)


def _orthogonal(shape: tuple[int, ...], drawing: dict[str, Any]) -> Floats:
    """Draw a normal matrix's Q, with R's diagonal made positive so that Q is uniform (Saxe et al., 2014)."""
    rows, columns = max(shape), min(shape)
    normal = tf.raw_ops.StatelessRandomNormalV2(shape=(rows, columns), **drawing)
    # TensorFlow's QR, because NumPy's gives other bits with another number of threads.
    q, r = map(_array, tf.linalg.qr(normal))
    q = q * np.sign(np.diagonal(r))
    return np.ascontiguousarray(q if shape[0] == rows else q.T)


def _array(tensor: Any) -> Floats:
    return np.asarray(tensor, np.float32)
