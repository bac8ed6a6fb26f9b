"""Checkpoints and states in their folders: the latest that is whole is given, what is torn is set aside."""

import numpy as np
import pytest

from raysweep.errors import StorageError
from raysweep.store.encoding import encode
from raysweep.store.ledger import Damage, Ledger, Writer
from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import MadeWith, StateHeader, pack
from tests.ledgers import checkpoint_of
from tests.make_results import PROVENANCE, synthetic_result

HERE = MadeWith.here(threads=1, device="cpu")


def trial(epochs: int) -> TrialSettings:
    return TrialSettings(arch="echo", len=2, mem=4, seed=0, epochs=epochs)


def state(settings: TrialSettings, epoch: int, made_with: MadeWith = HERE) -> bytes:
    return pack(StateHeader(settings=settings, epoch=epoch, made_with=made_with), b"arrays")


def latest(writer: Writer, settings: TrialSettings) -> tuple[bytes | None, list[str]]:
    damaged: list[Damage] = []
    return writer.saved.latest(settings, damaged), [one.path.name for one in damaged]


def test_the_latest_of_checkpoint_and_states_is_given(ledger: Ledger) -> None:
    long = trial(300)
    with ledger.open_for_writing() as writer:
        assert latest(writer, long) == (None, [])
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        assert latest(writer, long) == (state(trial(100), 100), [])
        writer.put_checkpoint(long.trial_id, state(long, 50))
        assert latest(writer, long) == (state(trial(100), 100), [])
        writer.put_checkpoint(long.trial_id, state(long, 150))
        assert latest(writer, long) == (state(long, 150), [])
        assert writer.saved.states.epochs(long) == 150


def test_a_later_writer_and_a_reader_find_both(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        writer.put_checkpoint(trial(300).trial_id, state(trial(300), 150))
    with ledger.open_for_writing() as writer:
        writer.saved.find(HERE, [])
        assert writer.saved.states.epochs(trial(300)) == 150
    assert ledger.states(HERE).epochs(trial(300)) == 150
    assert ledger.states(HERE.model_copy(update={"threads": 2})).epochs(trial(300)) == 0


def test_a_checkpoint_made_elsewhere_gives_way_to_an_earlier_state_made_here(ledger: Ledger) -> None:
    elsewhere = HERE.model_copy(update={"cpu_features": "of an older one"})
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        writer.put_checkpoint(trial(300).trial_id, state(trial(300), 150, elsewhere))
    with ledger.open_for_writing() as writer:
        writer.saved.find(HERE, [])
        assert latest(writer, trial(300)) == (state(trial(100), 100), [])
        ((words, count),) = writer.saved.states.unusable([trial(300)]).items()
    assert (words, count) == (f"made on another {HERE.cpu_model}, with other instructions", 1)


def test_a_checkpoint_is_forgotten_when_its_trial_is_committed(ledger: Ledger) -> None:
    settings = trial(100)
    with ledger.open_for_writing() as writer:
        writer.put_checkpoint(settings.trial_id, state(settings, 50))
        assert writer.saved.states.epochs(trial(300)) == 50
        writer.commit(encode(synthetic_result(settings, np.random.default_rng(0)), PROVENANCE))
        assert writer.saved.states.epochs(trial(300)) == 0
    assert checkpoint_of(ledger, settings.trial_id) is None


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


def test_what_is_damaged_in_its_header_is_set_aside_when_states_are_sought(ledger: Ledger) -> None:
    name = f"{trial(100).trial_id}.state"
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        writer.saved.put_state(trial(250).trial_id, b"of another raysweep")
        path = ledger.paths.state(trial(100).trial_id)
        path.write_bytes(path.read_bytes().replace(b'"layout"', b'"lay0ut"'))
        damaged: list[Damage] = []
        writer.saved.find(HERE, damaged)
        assert [one.path.name for one in damaged] == [name]
        assert latest(writer, trial(300)) == (None, [])
    assert ledger.verify().damage == ()
    assert ledger.paths.state(trial(250).trial_id).exists()


def test_what_is_no_state_is_not_found_and_verify_tells_what_is_foreign(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        writer.saved.put_state(trial(200).trial_id, state(trial(100), 100))
        (ledger.paths.states / "notes.txt").write_text("mine")
        writer.saved.find(HERE, [])
        assert [one.epoch for _, one in writer.saved.states.usable(trial(300))] == [100]
    (damage,) = ledger.verify().damage
    assert damage.path == ledger.paths.state(trial(200).trial_id)
    assert damage.what == f"the state belongs to another trial, {trial(100).trial_id}"


def test_a_folder_in_the_place_of_a_state_is_quarantined(ledger: Ledger) -> None:
    with ledger.open_for_writing() as writer:
        ledger.paths.state(trial(100).trial_id).mkdir()
        writer.saved.put_state(trial(100).trial_id, state(trial(100), 100))
        assert latest(writer, trial(100)) == (state(trial(100), 100), [])


def test_a_state_that_cannot_be_written_costs_no_result(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = trial(100)
    encoded = encode(synthetic_result(settings, np.random.default_rng(0)), PROVENANCE)
    with ledger.open_for_writing() as writer:

        def full(trial_id: str, data: bytes) -> None:
            raise StorageError("No space left on device")

        monkeypatch.setattr(writer.saved, "put_state", full)
        with pytest.raises(StorageError, match="is committed, but its state is not kept: No space left"):
            writer.commit(encoded, state(settings, 100))
        assert settings.trial_id in writer.committed
    assert ledger.verify().damage == ()
