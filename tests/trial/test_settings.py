import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from raysweep.architectures import BUILT_IN
from raysweep.trial.settings import TrialSettings, conflicts, resolve

ECHO: dict[str, Any] = {"arch": "echo", "len": 6, "mem": 16, "seed": 0}


@pytest.mark.parametrize(
    ("given", "trial_id"),
    [
        (ECHO, "echo-len6-mem16-seed0-8c1ef053eeb5"),
        ({"arch": "seq2seq", "len": 2, "mem": 150, "seed": 0}, "seq2seq-len2-mem150-seed0-a4b361bab25c"),
        ({"arch": "seq2seq", "len": 8, "mem": 300, "seed": 3}, "seq2seq-len8-mem300-seed3-1c65b6beda42"),
        (
            {**ECHO, "mem": 20, "len": 5, "values": 100, "windows": 21, "batch_size": 7},
            "echo-len5-mem20-seed0-9f5597c14a91",
        ),
        ({**ECHO, "learning_rate": 1e-4}, "echo-len6-mem16-seed0-586b5cae2f89"),
    ],
)
def test_golden_ids(given, trial_id):
    assert TrialSettings(**given).trial_id == trial_id


def test_canonical_json_is_the_whole_resolved_content():
    assert TrialSettings(**ECHO).canonical_json == (
        '{"arch":"echo","batch_size":5,"curve_every":25,"epochs":500,"eval_every":100,"eval_sequences":50,'
        '"learning_rate":0.001,"len":6,"mem":16,"n_in":6,"seed":0,"semantics":1,"values":99,'
        '"vocab":100,"windows":20}'
    )


@st.composite
def trials(draw):
    arch = draw(st.sampled_from(sorted(BUILT_IN)))
    n_out = draw(st.integers(1, 20))
    windows = draw(st.integers(1, 60))
    batch_size = draw(st.sampled_from([d for d in range(1, windows + 1) if windows % d == 0]))
    vocab = draw(st.integers(2, 200))
    return {
        "arch": arch,
        "len": n_out,
        "mem": draw(st.integers(1, 500)),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "n_in": n_out if arch == "echo" else draw(st.integers(n_out, 40)),
        "windows": windows,
        "batch_size": batch_size,
        "epochs": draw(st.integers(1, 10**9)),
        "learning_rate": draw(st.floats(1e-9, 1.0)),
        "vocab": vocab,
        "values": draw(st.integers(1, vocab)),
        "eval_sequences": draw(st.integers(1, 1000)),
        "curve_every": (curve_every := draw(st.integers(1, 1000))),
        "eval_every": curve_every * draw(st.integers(0, 10)),
    }


@settings(deadline=None)
@given(trials(), st.randoms(use_true_random=False))
def test_an_id_ignores_the_order_of_its_settings(trial, rng):
    shuffled = list(trial.items())
    rng.shuffle(shuffled)
    assert TrialSettings(**dict(shuffled)).trial_id == TrialSettings(**trial).trial_id


@settings(deadline=None)
@given(trials())
def test_settings_round_trip_through_json(trial):
    asked = TrialSettings(**trial)
    again = TrialSettings(**json.loads(json.dumps(asked.model_dump())))
    assert (again, again.trial_id) == (asked, asked.trial_id)


@pytest.mark.parametrize("field", sorted(TrialSettings.model_fields.keys() - {"network", "options"}))
def test_every_setting_is_part_of_the_identity(field):
    base: dict[str, Any] = {**ECHO, "arch": "seq2seq", "len": 2}
    others: dict[str, Any] = {"arch": "echo", "batch_size": 7, "learning_rate": 0.5, "vocab": 101}
    others["eval_every"] = 500
    assert TrialSettings(**{**base, field: others.get(field, 42)}).trial_id != TrialSettings(**base).trial_id


def test_the_network_and_its_options_are_part_of_the_identity():
    base: dict[str, Any] = {"arch": "gru", "len": 2, "mem": 4, "seed": 0, "network": 64 * "0"}
    base["options"] = {"depth": 1, "rate": 0.5}
    trials = [
        TrialSettings(**base),
        TrialSettings(**{**base, "network": 64 * "1"}),
        TrialSettings(**{**base, "options": {"depth": 2, "rate": 0.5}}),
        TrialSettings(**{**base, "options": {"depth": 1, "rate": 1}}),
        TrialSettings(**{**base, "options": {"depth": 1}}),
    ]
    assert len({trial.trial_id for trial in trials}) == len(trials)
    assert trials[0] == TrialSettings(**{**base, "options": {"rate": 0.5, "depth": 1}})
    assert trials[0].trial_id == "gru-len2-mem4-seed0-f0d6b9d14a9e"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network": None}, "gru is not built in; use echo or seq2seq, or a network's function"),
        ({"arch": "echo", "n_in": 2}, "echo is built in; give a function of your own another name"),
        ({"network": "abc"}, "should match pattern"),
        ({"options": {"depth": None}}, "an option is a number, a bool or a text"),
        ({"options": (("b", "1"), ("a", "2"))}, "options are not sorted by name"),
        ({"options": (("a", "1"), ("a", "2"))}, "options are not sorted by name, or one is given twice"),
    ],
)
def test_settings_of_no_network(wrong, message):
    base: dict[str, Any] = {"arch": "gru", "len": 2, "mem": 4, "seed": 0, "network": 64 * "0"}
    with pytest.raises(ValidationError, match=message):
        TrialSettings(**{**base, **wrong})


