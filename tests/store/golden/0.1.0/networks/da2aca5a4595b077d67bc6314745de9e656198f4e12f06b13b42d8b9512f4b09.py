"""Networks of the golden results."""

import os

import keras
from keras import layers


def gru(*, n_in, n_out, vocab, mem, batch_size, depth=1):
    """Encode with one GRU, decode with `depth` GRUs."""
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = layers.RepeatVector(n_out)(layers.GRU(mem, stateful=True)(window))
    for _ in range(depth):
        hidden = layers.GRU(mem, stateful=True, return_sequences=True)(hidden)
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


def broken(*, n_in, n_out, vocab, mem, batch_size):
    """End the worker."""
    os._exit(1)
