"""Which cells stand together in a facet, and what the report says of each facet in a sentence."""

from collections.abc import Sequence
from typing import Any

import pytest

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.facets import facets
from raysweep.analysis.findings import finding
from raysweep.trial.settings import TrialSettings


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
    )


def findings(cells: Sequence[Cell]) -> list[str]:
    return [finding(facet).replace("\N{NO-BREAK SPACE}", " ") for facet in facets(cells)]


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
