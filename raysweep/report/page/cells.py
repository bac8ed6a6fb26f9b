"""Table of cells: a row for each combination of settings, every number in full behind what is shown."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from raysweep.analysis.aggregate import Cell, SweepAnalysis
from raysweep.report.footnotes import NOT_REPRODUCIBLE
from raysweep.report.page.markup import Html, joined, tag, void
from raysweep.text import interval_ends, level, number, ranges, share
from raysweep.trial.options import flattened

_ALWAYS: Final = ("arch", "len", "mem")
_HEADS: Final = {"len": "LEN", "mem": "MEM"}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its head, and what it shows of a cell."""

    head: str
    shown: Callable[[Cell], Html]
    numeric: bool = True
    note: str | None = None


def shown_settings(analysis: SweepAnalysis) -> list[str]:
    """Name the settings that tell the cells of a sweep apart; arch, LEN and MEM are always among them."""
    seen: dict[tuple[str, str], set[object]] = defaultdict(set)
    for cell in analysis.cells:
        for name, value in flattened(cell.settings).items():
            seen[cell.settings["arch"], name].add(value)
    varying = {name for (_, name), values in seen.items() if len(values) > 1}
    if all(cell.has_usual_n_in for cell in analysis.cells):
        varying.discard("n_in")  # which follows from LEN
    others = dict.fromkeys(name for _, name in seen if name in varying and name not in _ALWAYS)
    return [*_ALWAYS, *others]


def cell_label(cell: Cell, names: Sequence[str]) -> str:
    """Name a cell: `seq2seq · LEN 4 · MEM 300`."""
    flat = flattened(cell.settings)
    parts = [f"{_HEADS.get(name, name)} {_plain(flat[name])}" for name in names if name in flat]
    return " · ".join([str(flat["arch"]), *parts[1:]])


def cells_table(analysis: SweepAnalysis, reach: float) -> Html:
    """Lay out the table; a row's radio button chooses the cell whose examples are shown."""
    names = shown_settings(analysis)
    columns = [*map(_setting_column, names), *_figures(reach)]
    if any(cell_notes(cell, analysis) for cell in analysis.cells):
        columns.append(_Column("Notes", partial(_notes, analysis=analysis), numeric=False))
    head = tag("tr", tag("th", tag("span", "Choose", class_="hidden"), scope="col"), *map(_head, columns))
    chosen = _most_telling(analysis.cells)
    rows = [
        _row(number, cell, columns, names, chosen=number == chosen)
        for number, cell in enumerate(analysis.cells)
    ]
    caption = tag("caption", "Cells of the sweep; choose one to see what it predicts", class_="hidden")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), id="cell-table", class_="numbers")


def _most_telling(cells: Sequence[Cell]) -> int:
    """Return the place of the cell that the page shows first: the one nearest to half right."""
    shares = {place: cell.exact_match for place, cell in enumerate(cells) if cell.exact_match is not None}
    return min(shares, key=lambda place: abs(shares[place] - 0.5), default=0)


def _head(column: _Column) -> Html:
    button = tag("button", column.head, type="button", title=column.note)
    return tag("th", button, scope="col", aria_sort="none", class_="n" if column.numeric else None)


def _row(number: int, cell: Cell, columns: Sequence[_Column], names: Sequence[str], *, chosen: bool) -> Html:
    label = f"Show {cell_label(cell, names)}"
    choose = void("input", type="radio", name="cell", value=number, aria_label=label, checked=chosen)
    state = None if cell.state == "evaluated" else cell.state.replace(" ", "-")
    first = tag("td", choose, class_="choose")
    return tag("tr", first, *(column.shown(cell) for column in columns), class_=state)


def _setting_column(name: str) -> _Column:
    def shown(cell: Cell) -> Html:
        value = flattened(cell.settings).get(name)
        if name == "arch":
            return tag("th", value, scope="row", data_value=json.dumps(value))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return tag(
            "td",
            "" if value is None else _plain(value),
            class_="n" if is_number else None,
            data_value=None if value is None else json.dumps(value),
        )

    return _Column(_HEADS.get(name, name), shown, numeric=name != "arch", note=None)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


def _figures(reach: float) -> list[_Column]:
    return [
        _Column("Exact match", lambda cell: _number("exact_match", cell.exact_match, share)),
        _Column("95 % interval", _interval, note="Korn & Graubard, rounded outwards"),
        _Column(
            f"Epochs to {level(reach)}",
            lambda cell: _epochs(cell, reach),
            note="Median over seeds, until two evaluations in a row, or the last, have the level",
        ),
        _Column("Loss", lambda cell: _number("loss", cell.loss, _loss), note="Training, last epoch"),
        _Column(
            "Accuracy", lambda cell: _number("accuracy", cell.accuracy, share), note="Training, last epoch"
        ),
        _Column("Windows", lambda cell: _number("windows", cell.windows or None, number)),
        _Column("Seeds", _seeds, numeric=False),
    ]


def _loss(value: float) -> str:
    return f"{value:.4f}"


def _number(name: str, value: float | None, shown: Callable[[float], str]) -> Html:
    """Lay out a number, with its JSON for sorting and for `Every digit`."""
    finite = value is not None and value - value == 0  # neither NaN nor infinite
    if value is None or not finite:
        return tag("td", "–" if value is None else "not finite", class_="n none", data_name=name)
    return tag("td", shown(value), class_="n", data_name=name, data_value=json.dumps(value))


def _interval(cell: Cell) -> Html:
    if cell.interval is None:
        return tag("td", "–", class_="n none", data_name="interval")
    low, high = cell.interval.low, cell.interval.high
    return tag(
        "td",
        interval_ends(low, high),
        class_="n",
        data_name="interval",
        data_value=json.dumps(low),
        data_high=json.dumps(high),
        title=f"over {cell.interval.n} {cell.interval.over}",
    )


def _epochs(cell: Cell, reach: float) -> Html:
    found = cell.epochs_to_reach(reach)
    if not found.of:
        return tag("td", "–", class_="n none", data_name="epochs_to_reach")
    if found.median is not None:
        shown = number(found.median)
    else:
        shown = "never" if found.above is None else f"> {number(found.above)}"
    some = f" ({len(found.epochs)} of {found.of})" if 0 < len(found.epochs) < found.of else ""
    value = None if found.median is None else json.dumps(found.median)
    return tag("td", shown + some, class_="n", data_name="epochs_to_reach", data_value=value)


def _seeds(cell: Cell) -> Html:
    return tag("td", ranges(cell.seeds) or "–", data_name="seeds", data_value=json.dumps(len(cell.seeds)))


def _notes(cell: Cell, *, analysis: SweepAnalysis) -> Html:
    return tag("td", cell_notes(cell, analysis), class_="notes")


def cell_notes(cell: Cell, analysis: SweepAnalysis) -> Html:
    """Say how a cell departs from what was planned; nothing if it does not."""
    counts = (("diverged", cell.diverged), ("failed", cell.failed), ("not run", cell.missing))
    parts: list[object] = [
        tag("span", f"{len(seeds)} {word}", class_=f"badge {word.replace(' ', '-')}")
        for word, seeds in counts
        if seeds
    ]
    if analysis.plan_known and not cell.planned:
        parts.append(tag("span", "no longer in the grid", class_="badge"))
    elif cell.unplanned:
        parts.append(tag("span", f"seeds {ranges(cell.unplanned)} no longer in the grid", class_="badge"))
    if cell.deterministic is False:
        parts.append(tag("span", NOT_REPRODUCIBLE, class_="badge"))
    return joined(parts)
