"""Networks of users that the tests train: a networks file, as `networks:` in a grid names one.

Each function has a layer of one kind that the compiled loop must treat as Keras does.
"""
# ruff: noqa: TID253  # as every networks file, it imports Keras
# mypy: disable-error-code="misc"

import random
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


def _window(batch_size, n_in, vocab):
    return keras.Input(batch_shape=(batch_size, n_in, vocab))


def _network(window, hidden, vocab):
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


def seq2seq_again(*, n_in, n_out, vocab, mem, batch_size):
    """Is the built-in seq2seq."""
    window = _window(batch_size, n_in, vocab)
    encoded = layers.LSTM(mem, stateful=True)(window)
    repeated = layers.RepeatVector(n_out)(encoded)
    return _network(window, layers.LSTM(mem, stateful=True, return_sequences=True)(repeated), vocab)


def gru(*, n_in, n_out, vocab, mem, batch_size, depth=1, rate=0.0):
    window = hidden = _window(batch_size, n_in, vocab)
    for level in range(depth):
        hidden = layers.GRU(mem, stateful=True, return_sequences=level < depth - 1, dropout=rate)(hidden)
    hidden = layers.RepeatVector(n_out)(hidden)
    return _network(window, layers.GRU(mem, stateful=True, return_sequences=True)(hidden), vocab)


