"""Epochs to a level of exact-match, and pooled evaluations: by hand, by laws, and by SQL over `curves/`."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.analysis.aggregate import CELL_SETTINGS, SweepAnalysis, analyse
from raysweep.analysis.evaluations import EpochsToReach, epochs_to_reach, pooled_curve
from raysweep.analysis.export import report_json
from raysweep.store.ledger import Ledger
from raysweep.trial.settings import TrialSettings
from tests.analysis.by_scipy import interval_by_scipy
from tests.analysis.learning import EVERY, cell_of_seeds, learned
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

SQL_SETTINGS = [name for name in CELL_SETTINGS if name not in ("network", "options")]
"""Settings that SQL and Python compare alike."""


def epochs_of(exact: Sequence[int], reach: float = 0.99, **settings: Any) -> EpochsToReach:
    """Epochs until a single seed with this learning curve reaches the level."""
    trial = learned(exact, **settings)
    return epochs_to_reach([trial], trial.settings["epochs"], 0, reach)


@pytest.mark.parametrize(
    ("exact", "epoch"),
    [
        ([50, 99, 99, 99], 200),
        ([50, 99, 98, 99, 100], 400),  # a single evaluation at the level is chance
        ([99, 99, 10, 10], 100),  # two in a row suffice
        ([98, 98, 98, 99], 400),  # the last one counts alone
        ([99, 98, 99], 300),
        ([0, 99, 98], None),
        ([98, 98, 98], None),
        ([100], 100),
        ([98], None),
    ],
)
def test_first_evaluation_at_the_level_that_the_next_confirms(exact: list[int], epoch: int | None) -> None:
    found = epochs_of(exact)
    assert (found.epochs, found.median) == ((epoch,) if epoch else (), epoch)
    assert found.not_reached == (epoch is None)
    assert (found.reach, found.limit) == (0.99, EVERY * len(exact))
    if epoch is None:
        assert found.above == EVERY * len(exact)


def test_the_last_evaluation_counts_at_its_own_epoch() -> None:
    assert epochs_of([0, 0, 99], epochs=250).epochs == (250,)
    assert epochs_of([0, 0, 98], epochs=250).above == 250


@pytest.mark.parametrize(("reach", "epoch"), [(0.0, 100), (0.29, 100), (0.57, 200), (0.571, 300), (1.0, 400)])
def test_a_level_is_reached_by_exactly_this_share(reach: float, epoch: int) -> None:
    # 0.29 and 0.57 times 100 are below 29 and 57 in binary fractions.
    assert epochs_of([29, 57, 58, 100], reach).median == epoch


@given(st.lists(st.integers(97, 100), min_size=1, max_size=12))
def test_equal_to_the_definition(exact: list[int]) -> None:
    there = [right >= 99 for right in exact]
    found = [EVERY * (i + 1) for i in range(len(exact)) if there[i] and (i + 1 == len(exact) or there[i + 1])]
    assert epochs_of(exact).epochs == tuple(found[:1])


@pytest.mark.parametrize(
    ("epochs", "others", "middle"),
    [
        ((100, 200, 700), 0, 200),
        ((100, 200), 0, 150),
        ((100, 225), 0, 162.5),
        ((100, 250, 500, 700), 0, 375),
        ((100, 200), 1, 200),
        ((100, 200, 300), 1, 250),
    ],
)
def test_median_over_seeds(epochs: tuple[int, ...], others: int, middle: float) -> None:
    """Seeds that did not reach the level, or that diverged, are above all that reached it."""
    for not_reached in range(others + 1):
        found = EpochsToReach(0.99, epochs, 1000, not_reached, others - not_reached)
        assert repr(found.median) == repr(middle)  # a whole number if it can be
        assert found.of == len(epochs) + others


@pytest.mark.parametrize(
    ("epochs", "not_reached", "diverged", "above"),
    [
        ((), 1, 0, 1000),
        ((), 3, 0, 1000),
        ((100,), 2, 0, 1000),
        ((100,), 1, 0, 550),  # exactly half: between 100 and some epoch after 1,000
        ((101,), 1, 0, 550.5),
        ((100, 200), 2, 0, 600),
        ((100, 200), 1, 1, 600),
        ((100,), 1, 1, 1000),
        ((100,), 2, 1, 1000),
        ((), 2, 1, 1000),
        ((), 1, 2, None),
        ((), 0, 3, None),
        ((100,), 0, 2, None),
        ((100,), 0, 1, None),  # exactly half: between 100 and never
        ((), 1, 1, None),
        ((100,), 1, 2, None),
        ((100, 200), 0, 2, None),
    ],
)
def test_epochs_that_the_median_is_above(
    epochs: tuple[int, ...], not_reached: int, diverged: int, above: float | None
) -> None:
    found = EpochsToReach(0.99, epochs, 1000, not_reached, diverged)
    assert found.median is None
    assert repr(found.above) == repr(above)


def test_without_a_seed_there_is_no_median() -> None:
    found = epochs_to_reach([], 400, 0, 0.99)
    assert (found.of, found.median, found.above) == (0, None, None)


@given(st.lists(st.integers(1, 50), max_size=6).map(sorted), st.integers(0, 4), st.integers(0, 4))
def test_the_median_is_that_of_endless_epochs_for_the_others(
    epochs: list[int], not_reached: int, diverged: int
) -> None:
    found = EpochsToReach(0.99, tuple(epochs), 51, not_reached, diverged)
    if found.of:
        middle = median([*epochs, *[math.inf] * (not_reached + diverged)])
        assert found.median == (None if middle == math.inf else middle)
        if middle == math.inf:
            above = median([*epochs, *[51] * not_reached, *[math.inf] * diverged])
            assert found.above == (None if above == math.inf else above)


def test_a_cell_counts_its_seeds() -> None:
    cell = cell_of_seeds([0, 99, 99], [98, 99, 98], [99, 99, 0], diverged=1)
    found = cell.epochs_to_reach(0.99)
    assert (found.epochs, found.limit, found.not_reached, found.diverged) == ((100, 200), 300, 1, 1)
    assert (found.median, found.above) == (None, 250)  # of 100, 200, above 300 and never
    assert cell.epochs_to_reach(0.98).median == 150  # of 100, 100, 200 and never


def test_pooled_evaluations_by_hand() -> None:
    first, second = cell_of_seeds([10, 40], [20, 60]).evaluations
    assert (first.epoch, first.exact_match, second.epoch, second.exact_match) == (100, 0.15, 200, 0.5)
    assert first.position_accuracy == (0.15,)
    assert second.interval is not None
    assert (second.interval.over, second.interval.n) == ("seeds", 2)
    low, high, effective = interval_by_scipy([40, 60], 100, 2)
    assert (second.interval.low, second.interval.high) == pytest.approx((low, high), abs=1e-9)
    assert second.interval.n_effective == pytest.approx(effective)


def test_the_last_pooled_evaluation_is_the_cell_s_own() -> None:
    cell = cell_of_seeds([10, 40, 99], [20, 60, 97])
    assert cell.evaluations[-1].exact_match == cell.exact_match
    assert cell.evaluations[-1].interval == cell.interval


def test_only_evaluations_of_all_seeds_are_pooled() -> None:
    short, long = learned([10, 20, 30], epochs=250), learned([10, 20, 30])
    assert [one.epoch for one in pooled_curve([short, long])] == [100, 200]
    assert [*pooled_curve([])] == []


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two to four seeds: some learn less, some diverge; the last epoch is no multiple of `eval_every`."""
    axes = {"arch": ["seq2seq"], "mem": [4, 8], "windows": [7], "batch_size": [7], "eval_every": [50]}
    content = planned(
        {**axes, "len": [1, 2], "seed": [0, 1, 2], "epochs": [475]},
        {**axes, "len": [2], "seed": [0, 1, 2, 3], "epochs": [725]},
        {**axes, "len": [3], "seed": [0, 1], "epochs": [475], "eval_every": [25]},
        defaults={"eval_sequences": 3},
    )

    def diverges(trial: TrialSettings) -> bool:
        return trial.mem == 8 and trial.seed > trial.len - 1

    def accuracy(trial: TrialSettings) -> float:
        return 0.8 if trial.seed % 2 else 0.95

    folder = tmp_path_factory.mktemp("evaluations") / "s"
    write_sweep(folder, content, synthetic_results(trials_of(content), accuracy, diverges))
    return folder