def test_defaults_are_the_same_as_their_values_written_out():
    written: dict[str, Any] = {
        "n_in": 5, "windows": 21, "batch_size": 21, "epochs": 5000, "learning_rate": 0.001,
        "vocab": 100, "values": 99, "eval_sequences": 50, "curve_every": 25, "eval_every": 250,
    }  # fmt: skip
    silent: dict[str, Any] = {"arch": "seq2seq", "len": 4, "mem": 300, "seed": 0}
    assert TrialSettings(**silent, **written) == TrialSettings(**silent)
    assert TrialSettings(**silent).updates == 5000
    assert TrialSettings(**ECHO).updates == 2000


def test_a_default_interval_of_evaluations_is_rounded_up_to_whole_points_of_the_curve():
    trial: dict[str, Any] = {"arch": "seq2seq", "len": 4, "mem": 300, "seed": 0}
    rounded = {every: TrialSettings(**trial, curve_every=every).eval_every for every in (1, 40, 100, 3000)}
    assert rounded == {1: 250, 40: 280, 100: 300, 3000: 3000}
    assert TrialSettings(**trial, eval_every=0).eval_every == 0


def test_seq2seq_reads_five_timesteps_or_as_many_as_it_writes():
    n_in = [TrialSettings(arch="seq2seq", len=n, mem=1, seed=0).n_in for n in (1, 5, 6, 8)]
    assert n_in == [5, 5, 6, 8]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"len": 6, "n_in": 5}, "len", "6 (n_out) is more than n_in = 5; use at most 5"),
        (
            {"arch": "echo", "n_in": 5},
            "n_in",
            "5 is not len = 2, but echo repeats its whole input; leave n_in out",
        ),
        ({"batch_size": 20}, "batch_size", "20 does not divide windows = 21; use 1, 3, 7 or 21"),
        ({"values": 101}, "values", "101 is more than vocab = 100; use at most 100"),
        ({"eval_every": 130}, "eval_every", "130 is not a multiple of curve_every = 25; use 150 or 0"),
    ],
)
def test_conflicting_settings_are_refused_by_name(change, field, message):
    trial = {"arch": "seq2seq", "len": 2, "mem": 16, "seed": 0, **change}
    assert list(conflicts(resolve(trial))) == [(field, message)]
    with pytest.raises(ValidationError) as caught:
        TrialSettings(**trial)
    (error,) = caught.value.errors()
    assert (error["ctx"]["field"], error["msg"]) == (field, message)


def test_all_conflicts_are_found_and_unknown_values_are_skipped():
    trial = {**ECHO, "batch_size": 7, "values": 101}
    assert [field for field, _ in conflicts(resolve(trial))] == ["batch_size", "values"]
    assert not list(conflicts(resolve({**trial, "batch_size": None, "vocab": None, "len": None})))


@pytest.mark.parametrize(
    "change",
    [
        {"mem": "16"}, {"mem": 16.0}, {"mem": True}, {"mem": 0}, {"seed": -1}, {"seed": 2**31},
        {"arch": "rnn"}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"memm": 16}, {"len": None},
    ],
)  # fmt: skip
def test_nothing_is_coerced_clamped_or_ignored(change):
    with pytest.raises(ValidationError):
        TrialSettings(**{**ECHO, **change})


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        TrialSettings(**ECHO).mem = 17  # type: ignore[misc]  # that it cannot be set is the test


def test_a_copy_has_an_identity_of_its_own_and_is_validated():
    first = TrialSettings(**ECHO)
    assert first.trial_id  # read, and so kept, before it is copied
    assert first.model_copy(update={"seed": 1}).trial_id == TrialSettings(**{**ECHO, "seed": 1}).trial_id
    with pytest.raises(ValidationError, match="does not divide"):
        first.model_copy(update={"batch_size": 3})
