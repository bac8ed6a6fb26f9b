import io
import math
from typing import Any

import numpy as np
import pytest

from raysweep.errors import ResultsError
from raysweep.experiment import CompiledSteps, Training, run_trial
from raysweep.experiment.compiled_steps import MAX_SHAPES
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import pack, unpack

EVALUATED: dict[str, Any] = {"eval_sequences": 4, "curve_every": 5, "eval_every": 20}
TRIALS = [
    TrialSettings(arch="echo", len=4, mem=16, seed=1, epochs=60, **EVALUATED),
    TrialSettings(arch="echo", len=3, mem=50, seed=1, epochs=60, **EVALUATED),
    TrialSettings(arch="seq2seq", len=2, mem=20, seed=1, epochs=60, **EVALUATED),
    TrialSettings(arch="seq2seq", len=2, mem=20, seed=1, epochs=60, **EVALUATED, batch_size=7),
]
EACH = pytest.mark.parametrize(
    "trial", TRIALS, ids=lambda trial: f"{trial.arch}-{trial.batch_size}-{trial.mem}"
)


@pytest.fixture(scope="module")
def steps() -> CompiledSteps:
    return CompiledSteps()


def whole(trial: TrialSettings, steps: CompiledSteps) -> TrialResult:
    training = Training(trial, steps)
    training.advance(seconds=60)
    return training.result()


def assert_identical(one: TrialResult, other: TrialResult) -> None:
    """To the last bit, except for times."""
    assert (one.status, one.updates) == (other.status, other.updates)
    np.testing.assert_equal([one.loss, one.accuracy], [other.loss, other.accuracy])
    assert one.evaluations == other.evaluations
    for name in ("epoch", "loss", "accuracy", "exact_match", "position_accuracy"):
        np.testing.assert_array_equal(getattr(one.curve, name), getattr(other.curve, name))
    assert (one.predictions is None) == (other.predictions is None)
    if one.predictions is not None and other.predictions is not None:
        for name in ("sequence_index", "window_index", "input", "expected", "predicted", "confidence"):
            np.testing.assert_array_equal(
                getattr(one.predictions, name), getattr(other.predictions, name), strict=True
            )


@EACH
def test_slices_do_not_change_the_result(trial: TrialSettings, steps: CompiledSteps) -> None:
    training, epochs = Training(trial, steps), [0]
    while not training.finished:
        training.advance(seconds=0)
        epochs.append(training.epoch)
    assert epochs == list(range(trial.epochs + 1))  # at least one epoch, and here no more
    assert_identical(training.result(), whole(trial, steps))


@EACH
@pytest.mark.parametrize("saved_at", [0, 1, 20, 23, 60])
def test_a_checkpoint_does_not_change_the_result(
    trial: TrialSettings, saved_at: int, steps: CompiledSteps
) -> None:
    training = Training(trial, steps)
    while training.epoch < saved_at:
        training.advance(seconds=0)
    checkpoint = training.state()
    training.advance(seconds=0)  # what happens after the checkpoint is not in it

    restored = Training(trial, steps, checkpoint)
    assert restored.epoch == saved_at
    restored.advance(seconds=60)
    assert_identical(restored.result(), whole(trial, steps))


@EACH
def test_steps_compiled_for_another_trial_do_not_change_the_result(
    trial: TrialSettings, steps: CompiledSteps
) -> None:
    other = trial.model_copy(update={"seed": 5, "learning_rate": 0.01, "values": 7, "epochs": 3})
    Training(other, steps).advance(seconds=60)
    shared = Training(trial, steps)
    shared.advance(seconds=60)
    assert_identical(shared.result(), run_trial(trial))


