"""The notebook's loop, as it stands there: a Keras model, and `fit` once for each fresh sequence."""

import numpy as np


def train(arch: str, length: int, mem: int, epochs: int, seed: int) -> float:
    """Train one network as the notebook does; return the last epoch's accuracy."""
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    n_in = length if arch == "echo" else max(5, length)
    windows, batch = (20, 5) if arch == "echo" else (21, 21)
    model = _model(arch, n_in, length, mem, batch)
    accuracy = 0.0
    for _ in range(epochs):
        sequence = rng.integers(0, 99, windows + n_in - 1)
        x = np.stack([sequence[i : i + n_in] for i in range(windows)])
        one_hot = keras.utils.to_categorical(x, 100)
        history = model.fit(
            one_hot, one_hot[:, :length], epochs=1, batch_size=batch, verbose=0, shuffle=False
        )
        for layer in model.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()
        accuracy = history.history["accuracy"][-1]
    return accuracy


def _model(arch: str, n_in: int, n_out: int, mem: int, batch: int):
    import keras
    from keras.layers import LSTM, Dense, RepeatVector

    layers = [keras.Input(batch_shape=(batch, n_in, 100))]
    if arch == "echo":
        layers += [LSTM(mem, stateful=True, return_sequences=True)]
    else:
        layers += [LSTM(mem, stateful=True), RepeatVector(n_out)]
        layers += [LSTM(mem, stateful=True, return_sequences=True)]
    model = keras.Sequential([*layers, Dense(100, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model