def attention(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    encoded = layers.LSTM(mem, stateful=True, return_sequences=True)(window)
    repeated = layers.RepeatVector(n_out)(encoded[:, -1])
    decoded = layers.LSTM(mem, stateful=True, return_sequences=True)(repeated)
    context = layers.Attention()([decoded, encoded])
    return _network(window, layers.Concatenate()([context, decoded]), vocab)


def restrained(*, n_in, n_out, vocab, mem, batch_size):
    """Has a frozen layer, regularised weights and outputs, and constrained weights."""
    window = _window(batch_size, n_in, vocab)
    frozen = layers.Dense(mem, trainable=False)
    encoded = layers.SimpleRNN(mem, kernel_regularizer="l2", recurrent_constraint="max_norm")(frozen(window))
    decoder = layers.GRU(mem, return_sequences=True, activity_regularizer="l2", bias_constraint="non_neg")
    return _network(window, decoder(layers.RepeatVector(n_out)(encoded)), vocab)


def dense(*, n_in, n_out, vocab, mem, batch_size, width=0):
    """Is the smallest network."""
    window = _window(batch_size, n_in, vocab)
    return _network(window, layers.Dense(width or mem)(window)[:, :n_out], vocab)


def dropout(*, n_in, n_out, vocab, mem, batch_size, rate=0.2):
    window = _window(batch_size, n_in, vocab)
    encoded = layers.LSTM(mem, stateful=True, dropout=rate, recurrent_dropout=rate)(window)
    repeated = layers.Dropout(rate)(layers.RepeatVector(n_out)(encoded))
    return _network(window, layers.GRU(mem, stateful=True, return_sequences=True)(repeated), vocab)


def batch_normalization(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    hidden = layers.BatchNormalization()(layers.Dense(mem, use_bias=False)(window))
    decoded = layers.LSTM(mem, stateful=True, return_sequences=True)(hidden)
    return _network(window, decoded[:, :n_out], vocab)


def bidirectional(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    both = layers.Bidirectional(layers.LSTM(mem, return_sequences=True, stateful=True))(window)
    return _network(window, both[:, :n_out], vocab)


def multi_head(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    hidden = layers.Dense(mem)(window)
    hidden = layers.MultiHeadAttention(2, mem // 2, dropout=0.1)(hidden, hidden)
    return _network(window, hidden[:, :n_out], vocab)


def spectral(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, layers.SpectralNormalization(layers.Dense(mem))(window)[:, :n_out], vocab)


class _Cond(layers.Layer):
    def call(self, hidden):
        return tf.cond(tf.reduce_sum(hidden) > 0, lambda: hidden * 2, lambda: hidden)


def conditional(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Cond()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _Draws(layers.Layer):
    """Draws in training and at inference, from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(1)

    def call(self, hidden):
        return hidden + 0.1 * keras.random.normal(hidden.shape, seed=self.generator)


def draws(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Draws()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _DrawsGlobally(layers.Layer):
    """Draws in training and at inference, from Keras' global generator."""

    def call(self, hidden):
        return hidden + 0.1 * keras.random.normal(hidden.shape)


def draws_globally(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _DrawsGlobally()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _Counts(layers.Layer):
    """Counts its calls in a variable that Keras does not know."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, hidden):
        self.calls.assign_add(1.0)
        return hidden * (1 + 0.1 * tf.sin(self.calls))


def counts(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Counts()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _CountsAtOnce(_Counts):
    """Uses what the assignment returns, which TensorFlow does not count as a reading of the variable."""

    def call(self, hidden):
        return hidden * (1 + 0.1 * tf.sin(self.calls.assign_add(1.0)))


def counts_at_once(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _CountsAtOnce()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _DrawsFromTensorFlow(layers.Layer):
    """Draws from a generator of TensorFlow's that has a seed."""

    def __init__(self):
        super().__init__()
        self.generator = tf.random.Generator.from_seed(1)

    def call(self, hidden):
        return hidden + 0.1 * self.generator.normal(hidden.shape)


def draws_from_tensorflow(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _DrawsFromTensorFlow()(layers.Dense(mem)(window))[:, :n_out], vocab)


def constants(*, n_in, n_out, vocab, mem, batch_size):
    """Draws constants from Python's and NumPy's global generators."""
    window = _window(batch_size, n_in, vocab)
    noise = np.random.rand(mem).astype(np.float32)  # noqa: NPY002
    offset = random.random()
    hidden = layers.Lambda(lambda hidden: hidden * noise + offset)(layers.Dense(mem)(window))
    return _network(window, hidden[:, :n_out], vocab)


class Subclassed(keras.Model):
    def __init__(self, n_out, vocab, mem):
        super().__init__()
        self.encoder = layers.LSTM(mem, stateful=True)
        self.repeat = layers.RepeatVector(n_out)
        self.decoder = layers.LSTM(mem, stateful=True, return_sequences=True)
        self.outputs_of = layers.Dense(vocab, "softmax", kernel_regularizer="l2", bias_constraint="non_neg")

    def call(self, window):
        return self.outputs_of(self.decoder(self.repeat(self.encoder(window))))


def subclassed(*, n_out, vocab, mem):
    return Subclassed(n_out, vocab, mem)


def sequential(*, n_out, vocab, mem):
    return keras.Sequential(
        [
            layers.SimpleRNN(mem),
            layers.RepeatVector(n_out),
            layers.LSTM(mem, return_sequences=True),
            layers.Dense(vocab, activation="softmax"),
        ]
    )


def embedding(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    hidden = layers.Embedding(vocab, mem)(ops.argmax(window, axis=-1))
    return _network(window, layers.LSTM(mem, return_sequences=True)(hidden)[:, :n_out], vocab)


def longer(*, n_in, n_out, vocab, mem, batch_size, times=4):
    """Has a recurrent layer over `times` times the input's timesteps."""
    window = _window(batch_size, n_in, vocab)
    hidden = layers.LSTM(mem, stateful=True, return_sequences=True)(layers.UpSampling1D(times)(window))
    return _network(window, hidden[:, :n_out], vocab)


class _Cell(layers.Layer):
    """Cell of a recurrent layer of one's own; draws, and has two states."""

    def __init__(self, units):
        super().__init__()
        self.state_size = [units, units]
        self.output_size = units
        self.mix = layers.Dense(units, activation="tanh")
        self.drop = layers.Dropout(0.1)

    def build(self, input_shape):
        self.mix.build((input_shape[0], input_shape[-1] + self.output_size))

    def call(self, inputs, states, training=False):
        slow, fast = states
        fast = self.drop(self.mix(ops.concatenate([inputs, slow], axis=-1)), training=training)
        return fast, [0.5 * slow + 0.5 * fast, fast]


def cells(*, n_in, n_out, vocab, mem, batch_size):
    """Stacks cells, one of them its own."""
    window = _window(batch_size, n_in, vocab)
    stacked = layers.StackedRNNCells([layers.LSTMCell(mem, dropout=0.1), layers.GRUCell(mem)])
    hidden = layers.RNN(stacked, return_sequences=True)(window)
    hidden = layers.RNN(_Cell(mem), return_sequences=True, stateful=True)(hidden)
    return _network(window, hidden[:, :n_out], vocab)


class _TracksMean(layers.Layer):
    """Keeps a Keras metric, whose value is an input of the next call."""

    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean()

    def call(self, hidden):
        self.mean.update_state(hidden)
        return hidden - 0.1 * self.mean.result()


def metric(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _TracksMean()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _Scans(layers.Layer):
    """Sums over time with `ops.scan`, and draws within the scan."""

    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.1)

    def call(self, hidden, training=False):
        def step(total, one):
            total = 0.9 * total + one
            return total, total

        over_time = ops.transpose(self.drop(hidden, training=training), (1, 0, 2))
        _, sums = ops.scan(step, ops.zeros_like(over_time[0]), over_time)
        return ops.transpose(sums, (1, 0, 2))


def scan(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Scans()(layers.Dense(mem)(window))[:, :n_out], vocab)


def nested(*, n_in, n_out, vocab, mem):
    """Nests a model that is called twice, of no fixed batch size, and hands on the encoder's state."""
    window = keras.Input((n_in, vocab))
    inner_in = keras.Input((None, vocab))
    inner = keras.Model(inner_in, layers.Dropout(0.1)(layers.Dense(vocab, activation="relu")(inner_in)))
    encoded, state = layers.GRU(mem, return_state=True)(inner(inner(window)))
    decoder = layers.GRU(mem, return_sequences=True)
    return _network(window, decoder(layers.RepeatVector(n_out)(encoded), initial_state=state), vocab)


class _Unkeyed(layers.Layer):
    def call(self, hidden):
        return hidden + 0.1 * tf.random.normal(hidden.shape)


def unkeyed(*, n_in, n_out, vocab, mem, batch_size):
    """Draws from a source that no seed keys."""
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Unkeyed()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _DrawsInPython(layers.Layer):
    def call(self, hidden):
        drawn = tf.py_function(lambda: np.random.rand(), [], tf.float32)  # noqa: NPY002
        return hidden * (1 + 0.1 * tf.ensure_shape(drawn, []))


def draws_in_python(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _DrawsInPython()(layers.Dense(mem)(window))[:, :n_out], vocab)


_SHARED = tf.Variable(1.0, trainable=False)


class _Shares(layers.Layer):
    def call(self, hidden):
        _SHARED.assign_add(0.01)
        return hidden * tf.convert_to_tensor(_SHARED)


def shares(*, n_in, n_out, vocab, mem, batch_size):
    """Has a variable that existed before the trial."""
    window = _window(batch_size, n_in, vocab)
    return _network(window, _Shares()(layers.Dense(mem)(window))[:, :n_out], vocab)


_KEPT: dict[int, layers.Layer] = {}


def shares_a_layer(*, n_in, n_out, vocab, mem, batch_size):
    """Uses the layer of the first trial again, and so its trained weights."""
    window = _window(batch_size, n_in, vocab)
    hidden = _KEPT.setdefault(mem, layers.Dense(mem))(window)
    return _network(window, hidden[:, :n_out], vocab)


_GENERATOR = np.random.default_rng(0)


def draws_where_the_last_trial_stopped(*, n_in, n_out, vocab, mem, batch_size):
    """Draws a constant from a generator of the module: another one in each trial."""
    window = _window(batch_size, n_in, vocab)
    noise = _GENERATOR.random(mem).astype(np.float32)
    hidden = layers.Lambda(lambda hidden: hidden * noise)(layers.Dense(mem)(window))
    return _network(window, hidden[:, :n_out], vocab)


def reverses(*, n_in, n_out, vocab, mem, batch_size):
    """Reads backwards first."""
    window = _window(batch_size, n_in, vocab)
    backwards = layers.GRU(mem, stateful=True, go_backwards=True, return_sequences=True)(window)
    return _network(window, backwards[:, :n_out], vocab)


class _Masks(layers.Layer):
    """Masks half of the symbols."""

    supports_masking = True

    def call(self, window):
        return window

    def compute_mask(self, window, previous_mask=None):
        return ops.argmax(window, axis=-1) < 6


def masks(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    hidden = layers.LSTM(mem, stateful=True, return_sequences=True)(_Masks()(window))
    hidden = layers.GRU(mem, stateful=True)(hidden)
    return _network(
        window, layers.LSTM(mem, return_sequences=True)(layers.RepeatVector(n_out)(hidden)), vocab
    )


def masks_in_both_directions(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    encoded = layers.Bidirectional(layers.GRU(mem, return_sequences=True))(_Masks()(window))
    decoder = layers.LSTM(mem, return_sequences=True)
    return _network(window, decoder(layers.RepeatVector(n_out)(encoded[:, 0])), vocab)


def clears_the_session(*, n_in, n_out, vocab, mem, batch_size):
    """Begins as many notebooks do."""
    keras.backend.clear_session()
    window = _window(batch_size, n_in, vocab)
    hidden = layers.BatchNormalization()(layers.Dropout(0.1)(layers.Dense(mem)(window)))
    return _network(window, hidden[:, :n_out], vocab)


class _KeepsHalfPrecision(layers.Layer):
    """Keeps a scale that halves at each call."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), dtype="bfloat16", trainable=False, initializer="ones")

    def call(self, hidden):
        self.scale.assign(self.scale * 0.5)
        return hidden * (1 + ops.cast(self.scale, "float32"))


def keeps_half_precision(*, n_in, n_out, vocab, mem, batch_size):
    window = _window(batch_size, n_in, vocab)
    return _network(window, _KeepsHalfPrecision()(layers.Dense(mem)(window))[:, :n_out], vocab)


class _Wrong(layers.Layer):
    def __init__(self, what, calls):
        super().__init__()
        self.what, self.limit = what, calls
        self.calls = tf.Variable(0, trainable=False)

    def call(self, hidden, training=False):
        if self.what == "layer raises":
            raise ArithmeticError("mistake in the layer")
        if self.what == "only in training" and training:
            raise LookupError("mistake in training")
        if self.what == "asserts":
            self.calls.assign_add(1)
            with tf.control_dependencies(
                [tf.debugging.assert_less(self.calls, self.limit, "too many calls")]
            ):
                return tf.identity(hidden)
        return hidden


def wrong(*, n_in, n_out, vocab, mem, batch_size, what="", calls=0):
    """Is wrong in one way."""
    window = _window(batch_size, n_in, vocab)
    if what == "raises":
        raise KeyError("mistake in the function")
    if what == "exits":
        sys.exit(3)
    if what == "memory":
        raise MemoryError
    dtype = {"half precision": "float16", "double precision": "float64"}.get(what, "float32")
    hidden = _Wrong(what, calls)(layers.Dense(mem, dtype=dtype)(window))[:, :n_out]
    softmax = layers.Dense(vocab, activation="softmax")(hidden)
    found = {
        "nothing": None,
        "a layer": layers.Dense(1),
        "a tensor": tf.zeros([batch_size, n_out, vocab]),
        "another shape": lambda: _network(window, layers.Dense(mem)(window), vocab),
        "several outputs": lambda: keras.Model(window, [softmax, softmax]),
        "logits": lambda: keras.Model(window, layers.Dense(vocab)(hidden)),
        "no weights": lambda: keras.Model(window, layers.Softmax()(window[:, :n_out])),
    }.get(what, lambda: keras.Model(window, softmax))
    return found() if callable(found) and not isinstance(found, layers.Layer) else found
