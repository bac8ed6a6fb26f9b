"""Networks of users in training: the numbers of Keras, and the same bytes whatever interrupts them."""

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import raysweep
from raysweep.errors import NetworkError, UsageError
from raysweep.experiment import CompiledSteps, Training, build_model, configure_threads
from raysweep.experiment.backend import import_keras
from raysweep.experiment.own_network import MAX_UNROLLED
from raysweep.experiment.sequences import evaluation_sequence, training_sequence
from raysweep.trial.settings import TrialSettings
from tests.experiment import own_networks
from tests.experiment.keras_reference import one_hot
from tests.experiment.test_training import assert_identical

Function = Callable[..., Any]

SIZES: dict[str, Any] = {"len": 2, "n_in": 3, "mem": 8, "seed": 1, "vocab": 12, "values": 11, "batch_size": 7}
EVALUATED: dict[str, Any] = {"epochs": 30, "eval_sequences": 3, "eval_every": 10, "curve_every": 5}


@pytest.fixture(scope="module", autouse=True)
def _threads() -> None:
    configure_threads(1)


STEPS = CompiledSteps()
"""Remembers the self-checks."""


def settings(function: Function, **more: Any) -> TrialSettings:
    return TrialSettings.of_network(function, **{**SIZES, **EVALUATED, **more})


def trained(function: Function, steps: CompiledSteps = STEPS, **more: Any) -> Training:
    training = Training(settings(function, **more), steps, network=function)
    training.advance(seconds=60)
    return training


def saved(training: Training) -> list[bytes]:
    """Bytes of everything that a state holds of the network."""
    return [array.tobytes() for array in training._learner.arrays()]


# What Keras computes


def reset_states(model: Any) -> None:
    """Reset every stateful layer, those within layers too."""
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            layer.reset_states()


def assert_equals_keras(function: Function, epochs: int = 50, **more: Any) -> list[float]:
    """Compare with one `fit` an epoch; return how far each weight is, relative to how far it has moved."""
    trial = settings(function, **{"epochs": epochs, "curve_every": 1, "eval_every": 0, **more})
    model = build_model(trial, network=function)
    model.jit_compile = False  # XLA takes seconds for each model
    first, losses, accuracies = model.get_weights(), [], []
    for epoch in range(1, epochs + 1):
        inputs, targets = one_hot(trial, training_sequence(trial, epoch))
        history = model.fit(inputs, targets, batch_size=trial.batch_size, shuffle=False, verbose=0).history
        reset_states(model)
        losses += history["loss"]
        accuracies += history["accuracy"]

    training = Training(trial, STEPS, network=function)
    for weight, other in zip(training.weights, first, strict=True):
        np.testing.assert_array_equal(weight, other)
    training.advance(seconds=60)
    curve = training.result().curve
    np.testing.assert_allclose(curve.loss, losses, rtol=1e-5)
    np.testing.assert_allclose(curve.accuracy, accuracies, rtol=1e-5)
    distances = [
        float(np.linalg.norm(weight - other) / (np.linalg.norm(other - begun) or 1.0))
        for weight, other, begun in zip(training.weights, model.get_weights(), first, strict=True)
    ]
    assert max(distances) <= 1e-5
    return distances