@pytest.fixture(scope="module")
def analysis(sweep: Path) -> SweepAnalysis:
    return analyse(Ledger(sweep))


@pytest.mark.parametrize("reach", [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_epochs_equal_to_sql_over_the_curves(sweep: Path, analysis: SweepAnalysis, reach: float) -> None:
    names = ", ".join(SQL_SETTINGS)
    rows = duckdb.execute(
        f"""
        WITH looks AS (
            SELECT trial_id, epoch, exact_match, lead(exact_match) OVER (
                PARTITION BY trial_id ORDER BY epoch
            ) AS following
            FROM '{sweep}/curves/*.parquet' WHERE exact_match IS NOT NULL
        ), reached AS (
            SELECT trial_id, min(epoch) AS epoch FROM looks
            WHERE exact_match >= $reach AND coalesce(following, exact_match) >= $reach GROUP BY trial_id
        ), seeds AS (
            SELECT trials.*, if(status = 'done', reached.epoch, NULL) AS reached,
                if(status = 'done', epochs, 'inf'::DOUBLE) AS above
            FROM '{sweep}/trials/*.parquet' AS trials LEFT JOIN reached USING (trial_id)
        )
        SELECT {names}, median(coalesce(reached, above)), median(coalesce(reached, 'inf'::DOUBLE)),
            count(reached), count(*)
        FROM seeds GROUP BY ALL ORDER BY ALL
        """,
        {"reach": reach},
    ).fetchall()
    found = [cell.epochs_to_reach(reach) for cell in analysis.cells]
    assert [tuple(cell.settings[name] for name in SQL_SETTINGS) for cell in analysis.cells] == [
        row[:-4] for row in rows
    ]
    assert [math.inf if one.median is None else one.median for one in found] == [row[-3] for row in rows]
    assert [math.inf if one.above is None else one.above for one in found if one.median is None] == [
        row[-4] for row in rows if row[-3] == math.inf
    ]
    assert [(len(one.epochs), one.of) for one in found] == [row[-2:] for row in rows]
    assert [cell["epochs_to_reach"] for cell in json.loads(report_json(analysis, reach))["cells"]] == [
        {"reach": reach, "median": None if middle == math.inf else middle, "reached": reached, "of": of}
        for *_, middle, reached, of in rows
    ]


def test_the_levels_of_the_sql_tell_the_cells_apart(analysis: SweepAnalysis) -> None:
    found = [cell.epochs_to_reach(0.7) for cell in analysis.cells]
    assert len({one.median for one in found}) > 3
    lost = [one for one in found if one.median is None]
    assert {one.above is None for one in lost} == {True, False}
    assert any(one.above not in (None, one.limit) for one in lost)


def test_pooled_evaluations_equal_to_sql_over_the_curves(sweep: Path, analysis: SweepAnalysis) -> None:
    names = ", ".join(SQL_SETTINGS)
    rows = duckdb.execute(
        f"""
        WITH looks AS (
            SELECT {names}, epoch, windows * eval_sequences AS size,
                round(exact_match * size)::INT AS hits,
                list_transform(position_accuracy, lambda share: round(share * size)::INT) AS rights
            FROM '{sweep}/curves/*.parquet'
            WHERE exact_match IS NOT NULL
                AND trial_id IN (SELECT trial_id FROM '{sweep}/trials/*.parquet' WHERE status = 'done')
        )
        SELECT {names}, epoch, size, list(hits), list(rights) FROM looks GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    found = [
        (tuple(cell.settings[name] for name in SQL_SETTINGS), one)
        for cell in analysis.cells
        for one in cell.evaluations
    ]
    assert [(*key, one.epoch) for key, one in found] == [row[: len(SQL_SETTINGS) + 1] for row in rows]
    assert len(found) > 50
    for (_, one), (*settings, _, size, hits, rights) in zip(found, rows, strict=True):
        every = size * len(hits)
        assert one.exact_match == sum(hits) / every
        assert one.position_accuracy == tuple(sum(right) / every for right in zip(*rights, strict=True))
        assert one.interval is not None
        if len(hits) > 1:  # the curve of one seed does not have the hits of each sequence
            sequences = len(hits) * settings[SQL_SETTINGS.index("eval_sequences")]
            ends = interval_by_scipy(hits, size, sequences)[:2]
            assert (one.interval.low, one.interval.high) == pytest.approx(ends, abs=1e-9)


def test_json_has_every_evaluation_and_its_interval(analysis: SweepAnalysis) -> None:
    cells = json.loads(report_json(analysis, 0.5))["cells"]
    for cell, found in zip(analysis.cells, cells, strict=True):
        assert found["evaluations"] == [
            {
                "epoch": one.epoch,
                "exact_match": one.exact_match,
                "interval": one.interval and {**asdict(one.interval), "method": "Korn-Graubard"},
                "position_accuracy": list(one.position_accuracy),
            }
            for one in cell.evaluations
        ]
        if found["evaluations"]:
            assert found["evaluations"][-1]["epoch"] == cell.settings["epochs"]
            assert found["evaluations"][-1]["exact_match"] == found["exact_match"]
            assert found["evaluations"][-1]["interval"] == found["interval"]


def test_without_evaluations_during_training_the_last_one_is_alone(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [4], "eval_every": [0]})
    results = synthetic_results(trials_of(content), lambda _: 1.0)
    (cell,) = analyse(write_sweep(tmp_path / "s", content, results)).cells
    assert [one.epoch for one in cell.evaluations] == [500]
    assert cell.epochs_to_reach(0.99).median == 500
