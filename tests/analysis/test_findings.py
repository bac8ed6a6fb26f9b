"""Which cells stand together in a facet, and what the report says of each facet in a sentence."""

from collections.abc import Sequence
from typing import Any

import pytest

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import facets, longest_facets
from raysweep.analysis.findings import epochs_finding, finding
from raysweep.trial.settings import TrialSettings
from tests.analysis.learning import cell_of_seeds


def cell(
    n_out: int,
    mem: int,
    exact_match: float | None,
    *,
    seeds: int = 3,
    diverged: int = 0,
    failed: int = 0,
    **others: Any,
) -> Cell:
    """A cell for findings; without exact-match, those of three replicates that have no fate are to run."""
    settings = TrialSettings(arch="seq2seq", len=n_out, mem=mem, seed=0, **others).model_dump()
    done = tuple(range(seeds)) if exact_match is not None else ()
    settings.pop("seed")
    return Cell(
        settings=settings,
        planned=True,
        seeds=done,
        diverged=tuple(range(diverged)),
        failed=tuple(range(diverged, diverged + failed)),
        missing=() if done else tuple(range(diverged + failed, 3)),
        unplanned=(),
        windows=1050 * len(done),
        exact_match=exact_match,
        interval=None,
        position_accuracy=(),
        loss=None,
        accuracy=None,
        counts=(),
    )


def findings(cells: Sequence[Cell], reach: float = 0.99) -> list[str]:
    return [finding(facet, reach).replace("\N{NO-BREAK SPACE}", " ") for facet in facets(cells)]