@pytest.mark.parametrize(
    ("function", "more"),
    [
        (own_networks.gru, {}),
        (own_networks.gru, {"batch_size": 21, "depth": 2, "epochs": 20}),
        (own_networks.attention, {}),
        (own_networks.dropout, {"rate": 0.0}),
        (own_networks.restrained, {}),
        (own_networks.batch_normalization, {}),
        (own_networks.longer, {"epochs": 20}),
        (own_networks.reverses, {"epochs": 20}),
        (own_networks.embedding, {"epochs": 20}),
        (own_networks.masks, {"epochs": 20}),
        (own_networks.masks_in_both_directions, {"epochs": 20}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value.__name__,
)
def test_epochs_equal_fits(function: Function, more: dict[str, Any]) -> None:
    assert_equals_keras(function, **more)


def test_a_frozen_layer_stays_and_a_constraint_holds() -> None:
    training = trained(own_networks.restrained)
    first = build_model(training.settings, network=own_networks.restrained).get_weights()
    by_name = {(one.layer, one.weight): n for n, one in enumerate(training.result().layers)}
    frozen = by_name["dense", "kernel"]
    np.testing.assert_array_equal(training.weights[frozen], first[frozen])
    moved = [name for name, n in by_name.items() if not np.array_equal(training.weights[n], first[n])]
    assert moved == [name for name in by_name if name[0] != "dense"]
    assert training.weights[by_name["gru/gru_cell", "bias"]].min() >= 0


@pytest.mark.parametrize("batch_size", [21, 7])
def test_seq2seq_as_a_network_of_ones_own_is_the_built_in_one(batch_size: int) -> None:
    sizes = {**SIZES, **EVALUATED, "epochs": 50, "curve_every": 1, "eval_every": 0, "mem": 20}
    sizes["batch_size"] = batch_size
    built_in = Training(TrialSettings(arch="seq2seq", **sizes))
    function = own_networks.seq2seq_again
    own = Training(TrialSettings.of_network(function, **sizes), network=function)
    first = built_in.weights
    own._learner.load([*first, *own._learner.arrays()[len(first) :]])
    for training in (built_in, own):
        training.advance(seconds=60)
    one, other = built_in.result(), own.result()
    np.testing.assert_allclose(other.curve.loss, one.curve.loss, rtol=1e-5)
    np.testing.assert_allclose(other.curve.accuracy, one.curve.accuracy, rtol=1e-6)
    assert one.predictions is not None
    assert other.predictions is not None
    np.testing.assert_allclose(other.predictions.confidence, one.predictions.confidence, rtol=1e-4)
    assert [(w.weight, w.shape) for w in other.layers] == [(w.weight, w.shape) for w in one.layers]


@pytest.mark.parametrize(
    "function", [own_networks.gru, own_networks.batch_normalization, own_networks.subclassed]
)
def test_predictions_are_those_of_the_keras_model(function: Function) -> None:
    training = trained(function, seed=4)
    predictions, trial = training.result().predictions, training.settings
    assert predictions is not None
    model = build_model(trial, network=function)
    model.set_weights(training.weights)
    for number in range(trial.eval_sequences):
        inputs, _ = one_hot(trial, evaluation_sequence(trial, number))
        softmax = model.predict(inputs, batch_size=trial.batch_size, verbose=0)
        reset_states(model)
        rows = predictions.sequence_index == number
        np.testing.assert_array_equal(predictions.predicted[rows], softmax.argmax(axis=-1))
        np.testing.assert_allclose(predictions.confidence[rows], softmax.max(axis=-1), rtol=1e-5)


# The same bytes

DETERMINISTIC = [
    own_networks.dropout,
    own_networks.batch_normalization,
    own_networks.bidirectional,
    own_networks.multi_head,
    own_networks.spectral,
    own_networks.conditional,
    own_networks.draws,
    own_networks.draws_globally,
    own_networks.draws_from_tensorflow,
    own_networks.counts,
    own_networks.counts_at_once,
    own_networks.constants,
    own_networks.subclassed,
    own_networks.sequential,
    own_networks.embedding,
    own_networks.longer,
    own_networks.cells,
    own_networks.metric,
    own_networks.scan,
    own_networks.nested,
    own_networks.clears_the_session,
    own_networks.keeps_half_precision,
]


@cache
def whole(function: Function) -> Training:
    return trained(function)


@pytest.mark.parametrize("function", DETERMINISTIC)
def test_slices_and_states_do_not_change_the_result(function: Function) -> None:
    in_few_slices = whole(function)
    assert in_few_slices.result().deterministic

    sliced = Training(in_few_slices.settings, STEPS, network=function)
    while sliced.epoch < 13:
        sliced.advance(seconds=0)
    resumed = Training(sliced.settings, STEPS, sliced.state(), function)
    sliced.advance(seconds=0)  # what happens after the state is not in it
    resumed.advance(seconds=60)
    assert saved(resumed) == saved(in_few_slices)
    assert_identical(resumed.result(), in_few_slices.result())


EVALUATION_MATTERS = [
    own_networks.dropout,
    own_networks.batch_normalization,
    own_networks.spectral,
    own_networks.draws,
    own_networks.draws_globally,
    own_networks.draws_from_tensorflow,
    own_networks.counts_at_once,
    own_networks.metric,
]


@pytest.mark.parametrize("function", EVALUATION_MATTERS)
def test_an_evaluation_changes_nothing_of_the_training(function: Function) -> None:
    in_few_slices, never = whole(function), trained(function, eval_every=0)
    assert saved(never) == saved(in_few_slices)
    np.testing.assert_array_equal(never.result().curve.loss, in_few_slices.result().curve.loss)
    assert never.result().evaluations == in_few_slices.result().evaluations[-1:]


RESUME = """
import hashlib, sys
from pathlib import Path
import tensorflow as tf
threads, folder, *names = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(int(threads))
tf.config.threading.set_inter_op_parallelism_threads(1)
from raysweep.experiment import Training
from tests.experiment.test_own_networks import digest, own_networks, settings
for name in names:
    function = getattr(own_networks, name)
    training = Training(settings(function), state=Path(folder, name).read_bytes(), network=function)
    training.advance(seconds=60)
    print(name, training.result().deterministic, digest(training))
"""


def digest(training: Training) -> str:
    predictions = training.result().predictions
    assert predictions is not None
    return hashlib.sha256(b"".join([*saved(training), predictions.confidence.tobytes()])).hexdigest()


def test_a_state_can_be_continued_in_another_process(tmp_path: Path) -> None:
    import tensorflow as tf

    functions = [own_networks.dropout, own_networks.batch_normalization, own_networks.draws_globally]
    for function in functions:
        training = Training(settings(function), STEPS, network=function)
        while training.epoch < 7:
            training.advance(seconds=0)
        (tmp_path / function.__name__).write_bytes(training.state())
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    done = subprocess.run(
        [sys.executable, "-c", RESUME, str(threads), str(tmp_path), *(one.__name__ for one in functions)],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{one.__name__} True {digest(whole(one))}" for one in functions]


@pytest.mark.parametrize("function", [own_networks.dropout, own_networks.constants])
def test_trials_do_not_influence_each_other(function: Function) -> None:
    steps = CompiledSteps()
    zero = trained(function, steps, seed=0)
    one = trained(function, steps, seed=1)
    trained(own_networks.gru, steps, seed=0, rate=0.5)
    again = trained(function, steps, seed=0)
    assert saved(again) == saved(zero)
    assert_identical(again.result(), zero.result())
    assert saved(one) == saved(whole(function))
    assert not set(saved(one)[:1]) & set(saved(zero)[:1])
    assert one.result().loss != zero.result().loss


def test_trials_can_be_trained_in_turns() -> None:
    functions = [own_networks.dropout, own_networks.draws_globally, own_networks.batch_normalization]
    trainings = [Training(settings(function), STEPS, network=function) for function in functions]
    while not trainings[0].finished:
        for training in trainings:
            training.advance(seconds=0)
    for training, function in zip(trainings, functions, strict=True):
        assert saved(training) == saved(whole(function))


def test_run_trial_takes_a_function() -> None:
    function = own_networks.batch_normalization
    result = raysweep.run_trial(settings(function), network=function)
    assert_identical(result, whole(function).result())


def test_a_builder_draws_constants_that_follow_from_the_seed() -> None:
    import tensorflow as tf

    before = trained(own_networks.constants, seed=0)
    random.seed(9)
    np.random.seed(9)  # noqa: NPY002
    tf.random.set_seed(9)
    assert saved(trained(own_networks.constants, seed=0)) == saved(before)


@pytest.mark.parametrize(
    "function", [own_networks.unkeyed, own_networks.draws_in_python, own_networks.shares]
)
def test_a_network_that_is_not_deterministic_is_trained_and_reported(function: Function) -> None:
    result = trained(function).result()
    assert not result.deterministic
    assert result.status == "done"
    assert result.loss < result.curve.loss[0]


@pytest.mark.parametrize(
    "function", [own_networks.shares_a_layer, own_networks.draws_where_the_last_trial_stopped]
)
def test_what_an_earlier_trial_left_behind_is_noticed(function: Function) -> None:
    """Either it changes nothing, or no promise is made."""
    steps = CompiledSteps()
    first, second = trained(function, steps), trained(function, steps)
    assert saved(second) == saved(first) or not second.result().deterministic


@pytest.mark.parametrize("function", [own_networks.dropout, own_networks.batch_normalization])
def test_a_training_that_diverges_is_as_deterministic_as_any(function: Function) -> None:
    steps = CompiledSteps()
    diverged = trained(function, steps, learning_rate=1e38)
    assert diverged.result().status == "diverged"
    assert diverged.result().deterministic
    assert trained(function, steps).result().deterministic

    restored = Training(diverged.settings, steps, diverged.state(), function)
    assert restored.finished
    assert_identical(restored.result(), diverged.result())


def test_a_longer_trial_goes_on_from_a_shorter_one() -> None:
    function = own_networks.dropout
    first = trained(function, epochs=17)
    longer = Training(settings(function), STEPS, first.state(), function)
    longer.advance(seconds=60)
    assert longer.result().inherited_epochs == 17
    assert saved(longer) == saved(whole(function))


# The user's Keras


def global_state() -> list[Any]:
    """Names, settings and random numbers that come next in the user's session; draws none."""
    import tensorflow as tf
    from keras.src.backend.common import global_state as of_keras
    from tensorflow.python.eager import context

    keras = import_keras()
    eager = context.context()
    generator = of_keras.get_global_attribute("global_seed_generator")
    return [
        random.getstate(),
        [*map(str, np.random.get_state())],  # noqa: NPY002
        (eager._seed, eager._rng.getstate()),
        (id(generator), generator.state.numpy().tolist()),
        dict(of_keras.get_global_attribute("object_name_uids", {})),
        (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()),
        keras.config.dtype_policy().name,
        tf.config.optimizer.get_experimental_options(),
    ]


def use_of_keras() -> Any:
    """Set the session's state to something that is unlike what raysweep needs."""
    keras = import_keras()
    keras.utils.set_random_seed(17)
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-3)
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.random.normal([3])
    return keras.layers.Dense(3)


@pytest.fixture
def _keras_as_it_was():
    keras = import_keras()
    yield
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.utils.clear_session()


@pytest.mark.usefixtures("_keras_as_it_was")
def test_the_users_global_state_comes_back_and_does_not_matter() -> None:
    import tensorflow as tf

    expected = whole(own_networks.dropout)
    layer = use_of_keras()
    double = tf.function(lambda value: 2 * layer(value))
    inputs = tf.ones([2, 4])
    doubled = double(inputs).numpy()
    before = global_state()

    result = raysweep.run_trial(expected.settings, network=own_networks.dropout)
    build_model(expected.settings, network=own_networks.dropout)
    with pytest.raises(NetworkError):
        build_model(settings(own_networks.wrong, what="raises"), network=own_networks.wrong)

    assert global_state() == before
    assert_identical(result, expected.result())
    np.testing.assert_array_equal(double(inputs).numpy(), doubled)


def test_names_of_layers_do_not_depend_on_what_was_built_before() -> None:
    keras = import_keras()
    for _ in range(3):
        keras.layers.LSTM(2)
    again = trained(own_networks.dropout)
    assert again.result().layers == whole(own_networks.dropout).result().layers
    assert again.result().layers[0].layer == "lstm/lstm_cell"


# Errors


def line_of(text: str) -> int:
    lines = Path(own_networks.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


WRONG = [
    ("nothing", r": wrong returns nothing; return the keras\.Model"),
    ("a layer", r": wrong returns an object of type Dense; return the keras\.Model"),
    ("a tensor", r": wrong returns an object of type EagerTensor; return"),
    ("another shape", r": wrong returns a model with outputs of shape \(7, 3, 12\); return .*\(7, 2, 12\)"),
    ("several outputs", r": wrong returns a model with an object of type (list|tuple) as output; return one"),
    ("logits", r": wrong returns a model whose outputs are no probabilities: .*softmax over vocab"),
    ("no weights", r": wrong returns a model without trainable weights"),
    ("half precision", r": wrong returns a model with weights of float16; use float32"),
    ("double precision", r": wrong returns a model with weights of float64; use float32"),
]


@pytest.mark.parametrize(("what", "said"), WRONG, ids=[what for what, _ in WRONG])
def test_a_model_that_is_not_one_of_the_task_is_an_error(what: str, said: str) -> None:
    function = own_networks.wrong
    place = rf"own_networks\.py:{line_of('def wrong(')}"
    for attempt in (build_model, raysweep.run_trial):
        with pytest.raises(NetworkError, match=place + said):
            attempt(settings(function, what=what), network=function)


@pytest.mark.parametrize(
    ("what", "text", "kind", "said"),
    [
        ("raises", "raise KeyError", KeyError, "wrong failed: KeyError: 'mistake in the function'"),
        ("exits", "sys.exit", SystemExit, "wrong failed: it calls exit"),
        ("layer raises", "raise ArithmeticError", ArithmeticError, "mistake in the layer"),
        ("only in training", "raise LookupError", LookupError, "mistake in training"),
    ],
)
def test_an_error_in_the_users_code_names_its_line(
    what: str, text: str, kind: type[BaseException], said: str
) -> None:
    function = own_networks.wrong
    place = f"own_networks.py:{line_of(text)}: "
    with pytest.raises(NetworkError) as caught:
        Training(settings(function, what=what), network=function)
    assert place in str(caught.value)
    assert said in str(caught.value)
    assert isinstance(caught.value.__cause__, kind)


@pytest.mark.parametrize("calls", [3, 60])
def test_an_error_when_the_network_runs_is_the_networks(calls: int) -> None:
    """At the self-check, and after it."""
    function = own_networks.wrong
    with pytest.raises(NetworkError, match=r"own_networks\.py.*(?s:.*)too many calls") as caught:
        trained(function, what="asserts", calls=calls)
    assert caught.value.__cause__ is not None


def test_a_lack_of_memory_is_no_error_of_the_network() -> None:
    function = own_networks.wrong
    with pytest.raises(MemoryError):
        build_model(settings(function, what="memory"), network=function)


def test_settings_and_function_must_belong_together() -> None:
    trial = settings(own_networks.dense)
    with pytest.raises(UsageError, match="dense is not built in; give its function: network=dense"):
        Training(trial)
    with pytest.raises(UsageError, match="the settings are of dense, the function is gru"):
        Training(trial, network=own_networks.gru)
    other = trial.model_copy(update={"network": "0" * 64})
    for attempt in (build_model, raysweep.run_trial):
        with pytest.raises(UsageError, match=r"another version of .*own_networks\.py; make them anew"):
            attempt(other, network=own_networks.dense)
    built_in = TrialSettings(arch="echo", len=2, mem=3, seed=0)
    with pytest.raises(UsageError, match="the settings are of echo, the function is dense"):
        Training(built_in, network=own_networks.dense)


@pytest.mark.parametrize("width", [1.5, "4", True, None])
def test_an_option_of_another_type_is_an_error(width: Any) -> None:
    with pytest.raises(UsageError, match=r"option width: found .*; its default 0 is int"):
        settings(own_networks.dense, width=width)


def test_options_reach_the_function() -> None:
    trial = settings(own_networks.dense, width=5)
    assert trial.option_values == {"width": 5}
    assert [weight.shape for weight in trained(own_networks.dense, width=5).weights][:2] == [(12, 5), (5,)]


# Unrolling and memory


def whiles(function: Any) -> int:
    """Number of loops in a concrete function's graph, those in its loops too."""
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for one in definition.library.function for node in one.node_def)]
    return sum(node.op in ("While", "StatelessWhile") for node in nodes)


def test_recurrent_layers_are_unrolled_over_sixteen_timesteps_and_no_more() -> None:
    assert MAX_UNROLLED == 16
    loops = []
    for times in (1, 16, 17):
        function = own_networks.longer
        trial = settings(function, n_in=times, len=1, times=1)
        learner: Any = Training(trial, STEPS, network=function)._learner
        loops.append(
            [whiles(one._list_all_concrete_functions()[0]) for one in (learner._train, learner._evaluate)]
        )
    once, sixteen, seventeen = loops
    assert sixteen == once == [2, 1]  # over epochs and batches; over batches
    assert seventeen == [4, 2]  # the layer's own, and its gradient's


def test_a_model_of_the_user_is_not_changed_by_training_another() -> None:
    function = own_networks.longer
    trial = settings(function, times=1)
    model = build_model(trial, network=function)
    layers = [layer for layer in model.layers if hasattr(layer, "inner_loop")]
    first = model.get_weights()
    raysweep.run_trial(trial, network=function)
    assert [(layer.unroll, "inner_loop" in vars(layer)) for layer in layers] == [(False, False)]
    for weight, other in zip(model.get_weights(), first, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_thirty_trials_leave_little_behind() -> None:
    """At most 1 MB each."""
    process, resident = psutil.Process(), []
    for seed in range(35):
        trained(own_networks.dense, seed=seed, epochs=2).result()
        resident.append(process.memory_info().rss)
    assert (resident[-1] - resident[4]) / 30 < 2**20
