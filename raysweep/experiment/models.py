"""Built-in networks as Keras models, with the shapes and initial values of their weights.

Users see, save and inspect the Keras model. The compiled loop trains the same weights outside of the model;
`build_model(settings).set_weights(training.weights)` copies the trained weights into a model.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from raysweep.architectures import BUILT_IN
from raysweep.architectures.interface import LayerWeight
from raysweep.experiment.backend import import_keras
from raysweep.experiment.keras_session import KerasSession
from raysweep.experiment.network_module import NetworkFunction, as_network
from raysweep.experiment.own_network import build_network
from raysweep.experiment.sequences import Domain, generator, stream
from raysweep.trial.result import Floats
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    import keras

DTYPE: Final = "float32"
"""Type of weights and states, here and in the compiled loop."""


def build_model(settings: TrialSettings, network: NetworkFunction | None = None) -> "keras.Model":
    """Build a trial's network with the initial weights of its seed, compiled for `fit`.

    Input is one-hot, (batch_size, n_in, vocab); output is the softmax, (batch_size, n_out, vocab). The
    LSTMs are stateful: ``keras.Model.layers[i].reset_states()`` ends a sequence. Everything is float32,
    whatever Keras' configuration says.

    Args:
        settings: the trial.
        network: the function of a user's network, which is what Keras makes of it; None for a built-in one.

    Raises:
        UsageError: Keras was imported before with another backend than TensorFlow, or the settings are not
            of the network's function.
        NetworkError: the function fails, or its model cannot be trained.
    """
    keras = import_keras()
    if network is None:
        return _compiled(keras, _built_in(keras, settings), settings)
    own = as_network(network)
    own.require(settings)
    with KerasSession(settings.seed).use():
        return _compiled(keras, build_network(settings, own), settings)


def _compiled(keras: Any, model: "keras.Model", settings: TrialSettings) -> "keras.Model":
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(dtype=DTYPE),
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        metrics=["accuracy"],
    )
    return model


def _built_in(keras: Any, settings: TrialSettings) -> "keras.Model":
    shape = (settings.batch_size, settings.n_in, settings.vocab)
    inputs = keras.Input(batch_shape=shape, dtype=DTYPE, name="window")
    hidden = BUILT_IN[settings.arch].hidden(settings, inputs, _Layers(keras, settings))
    outputs = keras.layers.Dense(settings.vocab, activation="softmax", dtype=DTYPE, name="dense")(hidden)
    model = keras.Model(inputs, outputs, name=settings.arch)
    model.set_weights(initial_weights(settings))
    return model


class _Layers:
    """Makes Keras layers of a trial's sizes; see `architectures.interface.KerasLayers`."""

    def __init__(self, keras: Any, settings: TrialSettings) -> None:
        self._layers, self._settings = keras.layers, settings

    def lstm(self, name: str, *, return_sequences: bool = False) -> Any:
        return self._layers.LSTM(
            self._settings.mem, stateful=True, return_sequences=return_sequences, dtype=DTYPE, name=name
        )

    def repeat(self, name: str) -> Any:
        return self._layers.RepeatVector(self._settings.n_out, dtype=DTYPE, name=name)


def layer_weights(settings: TrialSettings) -> tuple[LayerWeight, ...]:
    """List a built-in network's weights, in the order of ``keras.Model.get_weights``, without building it."""
    return BUILT_IN[settings.arch].weights(settings)


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