def test_replicates_share_a_trace(steps: CompiledSteps) -> None:
    trial = TRIALS[0].model_copy(update={"epochs": 1})
    whole(trial, steps)
    variants = ({"seed": 9}, {"learning_rate": 0.1}, {"values": 5}, {"epochs": 2}, {"eval_sequences": 1})
    for change in variants:
        result = whole(trial.model_copy(update=change), steps)
        assert result.trace_s == 0.0
    fresh = CompiledSteps()
    assert whole(trial, fresh).trace_s > 0.0
    assert fresh.of(trial) is fresh.of(trial.model_copy(update={"seed": 3}))
    assert fresh.of(trial) is not fresh.of(trial.model_copy(update={"mem": 17}))


def test_two_trials_of_one_shape_can_be_trained_in_turns(steps: CompiledSteps) -> None:
    one, other = TRIALS[2], TRIALS[2].model_copy(update={"seed": 8})
    first, second = Training(one, steps), Training(other, steps)
    while not (first.finished and second.finished):
        first.advance(seconds=0)
        second.advance(seconds=0)
    assert_identical(first.result(), whole(one, steps))
    assert_identical(second.result(), whole(other, steps))


def test_the_least_recently_used_shapes_are_dropped() -> None:
    steps = CompiledSteps()
    trials = [TRIALS[0].model_copy(update={"mem": mem}) for mem in range(1, MAX_SHAPES + 2)]
    kept = [steps.of(trial) for trial in trials[:MAX_SHAPES]]
    assert steps.of(trials[0]) is kept[0]  # now the one used last
    steps.of(trials[MAX_SHAPES])
    assert steps.of(trials[0]) is kept[0]
    assert steps.of(trials[1]) is not kept[1]


@pytest.mark.parametrize("trial", [TRIALS[0], TRIALS[2]], ids=["echo", "seq2seq"])
def test_a_loss_that_is_not_finite_ends_the_training(trial: TrialSettings, steps: CompiledSteps) -> None:
    # So large a step that the logits overflow; a grid cannot ask for it.
    trial = trial.model_copy(update={"learning_rate": 1e38, "curve_every": 1})
    result = whole(trial, steps)
    assert result.status == "diverged"
    assert result.predictions is None
    assert not math.isfinite(result.loss)
    last = int(result.curve.epoch[-1])
    assert last < 5
    assert result.updates == last * trial.windows // trial.batch_size
    assert np.isfinite(result.curve.loss[:-1]).all()
    assert not np.isfinite(result.curve.loss[-1])

    sliced = Training(trial, steps)
    while not sliced.finished:
        sliced.advance(seconds=0)
    assert_identical(sliced.result(), result)
    restored = Training(trial, steps, sliced.state())
    assert restored.finished
    assert_identical(restored.result(), result)


def test_progress_is_nan_before_the_first_epoch_and_the_last_epochs_after(steps: CompiledSteps) -> None:
    training = Training(TRIALS[0], steps)
    assert (training.epoch, training.finished) == (0, False)
    assert math.isnan(training.loss)
    assert math.isnan(training.accuracy)
    training.advance(seconds=0)
    assert training.loss == pytest.approx(math.log(100), abs=0.1)  # it knows nothing yet
    assert 0 <= training.accuracy < 0.2
    with pytest.raises(RuntimeError, match="1 of 60 epochs"):
        training.result()


def test_a_state_of_another_trial_is_refused(steps: CompiledSteps) -> None:
    state = Training(TRIALS[0], steps).state()
    other = TRIALS[0].model_copy(update={"seed": 2})
    with pytest.raises(ResultsError, match=f"of another trial, {TRIALS[0].trial_id}"):
        Training(other, steps, state)


