import numpy as np
import pytest

from raysweep.experiment import build_model
from raysweep.experiment.lstm import swap_gates
from raysweep.experiment.models import initial_weights, layer_weights
from raysweep.trial.settings import TrialSettings

ECHO = TrialSettings(arch="echo", len=6, mem=16, seed=0)
SEQ2SEQ = TrialSettings(arch="seq2seq", len=2, mem=24, seed=0)
BOTH = pytest.mark.parametrize("trial", [ECHO, SEQ2SEQ], ids=["echo", "seq2seq"])


@BOTH
def test_the_layer_table_is_that_of_the_keras_model(trial: TrialSettings) -> None:
    model = build_model(trial)
    listed = [
        (layer.name, weight.name, tuple(weight.shape)) for layer in model.layers for weight in layer.weights
    ]
    assert listed == [(weight.layer, weight.weight, weight.shape) for weight in layer_weights(trial)]


def test_shapes_of_the_notebooks_networks() -> None:
    assert [weight.shape for weight in layer_weights(ECHO)] == [(100, 64), (16, 64), (64,), (16, 100), (100,)]
    assert build_model(ECHO).output_shape == (5, 6, 100)
    assert build_model(SEQ2SEQ).output_shape == (21, 2, 100)
    stateful = [layer.name for layer in build_model(SEQ2SEQ).layers if getattr(layer, "stateful", False)]
    assert stateful == ["lstm", "lstm_1"]


@BOTH
def test_the_model_starts_from_the_seeds_weights(trial: TrialSettings) -> None:
    for weight, initial in zip(build_model(trial).get_weights(), initial_weights(trial), strict=True):
        np.testing.assert_array_equal(weight, initial)


def test_another_seed_starts_from_other_weights_and_no_two_kernels_are_alike() -> None:
    first, again = initial_weights(SEQ2SEQ), initial_weights(SEQ2SEQ)
    other = initial_weights(SEQ2SEQ.model_copy(update={"seed": 1}))
    for weight, same, another in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(weight, same)
        assert weight.ndim == 1 or not np.isclose(weight, another).any(axis=1).all()
    assert abs(np.corrcoef(first[1].ravel(), first[4].ravel())[0, 1]) < 0.1


def test_initial_weights_have_the_distributions_of_keras_defaults() -> None:
    trial = TrialSettings(arch="echo", len=2, mem=150, seed=7)
    kernel, recurrent, bias, dense, dense_bias = initial_weights(trial)
    limit = (6 / (100 + 600)) ** 0.5
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.99 * limit
    assert abs(kernel.mean()) < 0.01 * limit
    assert kernel.std() == pytest.approx(limit / 3**0.5, rel=0.01)
    assert dense.std() == pytest.approx((2 / (150 + 100)) ** 0.5, rel=0.02)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(150), atol=1e-5)
    assert bias.tolist() == [0.0] * 150 + [1.0] * 150 + [0.0] * 300
    assert dense_bias.tolist() == [0.0] * 100


def test_swapping_gates_twice_changes_nothing() -> None:
    kernel = np.arange(24, dtype=np.float32).reshape(2, 12)
    assert swap_gates(kernel)[0].tolist() == [0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11]
    np.testing.assert_array_equal(swap_gates(swap_gates(kernel)), kernel)
