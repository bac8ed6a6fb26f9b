"""A network of one's own: seq2seq written as a user would, beside the built-in one and Keras' `fit`.

    python -m benchmarks own_networks

One thread each, measured in turns in one process; medians. Before that, equal weights give equal losses.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from keras import layers

from benchmarks.table import Figures, print_table
from raysweep.experiment import Training, build_model, configure_threads
from raysweep.experiment.own_learner import OwnLearner
from raysweep.experiment.sequences import training_sequence, windows_of
from raysweep.trial.settings import TrialSettings

SIZES = ((2, 150, 21), (4, 150, 21), (4, 150, 7), (4, 300, 21))
"""LEN, MEM and batch size of each comparison."""

ROUNDS = 25
"""Rounds of which the medians are taken."""

SLICE_S = 0.2
"""How long the compiled loops run at a time; a worker lets them run longer."""

COMPARED = 50
"""Epochs whose losses are compared."""


def seq2seq_as_own(*, n_in, n_out, vocab, mem, batch_size):
    """Return the built-in seq2seq's model."""
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    encoded = layers.LSTM(mem, stateful=True)(window)
    repeated = layers.RepeatVector(n_out)(encoded)
    hidden = layers.LSTM(mem, stateful=True, return_sequences=True)(repeated)
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))


def compare(n_out: int, mem: int, batch_size: int, rounds: int) -> Figures:
    """Measure one size; milliseconds an epoch and ratios."""
    sizes: dict[str, Any] = {"len": n_out, "mem": mem, "batch_size": batch_size, "seed": 0}
    built_in = Training(TrialSettings(arch="seq2seq", **sizes))
    settings = TrialSettings.of_network(seq2seq_as_own, **sizes)
    own = Training(settings, network=seq2seq_as_own)
    assert isinstance(own._learner, OwnLearner)  # noqa: S101
    own._learner.model.set_weights(built_in.weights)
    losses = [training._learner.train(0, COMPARED).loss for training in (built_in, own)]
    calls = {"built_in": _loop(built_in), "own": _loop(own), "fit": _fit(settings)}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(1e3 * call())
    median = {name: statistics.median(times) for name, times in found.items()}
    return {
        **sizes,
        "ms": median,
        "trace_s": {"built_in": built_in._learner.trace_s, "own": own._learner.trace_s},
        "times_the_built_in": median["own"] / median["built_in"],
        "times_faster_than_fit": median["fit"] / median["own"],
        "largest_difference_of_loss": float(abs(losses[0] - losses[1]).max()),
    }


def _loop(training: Training) -> Callable[[], float]:
    learner = training._learner
    several = 5 * max(1, round(SLICE_S / _seconds(lambda: learner.train(COMPARED, 5))))
    return lambda: _seconds(lambda: learner.train(COMPARED, several)) / several


def _fit(settings: TrialSettings) -> Callable[[], float]:
    model = build_model(settings, network=seq2seq_as_own)
    code = np.eye(settings.vocab, dtype=np.float32)
    windows = windows_of(training_sequence(settings, 1), settings.n_in)
    inputs, targets = code[windows], code[windows[:, : settings.n_out]]

    def epoch() -> None:
        model.fit(inputs, targets, settings.batch_size, epochs=1, shuffle=False, verbose=0)
        for layer in model.layers:
            if isinstance(layer, layers.LSTM):
                layer.reset_states()

    return lambda: _seconds(epoch)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure() -> Figures:
    """Compare all sizes and print them as a table."""
    configure_threads(1)
    figures = [compare(*size, rounds=ROUNDS) for size in SIZES]
    print_table(
        "seq2seq as a network of one's own, milliseconds an epoch",
        ["size", "built in", "own", "fit", "own / built in", "fit / own", "trace s", "loss differs by"],
        [
            [
                f"5→{one['len']} MEM {one['mem']}, batch {one['batch_size']} of 21",
                *(f"{one['ms'][name]:.2f}" for name in ("built_in", "own", "fit")),
                f"{one['times_the_built_in']:.2f}",
                f"{one['times_faster_than_fit']:.0f}",
                f"{one['trace_s']['own']:.1f}",
                f"{one['largest_difference_of_loss']:.0e}",
            ]
            for one in figures
        ],
    )
    return {"sizes": figures}
