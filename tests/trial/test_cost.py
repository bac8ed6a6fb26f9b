import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.architectures import architecture_of
from raysweep.trial.cost import (
    Measured,
    RuntimeEstimate,
    assumed_seconds,
    makespan,
)
from raysweep.trial.settings import TrialSettings


def echo(**given) -> TrialSettings:
    return TrialSettings(**{"arch": "echo", "len": 6, "mem": 16, "seed": 0, **given})


def seq2seq(**given) -> TrialSettings:
    return TrialSettings(**{"arch": "seq2seq", "len": 2, "mem": 150, "seed": 0, **given})


def test_arithmetic_counted_by_hand():
    # echo, one window of one timestep: M × 4M for the state, M × vocab for the softmax
    tiny = echo(len=1, mem=2, vocab=3, values=3, windows=1, batch_size=1)
    echoes, pairs = architecture_of("echo"), architecture_of("seq2seq")
    assert echoes.multiplications(tiny) == 2 * 8 + 2 * 3
    assert echoes.num_weights(tiny) == (3 * 8 + 2 * 8 + 8) + (2 * 3 + 3)
    # seq2seq, 5 steps in, one projection of what is repeated, 2 steps out
    pair = seq2seq(mem=2, vocab=3, values=3, windows=1, batch_size=1)
    assert pairs.multiplications(pair) == (5 + 1 + 2) * 2 * 8 + 2 * (2 * 3)
    assert pairs.num_weights(pair) == (3 * 8 + 2 * 8 + 8) + (2 * 8 + 2 * 8 + 8) + (2 * 3 + 3)


@pytest.mark.parametrize(
    ("trial", "milliseconds"),
    [(echo(), (0.4, 1.1)), (seq2seq(), (1.4, 2.4)), (seq2seq(len=4, mem=300), (7.5, 11.0))],
)
def test_an_assumed_epoch_is_near_the_measured_ones(trial, milliseconds):
    longer = trial.model_copy(update={"epochs": trial.epochs + 1000})
    epoch_ms = assumed_seconds(longer) - assumed_seconds(trial)
    assert milliseconds[0] < epoch_ms < milliseconds[1]


def test_the_runtime_is_assumed_until_a_trial_is_measured():
    assert RuntimeEstimate().n_measured == 0
    assert RuntimeEstimate().seconds(echo()) == assumed_seconds(echo())


def test_the_ratio_comes_from_the_closest_group():
    estimate = RuntimeEstimate([Measured(echo(), 3 * assumed_seconds(echo()))])
    estimate.add(Measured(seq2seq(), 5 * assumed_seconds(seq2seq())))
    estimate.add(Measured(seq2seq(mem=300), 7 * assumed_seconds(seq2seq(mem=300))))
    assert estimate.n_measured == 3
    replicate, relative = seq2seq(seed=9), seq2seq(mem=200)
    assert estimate.seconds(replicate) == pytest.approx(5 * assumed_seconds(replicate))
    assert 5 < estimate.seconds(relative) / assumed_seconds(relative) < 7
    assert estimate.seconds(echo(mem=50)) == pytest.approx(3 * assumed_seconds(echo(mem=50)))


def test_another_architecture_is_better_than_nothing():
    estimate = RuntimeEstimate([Measured(seq2seq(), 2 * assumed_seconds(seq2seq()))])
    assert estimate.seconds(echo()) == pytest.approx(2 * assumed_seconds(echo()))


def test_epochs_that_are_trained_already_cost_nothing():
    trial = seq2seq(epochs=5000)
    estimate = RuntimeEstimate([Measured(trial, 3 * assumed_seconds(trial, after=2500), after=2500)])
    assert estimate.seconds(trial) == pytest.approx(3 * assumed_seconds(trial))
    half = estimate.seconds(trial, after=2500)
    assert 0.45 < half / estimate.seconds(trial) < 0.6
    assert 0 < estimate.seconds(trial, after=5000) < half / 2  # it is evaluated


def test_makespan_by_hand():
    durations = [2, 3, 2, 3, 4]
    # LPT on two slots: 4 2 | 3 3, then 2 to either: 8 (the best would be 7)
    assert makespan(durations, 2) == 8
    assert makespan(durations, 100) == 4
    assert makespan([], 2) == 0


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=30), st.integers(1, 8))
def test_makespan_lies_between_its_bounds(durations, slots):
    floor = max(max(durations), sum(durations) / slots)
    # Graham 1969: list scheduling is within 2 - 1/slots of the best schedule.
    assert floor - 1e-9 <= makespan(durations, slots) <= (2 - 1 / slots) * floor + 1e-9
