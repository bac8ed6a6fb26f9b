"""The state of a run: what is missing, what counts as an attempt, when another round is of no use."""

import pytest

from raysweep.errors import ClusterError
from raysweep.report.scoreboard import RunningTrial
from raysweep.run.state import ETA_REFRESH_S, FACTOR, FLOOR_S, ROUND, RunState
from raysweep.trial.cost import RuntimeEstimate
from raysweep.trial.settings import TrialSettings

TRIALS = [TrialSettings(arch="seq2seq", len=n_out, mem=300, seed=0) for n_out in range(2, 8)]
IDS = [trial.trial_id for trial in TRIALS]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def state_of(trials: list[TrialSettings], clock: Clock | None = None, *, retries: int = 2) -> RunState:
    planned = {trial.trial_id: trial for trial in trials}
    return RunState(
        "lengths", planned, dict(planned), RuntimeEstimate(()), retries, slots=2, clock=clock or Clock()
    )


def test_a_run_of_one_round(clock: Clock) -> None:
    state = state_of(TRIALS, clock)
    assert state.snapshot().remaining_s is None  # workers are starting
    assert [trial.len for trial in state.begin_round()] == [7, 6, 5, 4, 3, 2]  # the longest first
    for trial_id in IDS:
        state.start(trial_id)
        state.progress(trial_id, 2_500, 2.1, 0.3)
    running = state.snapshot().running
    assert running[0] == RunningTrial("seq2seq len 2 mem 300", 5_000, 2_500, 2.1, 0.3)
    for done, trial_id in enumerate(IDS, start=1):
        finished = state.finish(trial_id, 0.5, 40.0)
        assert (finished.label, finished.outcome) == (f"seq2seq len {done + 1} mem 300", "exact 0.50")
        assert (state.snapshot().done, state.committed) == (done, done)
    state.end_round("", no_worker=False)
    assert state.begin_round() == []
    assert state.estimate.n_measured == 6


def test_a_trial_is_tried_again_as_often_as_asked() -> None:
    state = state_of(TRIALS[:1], retries=2)
    (only,) = IDS[:1]
    for attempt in (1, 2, 3):
        assert state.begin_round() == TRIALS[:1]
        assert state.attempt(only) == attempt
        line = state.fail(only, "worker lost (its \x1b[31mprocess\x1b[0m died)")
        then = "will be tried again" if attempt < 3 else "not tried again in this run"
        assert line == f"seq2seq len 2 mem 300: worker lost (its \ufffd[31mprocess\ufffd[0m died); {then}"
        state.end_round("", no_worker=False)
    assert state.begin_round() == []
    assert state.snapshot().failed == 1
    assert state.eta() == 0.0


def test_a_trial_that_succeeds_after_all_has_not_failed() -> None:
    state = state_of(TRIALS[:1])
    state.fail(IDS[0], "no luck")
    state.finish(IDS[0], 1.0, 40.0)
    assert state.snapshot().failed == 0


def test_a_round_that_ended_early_is_not_taken_for_done() -> None:
    """As when Tune ends in order with some of the trials: the rest goes into the next round."""
    state = state_of(TRIALS)
    state.begin_round()
    state.finish(IDS[0], 0.5, 40.0)
    state.start(IDS[1])
    state.end_round("", no_worker=False)
    assert {trial.trial_id for trial in state.begin_round()} == set(IDS[1:])
    assert state.attempts == {}
    assert state.snapshot().running == []


@pytest.mark.parametrize(("reason", "said"), [("", "it ended without a result"), ("no head", "no head")])
def test_a_round_without_any_answer_ends_the_run(reason: str, said: str) -> None:
    state = state_of(TRIALS)
    state.begin_round()
    state.start(IDS[0])
    with pytest.raises(ClusterError, match=f"Ray Tune made no progress: {said}"):
        state.end_round(reason, no_worker=False)


