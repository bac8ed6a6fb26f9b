"""Comparison of two sweeps: matching, differences by hand and by SciPy, false flags, bytes, JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel

from benchmarks.differences import cell_of, simulated
from raysweep.analysis.aggregate import CELL_SETTINGS, Cell
from raysweep.analysis.comparison import Comparison, compare, comparison_json
from raysweep.analysis.difference import Bounds, Difference, difference, mover
from raysweep.analysis.matching import Change, Group, choices, matched, selected
from raysweep.errors import UsageError
from raysweep.store.ledger import Ledger
from raysweep.trial.settings import TrialSettings
from tests.sweeps import failure_of, planned, synthetic_results, trials_of, write_sweep

V1, V2 = "1" * 64, "2" * 64


def between(a: Cell, b: Cell) -> Difference:
    found = difference(a, b)
    assert found is not None
    return found


def of_shares(shares: Sequence[float], seeds: Sequence[int], sequences: int = 50, windows: int = 20) -> Cell:
    """A cell whose seeds have these shares right, each the same windows of every sequence."""
    hits = np.array([[round(share * windows)] * sequences for share in shares])
    return cell_of(hits, windows, seeds)


def test_mover_is_method_10_of_newcombe() -> None:
    # His example (a), table II: 56 of 70 and 48 of 80 differ by 0.2, with 0.0524 to 0.3339.
    a, b = (binomtest(right, of).proportion_ci(method="wilson") for right, of in ((48, 80), (56, 70)))
    ends = mover(Bounds(a.low, 48 / 80, a.high), Bounds(b.low, 56 / 70, b.high))
    assert ends == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_mover_stays_within_the_possible() -> None:
    low, high = mover(Bounds(0, 0, 1), Bounds(0, 1, 1))
    assert (low, high) == (1 - 2**0.5, 1)


def test_paired_is_students_t_where_seeds_differ() -> None:
    a, b = [0.2, 0.5, 0.35], [0.55, 0.6, 0.8]
    found = between(of_shares(a, range(3)), of_shares(b, range(3)))
    expected = ttest_rel(b, a).confidence_interval(0.95)
    assert (found.method, found.seeds_a) == ("paired", (0, 1, 2))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.flagged is None


def test_paired_is_no_narrower_than_the_sequences_allow() -> None:
    found = between(of_shares([0.5] * 3, range(3)), of_shares([0.6] * 3, range(3)))
    a, b = (binomtest(right, 150).proportion_ci(method="exact") for right in (75, 90))
    assert (found.low, found.high) == pytest.approx(
        (0.1 - np.hypot(0.6 - b.low, a.high - 0.5), 0.1 + np.hypot(b.high - 0.6, 0.5 - a.low))
    )


def test_paired_over_common_seeds_if_they_are_enough() -> None:
    three = of_shares([0.1, 0.2, 0.3], [0, 1, 2])
    shared = between(three, of_shares([0.4, 0.5, 0.9], [1, 2, 3]))
    assert (shared.method, shared.seeds_a, shared.seeds_b) == ("paired", (1, 2), (1, 2))
    assert (shared.exact_match_a, shared.exact_match_b) == pytest.approx((0.25, 0.45))
    for seeds in ([2, 3, 4], [3, 4, 5], [2], [1, 2, 5, 6, 7]):
        found = between(three, of_shares([0.5] * len(seeds), seeds))
        assert (found.method, found.seeds_b) == ("independent", tuple(seeds))


def test_a_cell_of_one_sequence_proves_nothing() -> None:
    found = between(of_shares([0.0], [0], sequences=1), of_shares([1.0], [0], sequences=1))
    assert (found.method, found.value, found.flagged) == ("independent", 1, None)


cells = (
    st.integers(1, 4)
    .flatmap(
        lambda seeds: st.tuples(
            st.lists(
                st.lists(st.one_of(st.integers(0, 4), st.sampled_from([0, 4])), min_size=3, max_size=3),
                min_size=seeds,
                max_size=seeds,
            ),
            st.lists(st.integers(0, 5), min_size=seeds, max_size=seeds, unique=True).map(sorted),
        )
    )
    .map(lambda drawn: cell_of(np.array(drawn[0]), 4, drawn[1]))
)


@given(cells, cells)
def test_never_of_zero_width_never_outside_and_mirrored(a: Cell, b: Cell) -> None:
    found, back = between(a, b), between(b, a)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=1e-12)


@given(cells)
def test_no_cell_differs_from_itself(cell: Cell) -> None:
    found = between(cell, cell)
    assert (found.value, found.flagged) == (0, None)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize(("correlation", "blocks"), [(0.0, 4), (0.03, 4), (0.03, 20)])
def test_at_most_seven_percent_are_flagged_without_a_difference(
    seeds: int, correlation: float, blocks: int
) -> None:
    """A hundred simulated pairs of sweeps of nine cells, whose shares go from 0 to 1."""
    shares = (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)
    flagged = [simulated(share, share, correlation, seeds, blocks, 100) for share in shares]
    assert np.mean([one["shown"][0] for one in flagged]) <= 0.07
    assert np.mean([one["MOVER"][0] for one in flagged]) <= 0.07


@pytest.mark.parametrize(("seeds", "least"), [(1, 0.9), (3, 0.85), (5, 0.98)])
def test_a_planted_difference_is_found(seeds: int, least: float) -> None:
    assert simulated(0.5, 0.9, 0.03, seeds, 20, 200)["shown"][0] >= least


def cell(**given: Any) -> Cell:
    """A cell of these settings that has not run."""
    settings = TrialSettings(**{"arch": "echo", "len": 2, "mem": 4, "seed": 0, **given}).model_dump()
    chosen = {name: settings[name] for name in CELL_SETTINGS}
    return Cell(chosen, True, (), (), (), (0,), (), 0, None, None, (), None, None, ())


def group(a: Sequence[Cell], b: Sequence[Cell]) -> Group:
    (found,) = matched(a, b)
    return found


def numbers(found: Group) -> tuple[int, ...]:
    parts = (found.matches, found.only_in_a, found.only_in_b, found.ambiguous_a, found.ambiguous_b)
    return tuple(map(len, parts))


def test_what_differs_as_a_whole_is_not_matched_by() -> None:
    a = [cell(len=n, mem=m, learning_rate=0.001) for n in (2, 3) for m in (4, 8)]
    b = [cell(len=n, mem=m, learning_rate=0.003, eval_sequences=9) for n in (3, 4) for m in (4, 8)]
    found = group(a, b)
    assert found.changes == (
        Change("learning_rate", (0.001,), (0.003,)),
        Change("eval_sequences", (50,), (9,)),
    )
    assert numbers(found) == (2, 2, 2, 0, 0)
    assert all(one.a.settings["len"] == one.b.settings["len"] == 3 for one in found.matches)
    assert all(one.a.settings["mem"] == one.b.settings["mem"] for one in found.matches)


def test_an_axis_with_more_values_matches_where_both_have_them() -> None:
    found = group([cell(learning_rate=0.001)], [cell(learning_rate=rate) for rate in (0.001, 0.003)])
    assert (found.changes, numbers(found)) == ((), (1, 0, 1, 0, 0))


def test_no_cell_matches_two() -> None:
    a = [cell(mem=mem) for mem in (4, 8)]
    b = [cell(mem=4, learning_rate=0.003), cell(mem=4, learning_rate=0.01), cell(mem=8, learning_rate=0.01)]
    found = group(a, b)
    assert found.changes == (Change("learning_rate", (0.001,), (0.003, 0.01)),)
    assert numbers(found) == (1, 0, 0, 1, 2)
    chosen = selected(b, [], {"learning_rate": "0.01"})
    assert numbers(group(selected(a, [], {"learning_rate": "0.01"}), chosen)) == (2, 0, 0, 0, 0)


@given(st.data())
def test_every_cell_is_in_one_place(data: st.DataObject) -> None:
    axes = st.fixed_dictionaries(
        {"mem": st.integers(1, 3), "epochs": st.integers(1, 3), "learning_rate": st.sampled_from([0.1, 0.2])}
    )
    distinct = st.lists(axes, min_size=1, max_size=6, unique_by=lambda one: tuple(one.values()))
    a, b = ([cell(**one) for one in data.draw(distinct)] for _ in range(2))
    found = group(a, b)
    seen_a = [*(match.a for match in found.matches), *found.only_in_a, *found.ambiguous_a]
    seen_b = [*(match.b for match in found.matches), *found.only_in_b, *found.ambiguous_b]
    assert sorted(map(id, seen_a)) == sorted(map(id, a))
    assert sorted(map(id, seen_b)) == sorted(map(id, b))


def test_options_and_versions_of_a_users_network() -> None:
    a = [cell(arch="gru", network=V1, options={"layers": n}) for n in (1, 2)]
    b = [cell(arch="gru", network=V2, options={"layers": n, "bias": True}) for n in (2, 3)]
    found = group(a, b)
    assert found.changes == (
        Change("network", ("11111111",), ("22222222",)),
        Change("bias", (None,), (True,)),
    )
    assert numbers(found) == (1, 1, 1, 0, 0)
    assert dict(found.matches[0].a.settings["options"])["layers"] == "2"


def test_options_of_different_types_are_different() -> None:
    a, b = (cell(arch="gru", network=V1, options={"rate": one}) for one in (1, True))
    assert group([a], [b]).changes == (Change("rate", (1,), (True,)),)


def test_architectures_are_matched_by_name_unless_each_sweep_has_one() -> None:
    echo = [cell(len=n, windows=21, batch_size=21, epochs=5000, eval_every=250) for n in (2, 8)]
    other = [cell(len=n, arch="seq2seq") for n in (2, 8)]
    found = group(echo, other)  # the n_in of LEN 2 is 2 and 5: of both, the default
    assert (found.changes, numbers(found)) == (
        (Change("arch", ("echo",), ("seq2seq",)),),
        (2, 0, 0, 0, 0),
    )
    both = matched([*echo, *other], other)
    assert [(one.arch, *numbers(one)) for one in both] == [
        ("echo", 0, 2, 0, 0, 0),
        ("seq2seq", 2, 0, 0, 0, 0),
    ]


def test_an_n_in_that_is_set_differs_from_the_default() -> None:
    a, b = ([cell(arch="seq2seq", len=n, **given) for n in (2, 7)] for given in ({}, {"n_in": 9}))
    assert group(a, b).changes == (Change("n_in", ("default",), (9,)),)
    assert numbers(group(a, b)) == (2, 0, 0, 0, 0)


AXES = {"arch": ["echo", "seq2seq"], "len": [2, 3], "mem": [4], "seed": [0, 1]}


def sweep(folder: Path, accuracy: float = 0.9, changed: str = "", **given: Mapping[str, Any]) -> Ledger:
    """A small sweep on disk; the results of trials whose id starts with `changed` are other ones."""
    content = planned(AXES, **{"defaults": {"eval_sequences": 4}, **given})

    def of(trial: TrialSettings) -> float:
        return 0.5 if changed and trial.trial_id.startswith(changed) else accuracy

    return write_sweep(folder, content, synthetic_results(trials_of(content), of))


def object_of(comparison: Comparison) -> Any:
    return json.loads(comparison_json(comparison))


def test_a_sweep_with_itself(tmp_path: Path) -> None:
    ledger = sweep(tmp_path / "s")
    found = object_of(compare(ledger, ledger))
    assert (found["changes"], found["only_in_a"], found["only_in_b"]) == ([], [], [])
    assert (found["compared"], found["flagged"], found["by_chance"]) == (4, 0, 0.2)
    assert found["bytes"] == {"trials": 8, "agree": 8, "differ": [], "exempt": 0}
    assert {(one["difference"], one["method"], one["flagged"]) for one in found["cells"]} == {
        (0, "paired", None)
    }


def test_json_of_another_learning_rate(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", 0.2)
    b = sweep(tmp_path / "b", 1.0, defaults={"eval_sequences": 20, "learning_rate": 0.01})
    found = object_of(compare(a, b))
    assert {(one["arch"], one["setting"]): (one["a"], one["b"]) for one in found["changes"]} == {
        (arch, name): values
        for arch in ("echo", "seq2seq")
        for name, values in (("learning_rate", ([0.001], [0.01])), ("eval_sequences", ([4], [20])))
    }
    first = found["cells"][0]
    assert first["settings"].keys() | {"learning_rate", "eval_sequences"} == {*CELL_SETTINGS}
    assert first["b"]["settings"] == {"learning_rate": 0.01, "eval_sequences": 20}
    assert first["a"]["seeds"] == first["paired_seeds"] == [0, 1]
    assert first["difference"] == first["b"]["exact_match"] - first["a"]["exact_match"]
    assert first["interval"]["low"] <= first["difference"] <= first["interval"]["high"]
    assert first["flagged"] == "up"
    assert found["bytes"] == {"trials": 0, "agree": 0, "differ": [], "exempt": 0}


def test_other_bytes_of_the_same_trials(tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a"), sweep(tmp_path / "b", changed="echo-len2-mem4-seed1")
    found = compare(a, b).bytes
    assert (found.trials, found.agree) == (8, 7)
    assert [one.rpartition("-")[0] for one in found.differ] == ["echo-len2-mem4-seed1"]


def test_a_cell_without_a_result_has_no_difference(tmp_path: Path) -> None:
    content = planned({**AXES, "len": [2]})
    trials = trials_of(content)
    a = write_sweep(
        tmp_path / "a", content, synthetic_results(trials, diverged=lambda one: one.arch == "echo")
    )
    b = write_sweep(tmp_path / "b", content, [], [failure_of(trials[-1])])
    found = object_of(compare(a, b))
    assert (found["compared"], found["by_chance"]) == (0, 0)
    assert [(one["a"]["state"], one["b"]["state"], one["difference"]) for one in found["cells"]] == [
        ("diverged", "not run", None),
        ("evaluated", "failed", None),
    ]


def test_only_asks_for_one_value(tmp_path: Path) -> None:
    ledger = sweep(tmp_path / "s")
    found = compare(ledger, ledger, choices(["arch=echo", "len=3"]))
    assert len(found.pairs) == 1
    with pytest.raises(UsageError, match=r"--only len=9: no cell has this value; it is 2, 3"):
        compare(ledger, ledger, {"len": "9"})
    with pytest.raises(UsageError, match=r"--only lens=3: no setting .* has this name; did you mean 'len'\?"):
        compare(ledger, ledger, {"lens": "3"})
    for wrong in (["len"], ["=3"], ["len=2", "len=3"]):
        with pytest.raises(UsageError, match="give a setting and one value"):
            choices(wrong)


def test_a_folder_without_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sweep has written here"):
        compare(sweep(tmp_path / "s"), Ledger(tmp_path))


def test_a_network_with_an_empty_option_can_be_compared_and_chosen() -> None:
    def cell(network: str, act: str) -> Cell:
        settings = TrialSettings.model_validate(
            {"arch": "gru", "len": 2, "mem": 4, "seed": 0, "network": network, "options": {"act": act}}
        )
        made = of_shares([0.5], [0])
        return replace(made, settings={**settings.model_dump(), "seed": None})

    a = [cell(V1, ""), cell(V1, "tanh")]
    (group,) = matched(a, [cell(V2, "relu")])
    assert [change.a for change in group.changes if change.name == "act"] == [("", "tanh")]
    assert len(selected(a, [], choices(["act="]))) == 1


def test_cells_that_are_no_longer_in_the_grid_are_not_compared(tmp_path: Path) -> None:
    usual = {"arch": ["echo"], "len": [2], "mem": [4], "seed": [0]}
    both = planned({**usual, "learning_rate": [0.001, 0.002]})
    now, later = planned({**usual, "learning_rate": [0.001]}), planned({**usual, "learning_rate": [0.003]})
    a = write_sweep(tmp_path / "a", now, synthetic_results(trials_of(both)))
    b = write_sweep(tmp_path / "b", later, synthetic_results(trials_of(later)))
    found = compare(a, b)
    assert [len(group.pairs) for group in found.groups] == [1]


def test_former_cells_are_compared_if_a_value_asks_for_them(tmp_path: Path) -> None:
    usual = {"arch": ["echo"], "len": [2], "mem": [4, 8], "seed": [0]}
    both = planned({**usual, "epochs": [1500, 2500]})
    longer, shorter = planned({**usual, "epochs": [2500]}), planned({**usual, "epochs": [1500]})
    a = write_sweep(tmp_path / "a", longer, synthetic_results(trials_of(both)))
    b = write_sweep(tmp_path / "b", shorter, synthetic_results(trials_of(shorter)))
    pairs = compare(a, b, choices(["epochs=1500", "mem=4"])).pairs
    assert [(pair.a.settings["epochs"], pair.b.settings["epochs"]) for pair in pairs] == [(1500, 1500)]
    assert len(compare(a, b, choices(["mem=8"])).pairs) == 1  # 2500 with 1500
