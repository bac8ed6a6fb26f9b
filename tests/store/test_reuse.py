"""Trials of other results folders: verified, copied byte for byte, or refused with a word."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from raysweep.cli.output import ledger_of
from raysweep.errors import UsageError
from raysweep.store import checksum
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from raysweep.store.reuse import Taken, open_donors, reusable, take
from raysweep.trial.training_state import MadeWith, StateHeader, pack
from tests.command import tables
from tests.ledgers import encoded
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings

IDS = [synthetic_settings(seed=seed).trial_id for seed in range(4)]


def folder_of(path: Path, seeds: range, diverged: int | None = None) -> Ledger:
    ledger = Ledger(path)
    with ledger.open_for_writing() as writer:
        for seed in seeds:
            writer.commit(encoded(seed, diverged=seed == diverged))
    return ledger


def taken(own: Ledger, donors: list[Ledger], *, keep_state: bool = False, wanted: list[str] = IDS) -> Taken:
    with own.open_for_writing() as writer:
        missing = [one for one in wanted if one not in writer.committed]
        found = reusable(missing, donors, keep_state=keep_state)
        done = take(writer, found, keep_state=keep_state)
        done.refused = {**found.refused, **done.refused}
        return done


@pytest.fixture
def own(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "own")


def test_what_is_missing_is_copied_byte_for_byte(tmp_path: Path, own: Ledger) -> None:
    other = folder_of(tmp_path / "other", range(3), diverged=1)
    done = taken(own, [other])
    assert done.counts == {other.paths.folder: 3}
    assert done.refused == {}
    kinds = ("trials", "predictions", "curves")
    assert tables(own.paths.folder, *kinds) == tables(other.paths.folder, *kinds)
    assert len(tables(own.paths.folder, "predictions")) == 2  # one diverged
    assert own.verify().damage == ()
    assert taken(own, [other]).counts == {}


def test_only_what_is_wanted_is_taken_and_a_committed_trial_stays(tmp_path: Path, own: Ledger) -> None:
    other = folder_of(tmp_path / "other", range(4))
    with own.open_for_writing() as writer:
        result = synthetic_result(synthetic_settings(seed=0), np.random.default_rng(99))
        writer.commit(encode(result, PROVENANCE))
    before = tables(own.paths.folder)
    assert taken(own, [other], wanted=IDS[:2]).trials == {IDS[1]: other.paths.folder}
    assert own.committed() == {*IDS[:2]}
    assert before.items() <= tables(own.paths.folder).items()


@pytest.mark.parametrize("kind", ["trials", "predictions", "curves"])
@pytest.mark.parametrize("how", ["flipped", "cut", "lost", "foreign"])
def test_what_is_damaged_is_not_taken_with_a_word(tmp_path: Path, own: Ledger, kind: str, how: str) -> None:
    other = folder_of(tmp_path / "other", range(2))
    path = other.paths.folder / kind / f"{IDS[0]}.parquet"
    data = bytearray(path.read_bytes())
    if how == "flipped":
        data[len(data) // 3] ^= 1
    path.write_bytes(data[:-9] if how == "cut" else data)
    if how == "lost":
        path.unlink()
    if how == "foreign":
        shutil.copyfile(path.with_name(f"{IDS[1]}.parquet"), path)
    done = taken(own, [other])
    assert done.trials == {IDS[1]: other.paths.folder}
    assert own.verify().damage == ()
    if (kind, how) == ("trials", "lost"):
        assert done.refused == {}  # it is no trial
    else:
        (word,) = done.refused
        assert word.startswith(f"{path}: ")


def test_another_folder_has_what_is_damaged_in_the_first(tmp_path: Path, own: Ledger) -> None:
    first, second = folder_of(tmp_path / "a", range(2)), folder_of(tmp_path / "b", range(3))
    path = first.paths.table("curves", IDS[0])
    path.write_bytes(path.read_bytes()[::-1])
    done = taken(own, [first, second])
    assert done.counts == {first.paths.folder: 1, second.paths.folder: 2}
    assert [word.partition(": ")[0] for word in done.refused] == [str(path)]


def test_a_diverged_trial_with_predictions_is_not_taken(tmp_path: Path, own: Ledger) -> None:
    other = folder_of(tmp_path / "other", range(2), diverged=0)
    other.paths.table("predictions", IDS[0]).write_bytes(b"x")
    assert taken(own, [other]).trials == {IDS[1]: other.paths.folder}


def test_the_folder_of_a_run_gives_what_it_has_committed(tmp_path: Path, own: Ledger) -> None:
    other = Ledger(tmp_path / "other")
    with other.open_for_writing() as writer:
        writer.commit(encoded(0))
        other.paths.table("curves", IDS[1]).write_bytes(b"a commit in progress")
        assert taken(own, [other]).trials == {IDS[0]: other.paths.folder}


def state_of(seed: int) -> bytes:
    header = StateHeader(settings=synthetic_settings(seed=seed), epoch=100, made_with=MadeWith.here(1, "cpu"))
    return pack(header, b"arrays")


def test_states_travel_along_if_the_grid_keeps_them(tmp_path: Path, own: Ledger) -> None:
    other = Ledger(tmp_path / "other")
    with other.open_for_writing() as writer:
        for seed in range(4):
            writer.commit(encoded(seed), state_of(seed) if seed else None)
    torn, foreign = (other.paths.state(one) for one in IDS[2:])
    torn.write_bytes(torn.read_bytes()[:-1])
    foreign.write_bytes(checksum.append(state_of(1)))
    assert taken(Ledger(tmp_path / "without"), [other]).counts == {other.paths.folder: 4}
    assert not [*(tmp_path / "without" / "states").iterdir()]
    done = taken(own, [other], keep_state=True)
    assert done.counts == {other.paths.folder: 4}
    assert [path.name for path in own.paths.states.iterdir()] == [f"{IDS[1]}.state"]
    assert own.paths.state(IDS[1]).read_bytes() == other.paths.state(IDS[1]).read_bytes()
    assert [word.partition(": ")[0] for word in done.refused] == [str(torn), str(foreign)]


def test_a_folder_that_has_the_state_is_preferred(tmp_path: Path, own: Ledger) -> None:
    without, having = folder_of(tmp_path / "a", range(2)), Ledger(tmp_path / "b")
    with having.open_for_writing() as writer:
        writer.commit(encoded(1), state_of(1))
    done = taken(own, [without, having], keep_state=True)
    assert done.trials == {IDS[0]: without.paths.folder, IDS[1]: having.paths.folder}
    assert [path.name for path in own.paths.states.iterdir()] == [f"{IDS[1]}.state"]


@pytest.mark.parametrize("what", ["nowhere", "a file", "an empty folder"])
def test_a_folder_that_is_no_sweep_is_an_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "other"
    if what == "a file":
        path.touch()
    elif what == "an empty folder":
        path.mkdir()
    with pytest.raises(UsageError, match=f"^--reuse {path}: no such folder; |^--reuse {path}: no sweep has "):
        open_donors([path], tmp_path / "own")


def test_the_own_folder_gives_nothing_and_every_other_counts_once(tmp_path: Path) -> None:
    folder_of(tmp_path / "own", range(1))
    other = folder_of(tmp_path / "other", range(1)).paths.folder
    (tmp_path / "link").symlink_to(other)
    found = open_donors([tmp_path / "own" / ".." / "own", other, tmp_path / "link", other], tmp_path / "own")
    assert [one.paths.folder for one in found] == [other]


def test_the_name_of_a_sweep_is_answered_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "results" / "first", range(1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"--reuse first: no such folder; did you mean results/first\?"):
        open_donors([Path("first")], tmp_path / "own")
    with pytest.raises(UsageError, match=r"first: no such results folder; did you mean results/first\?"):
        ledger_of(Path("first"))