def test_the_second_round_in_a_row_without_a_worker_ends_the_run() -> None:
    state = state_of(TRIALS, retries=5)
    state.begin_round()
    state.fail(IDS[0], "timeout (no worker came up in 900 s)")
    state.end_round("", no_worker=True)
    state.begin_round()
    state.start(IDS[1])  # a worker, after all
    state.fail(IDS[1], "timeout (no worker came up in 900 s)")
    state.end_round("", no_worker=True)
    state.begin_round()
    state.fail(IDS[0], "timeout (no worker came up in 900 s)")
    with pytest.raises(ClusterError, match="no worker came up in 2 rounds"):
        state.end_round("", no_worker=True)


def test_a_trial_waits_for_the_state_of_a_shorter_one() -> None:
    chain = [TRIALS[0].model_copy(update={"epochs": epochs}) for epochs in (2_000, 1_000)]
    long, short = chain
    state = state_of([*chain, TRIALS[1]])
    state.keep_state = True
    assert state.begin_round() == [TRIALS[1], short]
    after = state.estimate.seconds(long, after=1_000)
    assert state.eta() == pytest.approx(state.estimate.seconds(TRIALS[1]) + after)  # one after the other
    for one in (TRIALS[1], short):
        state.finish(one.trial_id, 0.5, 40.0)
    state.end_round("", no_worker=False)
    assert state.begin_round() == [long]


def test_a_trial_does_not_wait_for_one_that_is_out_of_attempts() -> None:
    long, short = (TRIALS[0].model_copy(update={"epochs": epochs}) for epochs in (2_000, 1_000))
    state = state_of([long, short], retries=0)
    state.keep_state = True
    assert state.begin_round() == [short]
    state.fail(short.trial_id, "no luck")
    state.end_round("", no_worker=False)
    assert state.begin_round() == [long]


def test_a_round_is_bounded() -> None:
    state = state_of([TrialSettings(arch="echo", len=2, mem=4, seed=n) for n in range(ROUND + 1)])
    assert len(state.begin_round()) == ROUND


def test_an_attempt_may_take_many_times_its_estimate() -> None:
    state = state_of(TRIALS)
    assert state.timeout_s(TRIALS[0]) == FLOOR_S
    for trial_id in IDS[:-1]:
        state.finish(trial_id, 0.5, 10_000.0)
    assert state.timeout_s(TRIALS[-1]) == FACTOR * state.estimate.seconds(TRIALS[-1]) > FLOOR_S
    state.trial_timeout = 7.0
    assert state.timeout_s(TRIALS[-1]) == 7.0


def test_what_is_left_weighs_its_cost(clock: Clock) -> None:
    state = state_of(TRIALS, clock)
    state.finish(IDS[0], 0.998, 41.25)
    state.start(IDS[2])
    state.progress(IDS[2], 3_250, 2.1, 0.3)
    left = [state.estimate.seconds(trial) for trial in state.missing.values()]
    half_done = state.estimate.seconds(TRIALS[2]) - state.estimate.seconds(TRIALS[2], after=3_250)
    assert state.eta() == pytest.approx((sum(left) - half_done) / 2)
    clock.now += ETA_REFRESH_S / 2
    assert state.eta() == pytest.approx((sum(left) - half_done) / 2 - ETA_REFRESH_S / 2)


def test_a_diverged_trial_says_nothing_of_the_pace() -> None:
    state = state_of(TRIALS)
    assert state.finish(IDS[0], None, 1.0).outcome == "diverged"
    assert state.estimate.n_measured == 0


def test_only_settings_that_vary_are_named() -> None:
    trials = [TrialSettings(arch="echo", len=2, mem=4, seed=seed, epochs=9) for seed in (0, 1)]
    assert state_of(trials).label(trials[1]) == "echo len 2 mem 4 seed 1"
    assert state_of(trials[:1]).label(trials[0]) == "echo len 2 mem 4"


def test_a_label_names_the_n_in_that_the_grid_sets() -> None:
    trials = [TrialSettings(arch="seq2seq", len=2, mem=4, seed=0, n_in=n_in) for n_in in (2, 5)]
    state = state_of(trials)
    assert [state.label(t) for t in trials] == ["seq2seq len 2 mem 4 n_in 2", "seq2seq len 2 mem 4 n_in 5"]