def epochs_findings(cells: Sequence[Cell], reach: float = 0.99) -> list[str]:
    found = [epochs_finding(facet, reach) for facet in longest_facets(cells)]
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in found]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            [cell(2, 16, 0.2), cell(2, 50, 0.99), cell(3, 16, 0.1), cell(3, 50, 1.0)],
            "seq2seq reaches exact-match 0.99 at every LEN with MEM 50.",
        ),
        (
            [cell(2, 150, 0.995), cell(2, 300, 1.0), cell(3, 150, 0.5), cell(3, 300, 0.99)]
            + [cell(n_out, mem, 0.9899) for n_out in (4, 5, 6) for mem in (150, 300)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 150, LEN 3 with MEM 300; "
            "not at LEN 4–6 in 5,000 epochs.",
        ),
        (
            [cell(2, 16, 1.0, seeds=1), cell(4, 16, 0.3, seeds=1)],
            "seq2seq reaches exact-match 0.99 in one run at LEN 2 with MEM 16; not at LEN 4 in 5,000 epochs.",
        ),
        (
            [cell(2, 16, 1.0, seeds=2)],
            "seq2seq reaches exact-match 0.99 in two runs at LEN 2 with MEM 16.",
        ),
        (
            [cell(2, 16, 1.0, seeds=1), cell(3, 16, 1.0, seeds=3)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16 (in one run), LEN 3 with MEM 16.",
        ),
        (
            [cell(2, 16, 1.0), cell(2, 50, 0.7)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16 (but not with MEM 50).",
        ),
        (
            [cell(2, 16, None), cell(2, 50, 1.0), cell(3, 16, 0.1), cell(3, 50, None), cell(4, 16, None)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 50 (no result with MEM 16 yet); "
            "not at LEN 3 (no result with MEM 50 yet) in 5,000 epochs; no results yet at LEN 4.",
        ),
        (
            [cell(2, 16, 0.1), cell(3, 16, 0.0)],
            "seq2seq does not reach exact-match 0.99 at any LEN in 5,000 epochs.",
        ),
        ([cell(2, 16, None)], "seq2seq: no results yet."),
        ([cell(2, 16, None, diverged=3)], "seq2seq: every trial diverged."),
        (
            [cell(2, 16, 1.0), cell(3, 16, None, diverged=3)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16; every trial diverged at LEN 3.",
        ),
        (
            [cell(2, 16, 1.0), cell(2, 50, None, diverged=1), cell(3, 16, None, diverged=1)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16; no results yet at LEN 3.",
        ),
        (
            [cell(2, 16, 1.0), cell(2, 50, None, diverged=3)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16 (but not with MEM 50).",
        ),
        (
            [
                *(cell(2, 8, None, failed=1), cell(2, 16, None, failed=3), cell(2, 50, 1.0)),
                *(cell(3, 16, None, diverged=1, failed=2), cell(3, 50, 0.5)),
            ],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 50 "
            "(no result with MEM 8 yet; no result with MEM 16: trials failed); "
            "not at LEN 3 (no result with MEM 16: trials failed) in 5,000 epochs.",
        ),
        (
            [cell(2, 16, 1.0), cell(3, 16, None, failed=3), cell(4, 16, None, diverged=1, failed=2)],
            "seq2seq reaches exact-match 0.99 at LEN 2 with MEM 16; every trial failed at LEN 3; "
            "every trial diverged or failed at LEN 4.",
        ),
        ([cell(2, 16, None, failed=3)], "seq2seq: every trial failed."),
        (
            [cell(2, 16, None, failed=3), cell(3, 16, None, diverged=3)],
            "seq2seq: every trial diverged or failed.",
        ),
        ([cell(2, 16, None, failed=3), cell(3, 16, None, diverged=2)], "seq2seq: no results yet."),
    ],
)
def test_findings(cells: Sequence[Cell], sentence: str) -> None:
    assert findings(cells) == [sentence]


@pytest.mark.parametrize(
    ("reach", "sentence"),
    [
        (0.5, "seq2seq reaches exact-match 0.5 at every LEN with MEM 16."),
        (0.7, "seq2seq reaches exact-match 0.7 at LEN 2 with MEM 16, LEN 3 with MEM 50."),
        (0.995, "seq2seq reaches exact-match 0.995 at LEN 2 with MEM 50; not at LEN 3 in 5,000 epochs."),
        (1.0, "seq2seq does not reach exact-match 1 at any LEN in 5,000 epochs."),
    ],
)
def test_findings_at_another_level(reach: float, sentence: str) -> None:
    cells = [cell(2, 16, 0.7), cell(2, 50, 0.995), cell(3, 16, 0.5), cell(3, 50, 0.99)]
    assert findings(cells, reach) == [sentence]


def test_a_cell_with_the_usual_n_in_stays_among_its_like() -> None:
    follows = [cell(n_out, 16, 0.0 if n_out == 6 else 1.0) for n_out in (2, 5, 6, 7)]
    usual, six = facets([*follows, cell(2, 16, 1.0, n_in=6), cell(5, 16, 1.0, n_in=6)])
    assert (usual.title, usual.lens) == (
        "seq2seq · 5,000 epochs, 5,000 updates · n_in max(5, LEN)",
        [2, 5, 6, 7],
    )
    assert (six.title, six.lens) == ("seq2seq · 5,000 epochs, 5,000 updates · n_in 6", [2, 5])
    assert findings([*usual.cells.values(), *six.cells.values()]) == [
        "seq2seq (n_in max(5, LEN)) reaches exact-match 0.99 at LEN 2, 5, 7 with MEM 16; "
        "not at LEN 6 in 5,000 epochs.",
        "seq2seq (n_in 6) reaches exact-match 0.99 at LEN 2, 5 with MEM 16.",  # not LEN 6, which did not
    ]


def test_an_n_in_that_was_given_to_every_len_has_a_whole_panel() -> None:
    cells = [cell(n_out, 16, 1.0, n_in=n_in) for n_in in (6, 9) for n_out in (4, 5, 6)]
    assert [(facet.label, facet.lens) for facet in facets(cells)] == [
        ("seq2seq (n_in 6)", [4, 5, 6]),
        ("seq2seq (n_in 9)", [4, 5, 6]),
    ]
    assert findings(cells)[0] == "seq2seq (n_in 6) reaches exact-match 0.99 at every LEN with MEM 16."


def test_an_n_in_that_is_usual_for_every_len_needs_no_panel_of_its_own() -> None:
    cells = [cell(n_out, 16, 1.0, n_in=n_in) for n_in in (5, 6) for n_out in (2, 5)]
    assert [(facet.label, facet.lens) for facet in facets(cells)] == [
        ("seq2seq (n_in max(5, LEN))", [2, 5]),
        ("seq2seq (n_in 6)", [2, 5]),
    ]


def test_a_panel_lists_its_axes_once() -> None:
    (facet,) = facets([cell(2, mem, 1.0) for mem in (50, 16)])
    assert facet.mems == [16, 50]
    assert facet.mems is facet.mems
    assert facet.lens is facet.lens
    assert facet.evaluated is facet.evaluated


def test_the_longest_training_stands_for_shorter_ones() -> None:
    short, long = ([cell(n_out, 16, 1.0, epochs=epochs) for n_out in (2, 3)] for epochs in (500, 2000))
    (facet,) = longest_facets([*long, *short])
    assert (facet.label, facet.lens, [*facet.cells.values()]) == ("seq2seq", [2, 3], long)
    assert len(facets([*long, *short])) == 2


def test_a_longer_training_without_results_gives_way() -> None:
    done = cell_of_seeds([10, 20], len=2)
    (facet,) = longest_facets([cell_of_seeds(missing=1, len=2, epochs=400), done])
    assert [*facet.cells.values()] == [done]
    diverged, finished = cell_of_seeds(diverged=1, len=2, epochs=400), cell_of_seeds([10, 20, 30], len=2)
    for longer, cells in (
        (diverged, [diverged, done]),
        (finished, [done, finished]),
        (finished, [finished, done]),
    ):
        (facet,) = longest_facets(cells)
        assert [*facet.cells.values()] == [longer]


def test_the_longer_of_two_trainings_without_results_is_shown() -> None:
    shorter, longer = (cell_of_seeds(missing=1, len=2, epochs=epochs) for epochs in (200, 400))
    (facet,) = longest_facets([longer, shorter])
    assert [*facet.cells.values()] == [longer]


def test_other_settings_than_epochs_separate_the_longest_trainings() -> None:
    cells = [
        cell(2, 16, 1.0, learning_rate=rate, epochs=epochs)
        for rate, epochs in ((0.001, 500), (0.001, 2000), (0.01, 500))
    ]
    assert [(facet.label, [*facet.cells.values()]) for facet in longest_facets(cells)] == [
        ("seq2seq (learning_rate 0.001)", [cells[1]]),
        ("seq2seq (learning_rate 0.01)", [cells[2]]),
    ]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            [
                *(cell_of_seeds([0, 99, 99], mem=mem, len=2) for mem in (16, 50)),
                cell_of_seeds([99, 99, 99], mem=50, len=3),
                cell_of_seeds([0, 0, 99], mem=16, len=3),
            ],
            "seq2seq first holds exact-match 0.99 after 200 epochs at LEN 2 with MEM 16 (in one run); "
            "after 100 at LEN 3 with MEM 50 (in one run).",
        ),
        (
            [
                *(cell_of_seeds([0, 99, 99], [99, 99, 99], mem=16, len=n_out) for n_out in (2, 3, 4)),
                cell_of_seeds([0, 0, 98], [0, 0, 98], mem=16, len=5),
            ],
            "seq2seq first holds exact-match 0.99 after 150 epochs at LEN 2–4 with MEM 16 (in two runs).",
        ),
        (
            [cell_of_seeds([99] * 20, len=2), cell_of_seeds([0] * 19 + [99], len=3)],
            "seq2seq first holds exact-match 0.99 after 100 epochs at LEN 2 with MEM 4 (in one run); "
            "after 2,000 at LEN 3 with MEM 4 (in one run).",
        ),
        (
            [cell_of_seeds([0, 99], [99, 99], [0, 0], len=2), cell_of_seeds(diverged=3, len=3, epochs=200)],
            "seq2seq first holds exact-match 0.99 after 200 epochs at LEN 2 with MEM 4.",
        ),
        (
            [
                cell_of_seeds([0] * 11 + [99], [0] * 10 + [99, 99], len=2, epochs=1125),
                cell_of_seeds([0] * 11 + [99], [0] * 11 + [99], [0] * 12, [99] * 12, len=3, epochs=1125),
                cell_of_seeds([0, 99, 99], [99, 99, 99], len=4),
            ],
            "seq2seq first holds exact-match 0.99 after 1,112.5 epochs at LEN 2 with MEM 4 (in two runs); "
            "after 1,125 at LEN 3 with MEM 4; after 150 at LEN 4 with MEM 4 (in two runs).",
        ),
        (
            [
                cell_of_seeds([0, 99, 99], mem=16, len=2),
                cell_of_seeds([99, 99, 99], mem=16, len=3),
                cell_of_seeds([0, 99, 99], mem=16, len=4),
            ],
            "seq2seq first holds exact-match 0.99 after 200 epochs at LEN 2, 4 with MEM 16 (in one run); "
            "after 100 at LEN 3 with MEM 16 (in one run).",
        ),
    ],
)
def test_epochs_findings(cells: Sequence[Cell], sentence: str) -> None:
    assert epochs_findings(cells) == [sentence]


@pytest.mark.parametrize(
    "cells",
    [
        [cell_of_seeds([98, 98], len=2), cell_of_seeds(missing=1, len=3, epochs=200)],
        [cell_of_seeds([99, 99], [0, 98], len=2)],
        [cell_of_seeds([99, 99], diverged=2, len=2)],
    ],
)
def test_without_a_median_there_is_nothing_to_say_of_epochs(cells: Sequence[Cell]) -> None:
    assert epochs_findings(cells) == [""]


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (0.5, "0.5 after 100"),
        (0.9999999, "0.9999999 after 200"),
        (1.0, "1 after 200"),
    ],
)
def test_epochs_findings_at_another_level(reach: float, said: str) -> None:
    cells = [cell_of_seeds([50, 100], len=2)]
    sentence = f"seq2seq first holds exact-match {said} epochs at LEN 2 with MEM 4 (in one run)."
    assert epochs_findings(cells, reach) == [sentence]


def test_epochs_finding_names_no_training_that_a_len_did_not_have() -> None:
    short = cell_of_seeds([0, 0], len=2)
    long = [cell_of_seeds([0, 0, 0, 0], len=3), cell_of_seeds([0, 0, 0, 0], len=4)]
    assert epochs_findings([short, *long]) == [""]
    assert epochs_findings([short, *long, cell_of_seeds([0, 0, 0, 99], len=5)]) == [
        "seq2seq first holds exact-match 0.99 after 400 epochs at LEN 5 with MEM 4 (in one run)."
    ]
