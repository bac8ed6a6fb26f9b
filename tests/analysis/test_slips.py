"""What wrong positions say: by hand, against SQL over the files, and as laws."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.analysis.aggregate import analyse
from raysweep.analysis.slips import PooledSlips, pooled_slips
from raysweep.store.ledger import Ledger
from raysweep.trial.outcome import Slips
from raysweep.trial.result import Predictions
from tests.analysis.learning import learned
from tests.docs.pages import ROOT
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

BY_SQL = """
WITH positions AS (
    SELECT arch, len, mem, position, expected[position] AS wanted, predicted[position] AS said,
        list_concat(expected, input[len(expected) + 1:]) AS seen
    FROM predictions, LATERAL (SELECT unnest(generate_series(1, len(expected))) AS position)
),
wrong AS (SELECT row_number() OVER () AS id, * FROM positions WHERE said <> wanted),
compared AS (
    SELECT *, CASE WHEN seen[other] = said THEN abs(other - position) * 10000 + other END AS preference
    FROM wrong, LATERAL (SELECT unnest(generate_series(1, len(seen))) AS other)
),
found AS (  -- the nearest one, and of two as near the earlier
    SELECT arch, len, mem, position, min(preference) % 10000 AS place
    FROM compared GROUP BY id, arch, len, mem, position
)
SELECT arch, len, mem, count(*) AS wrong,
    count(*) FILTER (place <= len) AS answer,
    count(*) FILTER (place > len) AS behind,
    count(*) FILTER (place IS NULL) AS nothing,
    histogram(place - position) FILTER (place IS NOT NULL) AS by_distance
FROM found GROUP BY ALL
"""


def slips_of(windows: list[list[int]], predicted: list[list[int]]) -> Slips:
    """Slips of predictions whose right answers are the windows' first integers."""
    shown, said = np.array(windows, np.int32), np.array(predicted, np.int32)
    index = np.zeros(len(shown), np.int32)
    confidence = np.zeros(said.shape, np.float32)
    return Slips.of(Predictions(index, index, shown, shown[:, : said.shape[1]], said, confidence))


def test_a_slip_is_counted_by_what_it_says_and_how_far_away_that_is() -> None:
    slips = slips_of(
        [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]],
        [[2, 2, 5], [6, 6, 99]],  # 1 after, right, 2 behind the answer; right, 1 before, nothing
    )
    assert slips == Slips(answer=((-1, 1), (1, 1)), window=((2, 1),), none=1)


def test_of_several_occurrences_the_nearest_counts_and_of_two_as_near_the_earlier() -> None:
    assert slips_of([[4, 9, 9, 4]], [[4, 4, 9]]).answer == ((-1, 1),)
    assert slips_of([[4, 9, 4, 1]], [[4, 4, 4]]).answer == ((-1, 1),)
    assert slips_of([[4, 9, 1, 1, 4]], [[4, 9, 4]]) == Slips(((-2, 1),), (), 0)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    n_in = draw(st.integers(1, 6))
    n_out = draw(st.integers(1, n_in))
    integers = st.integers(0, 5)
    number = draw(st.integers(1, 5))
    windows, said = (
        draw(st.lists(st.lists(integers, min_size=n, max_size=n), min_size=number, max_size=number))
        for n in (n_in, n_out)
    )
    return windows, said


@given(rows())
def test_every_wrong_position_is_counted_once(drawn: tuple[list[list[int]], list[list[int]]]) -> None:
    windows, said = drawn
    slips = slips_of(windows, said)
    wrong = sum(
        a != b for one, other in zip(windows, said, strict=True) for a, b in zip(one, other, strict=False)
    )
    pooled = pooled_of(slips, slips)
    assert pooled.wrong == 2 * wrong
    assert sum(pooled.by_distance.values()) + pooled.none == pooled.wrong
    assert 0 not in pooled.by_distance
    if pooled.wrong:
        assert sum(pooled.shares()) == pytest.approx(1)


def pooled_of(*each: Slips) -> PooledSlips:
    counts = [learned([100], len=6).model_copy(update={"slips": one}) for one in each]
    pooled = pooled_slips(counts)
    assert pooled is not None
    return pooled


def test_seeds_are_pooled_and_the_most_frequent_distance_is_named() -> None:
    first = Slips(answer=((-1, 3), (1, 3)), window=((2, 1),), none=3)
    second = Slips(answer=((-1, 1), (1, 1)), window=(), none=0)
    pooled = pooled_of(first, second)
    assert pooled == PooledSlips({-1: 4, 1: 4}, {2: 1}, 3)
    assert pooled.most_often() == (-1, 4 / 12)  # as often as the one after, as near, and earlier
    assert pooled.shares() == (8 / 12, 1 / 12, 3 / 12)
    assert pooled.by_distance == {-1: 4, 1: 4, 2: 1}


def test_what_is_rare_is_not_named() -> None:
    assert pooled_of(Slips(((2, 1),), (), 10)).most_often() is None
    assert pooled_of(Slips((), (), 10)).most_often() is None
    assert pooled_of(Slips((), (), 0)).most_often() is None
    assert pooled_slips([]) is None


def test_a_cell_s_slips_are_those_of_sql_over_its_files(tmp_path: Path) -> None:
    content = planned(
        {"arch": ["echo", "seq2seq"], "len": [1, 2, 4], "mem": [4, 8], "seed": [0, 1], "values": [7]},
        defaults={"eval_sequences": 5, "vocab": 10},
    )
    results = synthetic_results(trials_of(content), lambda trial: 0.3 if trial.mem == 4 else 0.9)
    assert_equal_to_sql(write_sweep(tmp_path / "s", content, results))


def test_the_reference_s_slips_are_those_of_sql() -> None:
    assert_equal_to_sql(Ledger(ROOT / "results" / "reference"))


def assert_equal_to_sql(ledger: Ledger) -> None:
    files = ledger.files("predictions")
    with duckdb.connect() as database:
        database.read_parquet(files).create_view("predictions")
        found = {row[:3]: row[3:] for row in database.sql(BY_SQL).fetchall()}
    ours: dict[tuple[Any, ...], Any] = {}
    for cell in analyse(ledger).cells:
        slips = cell.slips
        assert slips is not None
        if slips.wrong:
            answer, window = sum(slips.answer.values()), sum(slips.window.values())
            where = tuple(cell.settings[name] for name in ("arch", "len", "mem"))
            ours[where] = (slips.wrong, answer, window, slips.none, slips.by_distance)
    assert ours
    assert ours == {where: (*row[:4], dict(row[4] or {})) for where, row in found.items()}
