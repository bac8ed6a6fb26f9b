"""The compiled loop against Keras: equal weights and data in, equal weights, losses and accuracies out."""

import numpy as np
import pytest

from raysweep.experiment import Training
from raysweep.experiment.built_in_step import FUSED_CELLS
from raysweep.trial.settings import TrialSettings
from tests.experiment.keras_reference import distance, fit, train_on_batches

EPOCHS = 50


def settings(arch: str, length: int, mem: int, **more: float) -> TrialSettings:
    return TrialSettings.model_validate(
        {"arch": arch, "len": length, "mem": mem, "seed": 3, "epochs": EPOCHS, "curve_every": 1, **more}
    )


CASES = [
    settings("echo", 6, 16),
    settings("echo", 1, 5, batch_size=20),
    settings("echo", 4, 50),
    settings("seq2seq", 2, 150),
    settings("seq2seq", 4, 33, learning_rate=0.01),
    settings("seq2seq", 3, 16, batch_size=7),
    settings("seq2seq", 6, 40, batch_size=7, n_in=6, vocab=30, values=30),
    settings("seq2seq", 1, 6),
]


@pytest.mark.parametrize("trial", CASES, ids=lambda trial: trial.trial_id)
def test_fifty_epochs_equal_fifty_fits(trial: TrialSettings) -> None:
    reference = fit(trial, EPOCHS)
    training = Training(trial)
    training.advance(seconds=60)

    assert distance(trial, training.weights, reference.weights) <= 1e-5
    curve = training.result().curve
    np.testing.assert_allclose(curve.loss, reference.loss, rtol=1e-5)
    np.testing.assert_allclose(curve.accuracy, reference.accuracy, rtol=1e-6)


def test_both_ways_to_compute_a_layer_are_compared() -> None:
    fused = [trial.batch_size * trial.mem <= FUSED_CELLS for trial in CASES]
    for arch in ("echo", "seq2seq"):
        ways = {way for trial, way in zip(CASES, fused, strict=True) if trial.arch == arch}
        assert ways == {True, False}


@pytest.mark.parametrize(
    "trial",
    [
        settings("echo", 6, 16, epochs=4),
        settings("echo", 3, 50, epochs=4),
        settings("seq2seq", 2, 16, epochs=4, batch_size=7),
        settings("seq2seq", 2, 33, epochs=4, batch_size=7),
    ],
    ids=lambda trial: trial.trial_id,
)
def test_states_are_carried_between_batches_and_reset_between_epochs(trial: TrialSettings) -> None:
    training = Training(trial)
    training.advance(seconds=60)

    as_described = train_on_batches(trial, trial.epochs, carry=True, reset=True)
    not_carried = train_on_batches(trial, trial.epochs, carry=False, reset=True)
    not_reset = train_on_batches(trial, trial.epochs, carry=True, reset=False)
    assert distance(trial, training.weights, as_described) <= 1e-5
    assert distance(trial, training.weights, not_carried) > 1e-3
    assert distance(trial, training.weights, not_reset) > 1e-3
