"""One epoch: raysweep, Keras' `fit` per epoch, `train_on_batch`, and the arithmetic floor; one thread each.

    python -m benchmarks epoch

All are measured in turns in one process, a few dozen rounds each, and the medians are printed: on a machine
with other work only the ratios of one run mean something. The floor is defined in docs/performance.md.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from benchmarks.table import Figures, print_table
from raysweep.architectures import architecture_of
from raysweep.experiment import CompiledSteps, build_model, configure_threads
from raysweep.experiment.adam import Variables
from raysweep.experiment.sequences import training_sequence, windows_of
from raysweep.trial.settings import TrialSettings

TRIALS = (
    TrialSettings(arch="echo", len=6, mem=16, seed=0),
    TrialSettings(arch="seq2seq", len=2, mem=150, seed=0),
    TrialSettings(arch="seq2seq", len=4, mem=300, seed=0),
    TrialSettings(arch="seq2seq", len=8, mem=300, seed=0),
)
ROUNDS = 25
"""Rounds of which the medians are taken."""

PRODUCT = 1024
"""Rows and columns of the large product whose rate is the floor's."""

SLICE_S = 0.2
"""How long the compiled loop runs at a time; a worker lets it run longer."""


class Machine:
    """What the machine does at its best, measured again in every round."""

    def __init__(self) -> None:
        """Prepare a large product and an array to copy."""
        self._factor = tf.eye(PRODUCT)
        self._product = tf.function(lambda factor: tf.matmul(factor, factor), autograph=False)
        self._product(self._factor)

    def flops(self) -> float:
        """Return the floating-point operations per second of a large product."""
        return 2 * PRODUCT**3 / seconds(lambda: self._product(self._factor).numpy())

    def bytes(self, size: int) -> float:
        """Return the bytes per second, read and written, of an update in place of so many bytes."""
        array = np.zeros(size // 4, np.float32)
        np.add(array, 1, out=array)
        return 2 * size / seconds(lambda: np.add(array, 1, out=array))


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def least_work(trial: TrialSettings) -> tuple[int, int]:
    """Count an epoch's floating-point operations and bytes that cannot be avoided.

    Three passes over every product; a one-hot input is a look-up, a repeated vector is projected once, and a
    zero state is still multiplied, which the loop leaves out. Weights and Adam's two slots are read and
    written once an update.
    """
    updates, architecture = trial.windows // trial.batch_size, architecture_of(trial.arch)
    memory = updates * architecture.num_weights(trial) * 3 * 4 * 2
    return 3 * 2 * architecture.multiplications(trial) * updates, memory


def contenders(trial: TrialSettings) -> dict[str, Callable[[], float]]:
    """Return functions that train some epochs and say how many seconds one took."""
    steps, model = CompiledSteps().of(trial), build_model(trial)
    variables = Variables.starting_from(model.get_weights())  # which gate is which does not matter here
    steps.trace(variables, trial)
    code = np.eye(trial.vocab, dtype=np.float32)
    windows = windows_of(training_sequence(trial, 1), trial.n_in)
    inputs, targets = code[windows], code[windows[:, : trial.n_out]]
    size = trial.batch_size
    steps.train(variables, trial, after=0, epochs=5)
    several = 5 * max(1, round(SLICE_S / seconds(lambda: steps.train(variables, trial, after=5, epochs=5))))

    def reset() -> None:
        for layer in model.layers:
            if isinstance(layer, keras.layers.LSTM):
                layer.reset_states()

    def compiled() -> float:
        return seconds(lambda: steps.train(variables, trial, after=10, epochs=several)) / several

    def fit() -> float:
        taken = seconds(lambda: model.fit(inputs, targets, size, epochs=1, shuffle=False, verbose=0))
        return taken + seconds(reset)

    def batch_by_batch() -> None:
        for start in range(0, trial.windows, size):
            model.train_on_batch(inputs[start : start + size], targets[start : start + size])
        reset()

    def train_on_batch() -> float:
        return seconds(batch_by_batch)

    return {"raysweep": compiled, "fit": fit, "train_on_batch": train_on_batch}


def one_epoch(trial: TrialSettings, rounds: int) -> Figures:
    """Measure one trial's epoch; milliseconds and ratios, medians over the rounds."""
    machine, flops_bytes = Machine(), least_work(trial)
    calls = contenders(trial)
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in (*calls, "floor")}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(1e3 * call())
        weights_bytes = flops_bytes[1] * trial.batch_size // trial.windows // 2
        arithmetic, memory = flops_bytes[0] / machine.flops(), flops_bytes[1] / machine.bytes(weights_bytes)
        found["floor"].append(1e3 * (arithmetic + memory))
    median = {name: statistics.median(times) for name, times in found.items()}
    return {
        "trial": trial.trial_id,
        "ms": median,
        "times_faster_than_fit": median["fit"] / median["raysweep"],
        "times_faster_than_train_on_batch": median["train_on_batch"] / median["raysweep"],
        "times_the_floor": median["raysweep"] / median["floor"],
    }


def measure() -> Figures:
    """Measure each trial's epoch; print the table, and return its numbers."""
    configure_threads(1)
    found = [one_epoch(trial, ROUNDS) for trial in TRIALS]
    rows = [
        [
            f"{trial.arch} {trial.n_in}→{trial.n_out} MEM {trial.mem}, {trial.batch_size}×{trial.windows}",
            *(f"{ms:.2f}" for ms in result["ms"].values()),
            f"{result['times_faster_than_fit']:.1f}",
            f"{result['times_the_floor']:.2f}",
        ]
        for trial, result in zip(TRIALS, found, strict=True)
    ]
    header = ["", "raysweep", "fit", "train_on_batch", "floor", "fit / raysweep", "raysweep / floor"]
    print_table("one epoch, ms, one thread", header, rows)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return {"threads": threads, "rounds": ROUNDS, "load": os.getloadavg(), "trials": found}


if __name__ == "__main__":
    measure()