def test_a_state_of_more_epochs_than_the_trial_has_is_refused(steps: CompiledSteps) -> None:
    longer = Training(TRIALS[0], steps)
    longer.advance(seconds=60)
    with pytest.raises(ResultsError, match="after 60 epochs, more than the trial has"):
        Training(TRIALS[0].model_copy(update={"epochs": 59}), steps, longer.state())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layout": 0}, "made by another version of raysweep's training"),
        ({"source": "x"}, "made by another version of raysweep's training"),
        ({"versions": {"tensorflow": "2.19.0"}}, r"made with tensorflow 2\.19\.0.*, here tensorflow 2"),
        ({"threads": 2}, "made with cpu = 2; call raysweep.configure_threads"),
        ({"cpu_model": "a 486"}, "made on a 486, cpu, here"),
        ({"device": "a GPU"}, r"made on .*, a GPU, here .*, cpu"),
    ],
)
def test_a_state_made_with_something_else_is_refused(
    steps: CompiledSteps, change: dict[str, Any], said: str
) -> None:
    """Training half with one thing and half with another would give the result of neither."""
    header, arrays = unpack(Training(TRIALS[0], steps).state())
    made_with = header.made_with.model_copy(update=change)
    state = pack(header.model_copy(update={"made_with": made_with}), arrays)
    with pytest.raises(ResultsError, match=said):
        Training(TRIALS[0], steps, state)


@pytest.mark.parametrize("spoil", ["nothing in it", "no train_s", "another shape"])
def test_a_state_without_its_arrays_is_refused(steps: CompiledSteps, spoil: str) -> None:
    header, content = unpack(Training(TRIALS[0], steps).state())
    with np.load(io.BytesIO(content)) as saved:
        arrays = dict(saved)
    if spoil == "no train_s":
        del arrays["train_s"]
    else:
        arrays["variable_0"] = arrays["variable_0"][:-1]
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **({} if spoil == "nothing in it" else arrays))
    with pytest.raises(ResultsError, match=r"state for .*; start the trial without it"):
        Training(TRIALS[0], steps, pack(header, file.getvalue()))


@EACH
@pytest.mark.parametrize("shorter", [7, 40, 60])
def test_a_trial_goes_on_from_the_state_of_a_shorter_one(
    trial: TrialSettings, shorter: int, steps: CompiledSteps
) -> None:
    first = Training(trial.model_copy(update={"epochs": shorter}), steps)
    first.advance(seconds=60)
    first.result()
    longer = trial.model_copy(update={"epochs": 90})
    training = Training(longer, steps, first.state())
    assert training.epoch == shorter
    training.advance(seconds=60)
    assert_identical(training.result(), whole(longer, steps))
    assert training.result().inherited_epochs == shorter


def test_the_seconds_of_a_trial_that_went_on_are_its_own(steps: CompiledSteps) -> None:
    first = Training(TRIALS[3], steps)
    first.advance(seconds=60)
    again = Training(TRIALS[3], steps, first.state()).result()
    assert (again.train_s, again.inherited_epochs) == (first.result().train_s, 0)
    longer = Training(TRIALS[3].model_copy(update={"epochs": 61}), steps, first.state())
    longer.advance(seconds=60)
    assert longer.result().train_s < again.train_s
    resumed = Training(longer.settings, steps, longer.state()).result()
    assert (resumed.train_s, resumed.inherited_epochs) == (longer.result().train_s, 60)


def test_a_trial_goes_on_from_a_diverged_one_to_the_same_result(steps: CompiledSteps) -> None:
    trial = TRIALS[0].model_copy(update={"learning_rate": 1e38})
    first = Training(trial, steps)
    first.advance(seconds=60)
    longer = trial.model_copy(update={"epochs": 90})
    assert_identical(Training(longer, steps, first.state()).result(), whole(longer, steps))


def test_a_network_that_the_last_update_ruined_has_diverged(steps: CompiledSteps) -> None:
    """Its last loss, taken before that update, is an ordinary one."""
    result = whole(TRIALS[2].model_copy(update={"learning_rate": 1e38, "epochs": 1}), steps)
    assert math.isfinite(result.loss)
    assert (result.status, result.predictions) == ("diverged", None)


