"""The page: a sweep's report as one HTML document that makes no request, equal for equal sweeps."""

from string import Template

from raysweep.analysis.aggregate import SweepAnalysis, analyse
from raysweep.analysis.evaluations import REACH
from raysweep.report.figures.bundle import vega
from raysweep.report.page.cells import cells_table
from raysweep.report.page.charts import figures, figures_data, figures_section
from raysweep.report.page.failures import failures_list
from raysweep.report.page.markup import Html, joined, json_for_script, tag, text
from raysweep.report.page.provenance import provenance
from raysweep.report.page.scripts import policy, resource, script
from raysweep.report.page.sections import (
    cells_data,
    findings_list,
    header,
    navigation,
    notes,
    section,
)
from raysweep.report.sweep_report import EPOCHS_NOTE
from raysweep.store.ledger import Ledger
from raysweep.store.network_copies import network_text
from raysweep.store.training_curves import training_curves
from raysweep.trial.settings import TrialSettings


def report_page(ledger: Ledger, reach: float = REACH) -> str:
    """Read a sweep and return its page.

    Args:
        ledger: the results folder, even during a run.
        reach: level of exact-match at which a length counts as learned.

    Raises:
        UsageError: the folder holds no sweep.
        ResultsError: a committed file is damaged, or its schema is unknown to this version.
    """
    analysis = analyse(ledger)
    trained = [TrialSettings(**one.settings).trial_id for cell in analysis.cells for one in cell.counts]
    shown = figures(analysis, training_curves(ledger, trained), reach)
    data = {**figures_data(shown), "cells": cells_data(analysis, ledger)}
    scripts = [vega(), resource("page.js")] if shown else [resource("page.js")]
    sections = [
        ("findings", "Findings", findings_list(analysis, reach)),
        ("figures", "Figures", figures_section(shown) if shown else None),
        ("cells", "Cells", _cells(analysis, reach)),
        ("failures", "Failures", failures_list(analysis.failures) if analysis.failures else None),
        ("provenance", "Provenance", provenance(ledger.record(), _networks(ledger, analysis))),
        ("notes", "Notes", notes(analysis, EPOCHS_NOTE)),
    ]
    filled = [(name, title, content) for name, title, content in sections if content]
    return Template(resource("template.html")).substitute(
        policy=text(policy(*scripts)),
        title=text(analysis.name),
        styles=resource("styles.css"),
        header=header(analysis),
        navigation=navigation((name, title) for name, title, _ in filled),
        main=joined(section(*one) for one in filled),
        data=json_for_script(data),
        scripts=joined(map(script, scripts)),
    )


def _cells(analysis: SweepAnalysis, reach: float) -> Html | None:
    """Lay out the table, and the place of what is shown of a chosen cell."""
    if not analysis.cells:
        return None
    digits = tag("label", Html('<input type="checkbox" id="digits">'), " Every digit")
    table = tag(
        "div",
        cells_table(analysis, reach),
        class_="table",
        tabindex=0,
        role="group",
        aria_label="Table of cells",
    )
    chosen = tag("div", id="chosen", class_="chosen", aria_live="polite")
    return tag("div", tag("div", tag("p", digits, class_="controls"), table), chosen, class_="cells")


def _networks(ledger: Ledger, analysis: SweepAnalysis) -> dict[str, str | None]:
    found = {cell.settings["network"] for cell in analysis.cells} - {None}
    return {sha256: network_text(ledger.paths, sha256) for sha256 in found}
