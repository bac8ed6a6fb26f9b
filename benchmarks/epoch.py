"""One epoch: raysweep, Keras' `fit` per epoch, `train_on_batch`, and the arithmetic floor; one thread each.

    python benchmarks/epoch.py [--rounds N] [--json FILE]

All are measured in turns in one process, a few dozen rounds each, and the medians are printed: on a machine
with other work only the ratios of one run mean something. The floor is defined in docs/performance.md.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from raysweep.experiment import CompiledSteps, build_model, configure_threads
from raysweep.experiment.adam import Variables
from raysweep.experiment.models import layer_weights
from raysweep.experiment.sequences import training_sequence, windows_of
from raysweep.settings import TrialSettings

TRIALS = (
    TrialSettings(arch="echo", len=6, mem=16, seed=0),
    TrialSettings(arch="seq2seq", len=2, mem=150, seed=0),
    TrialSettings(arch="seq2seq", len=4, mem=300, seed=0),
    TrialSettings(arch="seq2seq", len=8, mem=300, seed=0),
)
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
    zero state is still multiplied. Weights and Adam's two slots are read and written once an update.
    """
    recurrent = 4 * trial.mem * trial.mem
    products = trial.n_in * recurrent + trial.n_out * trial.mem * trial.vocab
    if trial.arch == "seq2seq":
        products += (1 + trial.n_out) * recurrent
    updates = trial.windows // trial.batch_size
    weights = sum(int(np.prod(weight.shape)) for weight in layer_weights(trial))
    return 3 * 2 * products * trial.windows, updates * weights * 3 * 4 * 2


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


def measure(trial: TrialSettings, rounds: int) -> dict[str, Any]:
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


def main() -> None:
    """Measure, print a table, write the JSON file if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    configure_threads(1)
    print(
        f"{'one epoch, ms':38}{'raysweep':>9}{'fit':>8}{'on_batch':>9}{'floor':>7}{'fit ×':>8}{'floor ×':>9}"
    )
    found = []
    for trial in TRIALS:
        result = measure(trial, options.rounds)
        found.append(result)
        ms = result["ms"]
        name = f"{trial.arch} {trial.n_in}→{trial.n_out} MEM {trial.mem}, {trial.batch_size}×{trial.windows}"
        print(
            f"{name:38}{ms['raysweep']:9.2f}{ms['fit']:8.1f}{ms['train_on_batch']:9.1f}{ms['floor']:7.2f}"
            f"{result['times_faster_than_fit']:8.1f}{result['times_the_floor']:9.2f}",
            flush=True,
        )
    if options.json:
        setting = {
            "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "load": os.getloadavg()},
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
            "threads": {
                "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
                "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
            },
            "rounds": options.rounds,
        }
        options.json.write_text(json.dumps({**setting, "epochs": found}, indent=2) + "\n")


def cpu_model() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor() or sys.platform


if __name__ == "__main__":
    main()
