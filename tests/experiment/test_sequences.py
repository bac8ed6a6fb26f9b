import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raysweep.experiment import Training
from raysweep.experiment.sequences import (
    Domain,
    draw_integers,
    evaluation_sequence,
    sequence_length,
    stream,
    training_sequence,
    windows_of,
)
from raysweep.trial.settings import TrialSettings

ECHO = TrialSettings(arch="echo", len=6, mem=16, seed=0)
SEEDS = st.integers(0, 2**31 - 1)
INDICES = st.integers(0, 10**9)


def test_windows_by_hand() -> None:
    windows = windows_of([4, 0, 9, 2, 7], n_in=3)
    assert windows.tolist() == [[4, 0, 9], [0, 9, 2], [9, 2, 7]]
    assert windows[:, :2].tolist() == [[4, 0], [0, 9], [9, 2]]  # targets for n_out = 2
    assert windows.dtype == np.int32


def test_windows_of_many_sequences_are_the_windows_of_each() -> None:
    sequences = np.arange(12).reshape(3, 4)
    together = windows_of(sequences, n_in=2)
    assert together.shape == (3, 3, 2)
    for sequence, windows in zip(sequences, together, strict=True):
        np.testing.assert_array_equal(windows, windows_of(sequence, n_in=2))


def test_a_sequence_is_as_long_as_its_windows_need() -> None:
    assert sequence_length(ECHO) == 25
    assert sequence_length(TrialSettings(arch="seq2seq", len=2, mem=150, seed=0)) == 25
    assert training_sequence(ECHO, 1).shape == (25,)
    assert windows_of(training_sequence(ECHO, 1), ECHO.n_in).shape == (20, 6)


@given(st.sampled_from(Domain), SEEDS, INDICES, st.sampled_from(Domain), SEEDS, INDICES)
def test_keys_are_equal_only_where_domain_seed_and_index_are(
    domain: Domain, seed: int, index: int, other_domain: Domain, other_seed: int, other_index: int
) -> None:
    key, other = (stream(domain, seed), index), (stream(other_domain, other_seed), other_index)
    assert (key == other) == ((domain, seed, index) == (other_domain, other_seed, other_index))
    assert 0 <= key[0] < 2**63


def test_keys_separate_the_domains_seeds_and_indices() -> None:
    drawn = {
        draw_integers(stream(domain, seed), index, length=25, values=99).numpy().tobytes()
        for domain in Domain
        for seed in range(20)
        for index in range(20)
    }
    assert len(drawn) == len(Domain) * 20 * 20


def test_the_stream_is_philox_as_published() -> None:
    """Known answer of Philox 4x32-10 for key 0 and counter 0, from Random123's kat_vectors."""
    words = draw_integers(0, 0, length=4, values=2**31 - 1).numpy()
    published = np.asarray([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8], np.uint64)
    assert words.tolist() == (published % (2**31 - 1)).tolist()


def test_integers_are_uniform_over_the_values() -> None:
    trial = ECHO.model_copy(update={"windows": 100_000, "values": 99})
    counts = np.bincount(training_sequence(trial, 1), minlength=100)
    assert counts[99] == 0  # the notebook's generator never draws the last of its vocabulary
    expected = counts.sum() / 99
    assert ((counts[:99] - expected) ** 2 / expected).sum() < 153  # chi squared, 98 degrees, p = 0.0003


def test_evaluation_sequences_are_those_of_the_evaluation_stream() -> None:
    trial = ECHO.model_copy(update={"epochs": 1, "eval_sequences": 3})
    training = Training(trial)
    training.advance(1)
    predictions = training.result().predictions
    assert predictions is not None
    windows = [windows_of(evaluation_sequence(trial, number), trial.n_in) for number in range(3)]
    np.testing.assert_array_equal(predictions.input, np.concatenate(windows))
    np.testing.assert_array_equal(predictions.expected, predictions.input)
    np.testing.assert_array_equal(predictions.sequence_index, np.repeat([0, 1, 2], 20))
    np.testing.assert_array_equal(predictions.window_index, np.tile(np.arange(20), 3))
