"""Checkpoints and states in their folders: the latest that is whole is given, what is torn is set aside."""

from typing import Any

from raysweep.store.ledger import Damage, Ledger
from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import MadeWith, StateHeader, pack

HERE = MadeWith.here(threads=1, device="cpu")


def trial(epochs: int) -> TrialSettings:
    return TrialSettings(arch="echo", len=2, mem=4, seed=0, epochs=epochs)


def state(settings: TrialSettings, epoch: int, arrays: bytes = b"arrays") -> bytes:
    return pack(StateHeader(settings=settings, epoch=epoch, made_with=HERE), arrays)


def latest(writer: Any, settings: TrialSettings) -> tuple[bytes | None, list[str]]:
    damaged: list[Damage] = []
    return writer.saved.latest(settings, damaged), [one.path.name for one in damaged]


def test_the_latest_of_checkpoint_and_states_is_given(ledger: Ledger) -> None:
    long = trial(300)
    with ledger.open_for_writing() as writer:
        assert not writer.saved.can_go_on(long)
        assert latest(writer, long) == (None, [])
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        assert writer.saved.can_go_on(long)
        assert latest(writer, long) == (state(trial(100), 100), [])
        writer.put_checkpoint(long.trial_id, state(long, 50))
        assert latest(writer, long) == (state(trial(100), 100), [])
        writer.put_checkpoint(long.trial_id, state(long, 150))
        assert latest(writer, long) == (state(long, 150), [])
        writer.put_checkpoint(long.trial_id, b"of another raysweep")
        assert latest(writer, long) == (state(trial(100), 100), [])


def test_a_later_writer_finds_the_states(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
    with ledger.open_for_writing() as writer:
        writer.saved.find_states(HERE)
        assert writer.saved.states.epochs(trial(300)) == 100
    assert ledger.states(HERE).epochs(trial(300)) == 100
    assert ledger.states(HERE.model_copy(update={"threads": 2})).epochs(trial(300)) == 0


def test_torn_states_are_set_aside_one_after_the_other(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        for epochs in (100, 200, 250):
            writer.saved.put_state(trial(epochs).trial_id, state(trial(epochs), epochs))
        for epochs in (200, 250):
            path = ledger.paths.state(trial(epochs).trial_id)
            path.write_bytes(path.read_bytes()[:-1])
        torn = [f"{trial(epochs).trial_id}.state" for epochs in (250, 200)]
        assert latest(writer, trial(300)) == (state(trial(100), 100), torn)
        assert latest(writer, trial(300)) == (state(trial(100), 100), [])
    assert {path.name for path in ledger.paths.damaged.glob("*/*")} == set(torn)
    assert ledger.verify().damage == ()


def test_what_is_no_state_is_not_found_and_verify_tells_what_is_foreign(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        writer.saved.put_state(trial(200).trial_id, state(trial(100), 100))
        writer.saved.put_state(trial(250).trial_id, b"of another raysweep")
        (ledger.paths.states / "notes.txt").write_text("mine")
        writer.saved.find_states(HERE)
        assert [one.epoch for one in writer.saved.states.usable(trial(300))] == [100]
    (damage,) = ledger.verify().damage
    assert damage.path == ledger.paths.state(trial(200).trial_id)
    assert damage.what == f"the state belongs to another trial, {trial(100).trial_id}"
