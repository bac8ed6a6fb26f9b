"""Sections of the page: head, findings, figures, cells, failures, provenance and notes."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from raysweep.analysis.aggregate import Cell, SweepAnalysis
from raysweep.analysis.facets import facets
from raysweep.analysis.findings import epochs_finding, finding
from raysweep.errors import ResultsError
from raysweep.report.epochs_map import epochs_facets
from raysweep.report.page.cells import cell_label, shown_settings
from raysweep.report.page.markup import Html, tag
from raysweep.report.sweep_report import remarks, summary
from raysweep.store.examples import examples_of
from raysweep.store.ledger import Ledger
from raysweep.trial.options import flattened
from raysweep.trial.settings import TrialSettings

MAX_EXAMPLES: Final = 400
"""Cells whose examples are part of the page, the first ones in the table."""


def header(analysis: SweepAnalysis) -> Html:
    """Lay out the sweep's name, what is done, and what is not."""
    counts = analysis.counts
    sums = {"diverged": counts.diverged, "failed": counts.failed, "missing": counts.missing}
    badges = [
        tag("span", f"{number:,} {word}", class_=f"badge {word}") for word, number in sums.items() if number
    ]
    return tag(
        "header",
        tag("p", "raysweep", class_="brand"),
        tag("h1", analysis.name),
        tag("p", summary(analysis), class_="lead"),
        tag("p", *badges, class_="badges") if badges else None,
    )


def section(name: str, title: str, *content: object) -> Html:
    """Return a section with its heading."""
    return tag("section", tag("h2", title, id=name), *content, aria_labelledby=name)


def findings_list(analysis: SweepAnalysis, reach: float) -> Html:
    """Lay out the findings as the terminal's report has them."""
    planned = analysis.current
    changed = analysis.changed_networks
    found = [finding(facet, reach) for facet in facets(planned, changed)]
    found += filter(None, (epochs_finding(facet, reach) for facet in epochs_facets(planned, changed)))
    return tag("ul", *(tag("li", one) for one in found), class_="findings") if found else _nothing()


def _nothing() -> Html:
    return tag("p", "Nothing is done yet.", class_="quiet")


def notes(analysis: SweepAnalysis, reach_note: str) -> Html:
    """Lay out how to read the numbers."""
    return tag("ul", *(tag("li", one) for one in [*remarks(analysis), reach_note]), class_="quiet")


def navigation(sections: Iterable[tuple[str, str]]) -> Html:
    """Link to the sections."""
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title in sections)
    return tag("nav", tag("ul", *links), aria_label="Sections")


def cells_data(analysis: SweepAnalysis, ledger: Ledger) -> list[dict[str, Any]]:
    """Return what the page shows of a chosen cell, in the order of the table."""
    names = shown_settings(analysis)
    return [
        _cell(cell, names, ledger, with_examples=place < MAX_EXAMPLES)
        for place, cell in enumerate(analysis.cells)
    ]


def _cell(cell: Cell, names: Sequence[str], ledger: Ledger, *, with_examples: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "label": cell_label(cell, names),
        "settings": [[name, _shown(value)] for name, value in flattened(cell.settings).items()],
        "positions": list(cell.position_accuracy),
    }
    if not cell.counts:
        return data | {"note": f"No examples: {cell.state}."}
    if not with_examples:
        return data | {"note": f"Examples are part of the page for the first {MAX_EXAMPLES} cells only."}
    first = cell.counts[0]
    try:
        examples = examples_of(ledger.paths, TrialSettings(**first.settings))
    except ResultsError as error:
        return data | {"note": str(error)}
    return data | {"seed": first.settings["seed"], "of": first.windows, "examples": examples}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
