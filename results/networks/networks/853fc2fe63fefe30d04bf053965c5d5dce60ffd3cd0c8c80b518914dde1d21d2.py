"""Three networks to set beside seq2seq, and to begin one's own from; see docs/networks.md.

Each function returns a Keras model from one-hot windows, (batch_size, n_in, vocab), to the probabilities of
the symbols at each output position, (batch_size, n_out, vocab).
"""

import keras
from keras import layers, ops


def gru(*, n_in, n_out, vocab, mem, batch_size, depth=1):
    """Encode with GRUs, repeat the last output, decode with GRUs: seq2seq with another cell."""
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = window
    for level in range(depth):
        hidden = layers.GRU(mem, stateful=True, return_sequences=level < depth - 1)(hidden)
    hidden = layers.RepeatVector(n_out)(hidden)
    for _ in range(depth):
        hidden = layers.GRU(mem, stateful=True, return_sequences=True)(hidden)
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


def attention(*, n_in, n_out, vocab, mem, batch_size):
    """Let each output position of an LSTM decoder look at every output of the LSTM encoder (Luong, 2015)."""
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    encoded = layers.LSTM(mem, stateful=True, return_sequences=True)(window)
    repeated = layers.RepeatVector(n_out)(encoded[:, -1])
    decoded = layers.LSTM(mem, stateful=True, return_sequences=True)(repeated)
    context = layers.Attention()([decoded, encoded])
    hidden = layers.Dense(mem, activation="tanh")(layers.Concatenate()([context, decoded]))
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


def transformer(*, n_in, n_out, vocab, mem, batch_size, blocks=2, heads=2, dropout=0.0):
    """Let every position look at every other, without recurrence (Vaswani et al., 2017)."""
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = layers.Dense(mem)(window) + layers.Embedding(n_in, mem)(ops.arange(n_in))
    for _ in range(blocks):
        normal = layers.LayerNormalization()(hidden)
        hidden += layers.MultiHeadAttention(heads, mem // heads, dropout=dropout)(normal, normal)
        normal = layers.LayerNormalization()(hidden)
        hidden += layers.Dense(mem)(layers.Dense(2 * mem, activation="gelu")(normal))
    hidden = layers.LayerNormalization()(hidden[:, :n_out])
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))
