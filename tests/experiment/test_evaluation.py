"""The predictions against `keras.Model.predict` with the trained weights."""

import numpy as np
import pytest

from raysweep.experiment import Training, build_model
from raysweep.experiment.sequences import evaluation_sequence
from raysweep.trial.settings import TrialSettings
from tests.experiment.keras_reference import one_hot, reset_states


@pytest.mark.parametrize(
    "trial",
    [
        TrialSettings(arch="echo", len=4, mem=16, seed=0, epochs=80, eval_sequences=4),
        TrialSettings(arch="echo", len=3, mem=50, seed=0, epochs=80, eval_sequences=4),
        TrialSettings(arch="seq2seq", len=2, mem=30, seed=0, epochs=80, eval_sequences=4, batch_size=7),
        TrialSettings(arch="seq2seq", len=3, mem=30, seed=0, epochs=80, eval_sequences=4),
    ],
    ids=lambda trial: trial.trial_id,
)
def test_predictions_are_those_of_the_keras_model(trial: TrialSettings) -> None:
    training = Training(trial)
    training.advance(seconds=60)
    predictions = training.result().predictions
    assert predictions is not None

    model = build_model(trial)
    model.set_weights(training.weights)
    for number in range(trial.eval_sequences):
        inputs, targets = one_hot(trial, evaluation_sequence(trial, number))
        softmax = model.predict(inputs, batch_size=trial.batch_size, verbose=0)
        reset_states(model)
        rows = predictions.sequence_index == number
        np.testing.assert_array_equal(predictions.predicted[rows], softmax.argmax(axis=-1))
        np.testing.assert_allclose(predictions.confidence[rows], softmax.max(axis=-1), rtol=1e-5)
        np.testing.assert_array_equal(predictions.input[rows], inputs.argmax(axis=-1))
        np.testing.assert_array_equal(predictions.expected[rows], targets.argmax(axis=-1))


def test_evaluations_during_the_training_are_those_of_the_keras_model() -> None:
    trial = TrialSettings(
        arch="echo",
        len=3,
        mem=30,
        seed=0,
        epochs=60,
        eval_sequences=3,
        curve_every=10,
        eval_every=20,
        values=9,
    )
    training, model, expected = Training(trial), build_model(trial), []
    while not training.finished:
        training.advance(seconds=0)
        if training.epoch % 20 == 0:
            model.set_weights(training.weights)
            exact, right = [], np.zeros(3, int)
            for number in range(trial.eval_sequences):
                inputs, targets = one_hot(trial, evaluation_sequence(trial, number))
                softmax = model.predict(inputs, batch_size=trial.batch_size, verbose=0)
                reset_states(model)
                hits = softmax.argmax(axis=-1) == targets.argmax(axis=-1)
                exact.append(int(hits.all(axis=1).sum()))
                right += hits.sum(axis=0)
            squares = sum(count**2 for count in exact)
            expected.append((training.epoch, sum(exact), squares, tuple(right.tolist())))
    assert list(training.result().evaluations) == expected
    assert 0 < expected[-1][1] < 60


def test_states_are_carried_within_a_sequence_and_lost_between_sequences() -> None:
    trial = TrialSettings(arch="echo", len=2, mem=16, seed=0, epochs=5, eval_sequences=2)
    training = Training(trial)
    training.advance(seconds=60)
    predictions = training.result().predictions
    assert predictions is not None
    model = build_model(trial)
    model.set_weights(training.weights)
    inputs, _ = one_hot(trial, evaluation_sequence(trial, 1))

    def agrees_after(reset_every_batch: bool, before: int | None) -> bool:
        reset_states(model)
        if before is not None:
            model.predict(one_hot(trial, evaluation_sequence(trial, before))[0], batch_size=5, verbose=0)
        softmax = []
        for start in range(0, trial.windows, trial.batch_size):
            softmax.append(model.predict_on_batch(inputs[start : start + trial.batch_size]))
            if reset_every_batch:
                reset_states(model)
        confidence = np.concatenate(softmax).max(axis=-1)
        return np.allclose(predictions.confidence[predictions.sequence_index == 1], confidence, rtol=1e-5)

    assert agrees_after(reset_every_batch=False, before=None)
    assert not agrees_after(reset_every_batch=True, before=None)
    assert not agrees_after(reset_every_batch=False, before=0)