def test_every_cut_and_every_changed_byte_of_a_checkpoint_is_noticed(steps: CompiledSteps) -> None:
    trial = TrialSettings(arch="echo", len=1, mem=1, seed=0, vocab=2, values=2)
    checkpoint = Training(trial, steps).state()
    assert Training(trial, steps, checkpoint).epoch == 0
    for position in range(0, len(checkpoint), 61):
        changed = bytearray(checkpoint)
        changed[position] ^= 1
        for damaged in (checkpoint[:position], bytes(changed)):
            with pytest.raises(ResultsError, match=f"state for {trial.trial_id}: damaged"):
                Training(trial, steps, damaged)


def test_a_state_holds_no_pickled_object(steps: CompiledSteps) -> None:
    header, arrays = unpack(Training(TRIALS[0], steps).state())
    assert header.settings == TRIALS[0]
    with np.load(io.BytesIO(arrays), allow_pickle=False) as saved:
        assert all(saved[name].dtype.kind in "fi" for name in saved.files)


def test_the_curve_has_a_point_for_every_so_many_epochs(steps: CompiledSteps) -> None:
    fine = whole(TRIALS[0].model_copy(update={"curve_every": 1}), steps).curve
    coarse = whole(TRIALS[0].model_copy(update={"curve_every": 25, "eval_every": 50}), steps).curve
    assert fine.epoch.tolist() == list(range(1, 61))
    assert coarse.epoch.tolist() == [25, 50, 60]
    assert coarse.loss == pytest.approx(
        [fine.loss[:25].mean(), fine.loss[25:50].mean(), fine.loss[50:].mean()], rel=1e-12
    )


@EACH
def test_an_evaluation_changes_nothing_of_the_training(trial: TrialSettings, steps: CompiledSteps) -> None:
    evaluated = whole(trial, steps)
    never = whole(trial.model_copy(update={"eval_every": 0}), steps)
    assert [one.epoch for one in evaluated.evaluations] == [20, 40, 60]
    assert never.evaluations == evaluated.evaluations[-1:]
    np.testing.assert_array_equal(never.curve.loss, evaluated.curve.loss)
    assert evaluated.predictions is not None
    assert never.predictions is not None
    np.testing.assert_array_equal(never.predictions.confidence, evaluated.predictions.confidence)


@EACH
def test_an_evaluation_in_the_middle_is_that_of_a_trial_that_ends_there(
    trial: TrialSettings, steps: CompiledSteps
) -> None:
    middle = whole(trial, steps).evaluations[1]
    ended = whole(trial.model_copy(update={"epochs": 40}), steps)
    assert ended.predictions is not None
    right = ended.predictions.predicted == ended.predictions.expected
    exact = right.all(axis=1).reshape(4, -1).sum(axis=1)
    assert middle == ended.evaluations[-1]
    assert middle == (40, exact.sum(), (exact**2).sum(), tuple(right.sum(axis=0)))


def test_the_curve_has_the_evaluations_at_their_points(steps: CompiledSteps) -> None:
    result = whole(TRIALS[2].model_copy(update={"epochs": 57}), steps)
    curve, windows = result.curve, 4 * 21
    assert curve.epoch.tolist() == [*range(5, 56, 5), 57]
    evaluated = [index for index, share in enumerate(curve.exact_match) if not math.isnan(share)]
    assert [int(curve.epoch[index]) for index in evaluated] == [20, 40, 57]
    for index, one in zip(evaluated, result.evaluations, strict=True):
        assert curve.exact_match[index] == one.exact / windows
        assert curve.position_accuracy[index].tolist() == [hits / windows for hits in one.right]
    assert np.isnan(curve.position_accuracy).all(axis=1).sum() == len(curve.epoch) - 3


def test_a_small_network_learns_to_echo() -> None:
    result = run_trial(TrialSettings(arch="echo", len=2, mem=32, seed=0, values=20, vocab=20))
    assert result.predictions is not None
    assert result.predictions.exact.mean() > 0.95
    assert result.loss < result.curve.loss[0] / 3
    assert result.train_s > 0
    assert result.eval_s > 0
