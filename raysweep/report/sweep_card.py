"""A sweep in a few lines, as a notebook shows it: trials by status, and the settings that vary."""

from collections.abc import Iterator
from html import escape
from typing import Any

from raysweep.analysis.aggregate import SweepAnalysis
from raysweep.analysis.panels import value_text, varying_settings
from raysweep.text import clean_text, count, ranges

_MOST = 8
"""Most values of a setting that are listed."""


def card_text(analysis: SweepAnalysis) -> str:
    """Return a sweep as one line."""
    (name, trials), *settings = _lines(analysis)
    return f"<Sweep {name}: {'; '.join([trials, *map(' '.join, settings)])}>"


def card_html(analysis: SweepAnalysis) -> str:
    """Return a sweep as a small table; what comes from files is escaped."""
    (name, trials), *settings = _lines(analysis)
    rows = [("trials", trials), *settings]
    cells = "".join(f"<tr><th>{escape(head)}</th><td>{escape(value)}</td></tr>" for head, value in rows)
    return f"<table><caption>{escape(name)}</caption>{cells}</table>"


def _lines(analysis: SweepAnalysis) -> Iterator[tuple[str, str]]:
    """Yield the name with the trials by status, then each setting that varies with its values."""
    counts = analysis.counts
    states = {
        word: getattr(counts, word)
        for word in ("done", "diverged", "failed", "missing")
        if getattr(counts, word) or word == "done"
    }
    by_status = ", ".join(f"{number:,} {word}" for word, number in states.items())
    yield clean_text(analysis.name), f"{by_status} of {count(counts.total, 'trial')}"
    for name, values in varying_settings(analysis.cells).items():
        yield name, _listed(values)
    seeds = sorted({seed for cell in analysis.cells for seed in (*cell.seeds, *cell.diverged)})
    if seeds:
        yield "seed", ranges(seeds)


def _listed(values: list[Any]) -> str:
    whole = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(whole) == len(values) and ranges(whole).count(",") < _MOST:
        return ranges(whole)
    shown = ", ".join(map(value_text, values[:_MOST]))
    return f"{shown}, … ({len(values)} values)" if len(values) > _MOST else shown
