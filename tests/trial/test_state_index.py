"""Which kept state a trial goes on from, and which trial waits for which."""

from typing import Any

import pytest

from raysweep.errors import ResultsError
from raysweep.trial.head_start import HeadStart, head_starts, in_rounds
from raysweep.trial.resources import Resources
from raysweep.trial.settings import TrialSettings
from raysweep.trial.state_index import StateIndex
from raysweep.trial.training_state import (
    LARGEST_HEADER,
    MadeWith,
    StateHeader,
    made_here,
    pack,
    read_header,
    unpack,
)

HERE = MadeWith.here(threads=1, device="cpu")
ELSEWHERE = HERE.model_copy(update={"cpu_model": "a 486"})


def trial(epochs: int, **changes: Any) -> TrialSettings:
    return TrialSettings(**{"arch": "echo", "len": 2, "mem": 4, "seed": 0, "epochs": epochs, **changes})


def state(epochs: int, made_with: MadeWith = HERE, **changes: Any) -> StateHeader:
    return StateHeader(settings=trial(epochs, **changes), epoch=epochs, made_with=made_with)


def states_of(*headers: StateHeader, here: MadeWith | None = HERE) -> StateIndex:
    """States in files called by their number."""
    return StateIndex({f"{number}.state": header for number, header in enumerate(headers)}, here)


def test_trials_share_their_beginning_if_they_differ_only_in_epochs() -> None:
    assert trial(100).beginning == trial(200).beginning
    others = [trial(100, seed=1), trial(100, eval_every=50), trial(100, learning_rate=0.1)]
    assert trial(100).beginning not in {other.beginning for other in others}


def test_the_latest_state_with_no_more_epochs_is_the_one() -> None:
    states = states_of(state(100), state(300), state(200), state(500), state(400, seed=1))
    assert [(name, one.epoch) for name, one in states.usable(trial(400))] == [
        ("1.state", 300),
        ("2.state", 200),
        ("0.state", 100),
    ]
    assert states.epochs(trial(400)) == 300
    assert states.epochs(trial(300)) == 300  # its own: the row was lost
    assert states.epochs(trial(99)) == 0
    assert states.epochs(trial(400, seed=2)) == 0


def test_a_state_that_turned_out_to_be_damaged_gives_way_to_the_one_before() -> None:
    states = states_of(state(100), state(300))
    states.discard("1.state", trial(300))
    assert states.epochs(trial(400)) == 100
    states.add("0.state", state(200))
    assert states.epochs(trial(400)) == 200


def test_states_made_with_something_else_are_counted_by_what_it_was() -> None:
    states = states_of(state(100), state(200, ELSEWHERE), state(300, ELSEWHERE), state(900, ELSEWHERE))
    assert states.epochs(trial(400)) == 100
    ((words, count),) = states.unusable([trial(400), trial(500)]).items()
    assert count == 2
    assert words == f"made on a 486, cpu, here {HERE.cpu_model}, cpu"
    assert states_of(state(200, ELSEWHERE), here=None).epochs(trial(400)) == 200  # a worker decides


def test_a_chain_waits_link_by_link_and_only_if_states_are_kept() -> None:
    trials = [trial(300), trial(100), trial(200), trial(250, seed=1)]
    ids = {one.epochs: one.trial_id for one in trials}
    alone = head_starts(trials, lambda _: 0, keep_state=False)
    assert set(alone.values()) == {HeadStart(0)}
    chained = head_starts(trials, lambda _: 0, keep_state=True)
    assert chained == {
        ids[100]: HeadStart(0),
        ids[200]: HeadStart(100, ids[100]),
        ids[300]: HeadStart(200, ids[200]),
        ids[250]: HeadStart(0),
    }
    rounds = in_rounds([one.trial_id for one in trials], chained)
    assert rounds == [[ids[100], ids[250]], [ids[200]], [ids[300]]]


def test_a_trial_does_not_wait_for_what_is_there_already() -> None:
    trials = [trial(300), trial(100)]
    starts = head_starts(trials, lambda settings: min(settings.epochs, 150), keep_state=True)
    assert starts == {trials[0].trial_id: HeadStart(150), trials[1].trial_id: HeadStart(100)}


def test_a_trial_does_not_wait_for_a_tiny_head_start() -> None:
    trials = [trial(1000), trial(99), trial(100, seed=1), trial(1000, seed=1)]
    starts = head_starts(trials, lambda _: 0, keep_state=True)
    assert starts[trials[0].trial_id] == HeadStart(0)
    assert starts[trials[3].trial_id] == HeadStart(100, trials[2].trial_id)


def test_what_is_packed_is_unpacked_and_the_header_alone_is_read() -> None:
    data = pack(state(100), b"arrays")
    assert unpack(data) == (state(100), b"arrays")
    assert read_header(data[:LARGEST_HEADER]) == state(100)
    assert read_header(data[:-1]) == state(100)  # whether the rest is whole is not its question


@pytest.mark.parametrize("cut", [0, 3, 19, 20, 100, -1])
def test_a_state_that_was_cut_is_damaged(cut: int) -> None:
    with pytest.raises(ResultsError, match="damaged"):
        unpack(pack(state(100), b"arrays")[:cut])


@pytest.mark.parametrize("start", [b"", b"x" * 19, b"x" * 5000, b"\0" * 5000])
def test_what_is_no_state_has_no_header(start: bytes) -> None:
    with pytest.raises(ResultsError, match="not a state of this version"):
        read_header(start)


def test_only_tensorflow_knows_what_a_gpu_is_called() -> None:
    assert made_here(Resources()) == HERE
    assert made_here(Resources(cpu=2.5)) == HERE.model_copy(update={"threads": 2})
    assert made_here(Resources(gpu=1)) is None
