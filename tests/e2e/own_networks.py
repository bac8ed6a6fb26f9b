"""Networks files for real runs, and grids that name them."""

from pathlib import Path

NETWORKS = '''"""Networks of a user's own."""

import keras
import tensorflow as tf
from keras import layers


def Gru_2(*, n_in, n_out, vocab, mem, batch_size, depth=1, rate=0.25, label="a b", norm=False):
    window = hidden = keras.Input(batch_shape=(batch_size, n_in, vocab))
    for _ in range(depth):
        hidden = layers.GRU(mem, stateful=True, return_sequences=True)(hidden)
        hidden = layers.Dropout(rate)(hidden)
    if norm:
        hidden = layers.BatchNormalization()(hidden)
    hidden = layers.RepeatVector(n_out)(hidden[:, -1])
    hidden = layers.GRU(mem, stateful=True, return_sequences=True)(hidden)
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


class Noise(layers.Layer):
    def call(self, inputs, training=False):
        return inputs + tf.random.normal(tf.shape(inputs)) if training else inputs


def noisy(*, n_in, n_out, vocab, mem, batch_size):
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = Noise()(layers.GRU(mem)(window))
    hidden = layers.GRU(mem, return_sequences=True)(layers.RepeatVector(n_out)(hidden))
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))
'''

MARK = """import os, sys
with open({marker!r}, "a") as file:
    file.write(f"{{os.getpid()}} {{' '.join(sys.orig_argv)}}\\n")
"""
"""Code that leaves a line about the process that executes it."""

RESUMED = """
name: resumed
networks: nets.py
grid:
  - {arch: Gru_2, len: [2, 3], mem: 4, depth: [1, 2], norm: true}
  - {arch: [echo, Gru_2], len: 2, mem: 4}
defaults: {epochs: 40, eval_sequences: 2, curve_every: 5, eval_every: 10}
Gru_2: {windows: 6, batch_size: 3}
"""
"""Six trials: dropout, batch normalisation, one layer and two, several batches."""

SHUFFLED = """
name: resumed
Gru_2: {batch_size: 3, windows: 6}
defaults: {eval_every: 10, curve_every: 5, eval_sequences: 2, epochs: 40}
grid:
  - {mem: [4], len: 2, arch: [Gru_2, echo]}
  - {norm: true, depth: [2, 1], mem: 4, len: [3, 2], arch: Gru_2}
networks: [nets.py]
"""
"""The trials of `RESUMED` in another order."""


def write_networks(
    folder: Path, text: str = NETWORKS, name: str = "nets.py", marker: Path | None = None
) -> Path:
    """Write a networks file, which adds a line to the file `marker` when it is executed."""
    path = folder / name
    path.write_text(text + (MARK.format(marker=str(marker)) if marker else ""), encoding="utf-8")
    return path
