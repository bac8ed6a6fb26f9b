"""Panels of a figure: rows × columns of cells, for any two settings that a sweep has.

Any other setting that varies separates panels and is never averaged over. `facets` does the same for the
terminal, always for LEN × MEM.
"""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from raysweep.analysis.aggregate import Cell, SweepAnalysis
from raysweep.analysis.facets import longest
from raysweep.errors import UsageError
from raysweep.text import one_line, setting
from raysweep.trial.options import flattened
from raysweep.trial.settings import TrialSettings

_USUAL: Final = "usual"
"""Placeholder for an `n_in` that is the architecture's default for LEN, and so no axis of its own."""

_LAST: Final = ("epochs", "network", "arch")
"""Settings that become an axis only if no other setting varies."""

_LONGEST: Final = 30
"""Most characters of a text option's value."""

Key = tuple[Any, ...]
At = tuple[Any, Any]
"""Values of the row's and of the column's setting; None if the cell's architecture lacks the setting."""


@dataclass(frozen=True)
class Panel:
    """Cells that agree in every setting but those of the rows and columns."""

    arch: str | None
    """Architecture; None if the architecture is an axis."""
    distinct: Mapping[str, Any]
    """Settings that distinguish the panel from others, by name; the architecture is not among them."""
    cells: Mapping[At, Cell]
    """Cells by row and column; at least one."""

    @property
    def label(self) -> str:
        """Architecture, and the settings that distinguish the panel."""
        own = [self.arch] if self.arch else []
        return " · ".join([*own, *(named(name, value) for name, value in self.distinct.items())])

    @property
    def epochs(self) -> int | None:
        """Epochs of every cell; None if they differ."""
        epochs = {cell.settings["epochs"] for cell in self.cells.values()}
        return epochs.pop() if len(epochs) == 1 else None


def named(name: str, value: Any) -> str:
    """Format a setting and its value for a figure.

    >>> named("len", 4), named("learning_rate", 0.01), named("layers", None)
    ('LEN 4', 'learning_rate 0.01', 'layers –')
    """
    if name in ("len", "mem"):
        return f"{name.upper()} {value_text(value)}"
    if name == "arch" or value is None:
        return value_text(value) if name == "arch" else f"{name} –"
    return setting(name, value_text(value) if isinstance(value, str) else value)


def value_text(value: Any) -> str:
    """Format a setting's value as an axis shows it.

    >>> value_text(20000), value_text(0.001), value_text(True), value_text(None)
    ('20,000', '0.001', 'true', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(str(value), _LONGEST)


@dataclass(frozen=True)
class Panels:
    """All cells of a figure."""

    rows: str
    """Setting of the rows."""
    columns: str
    panels: Sequence[Panel]

    @cached_property
    def row_values(self) -> list[Any]:
        """Every row, ascending."""
        return sorted({row for panel in self.panels for row, _ in panel.cells}, key=_ascending)

    @cached_property
    def column_values(self) -> list[Any]:
        """Every column, ascending."""
        return sorted({column for panel in self.panels for _, column in panel.cells}, key=_ascending)

    @property
    def cells(self) -> list[Cell]:
        """Every cell."""
        return [cell for panel in self.panels for cell in panel.cells.values()]


def panels(
    analysis: SweepAnalysis,
    rows: str | None = None,
    columns: str | None = None,
    *,
    only_longest: bool = False,
) -> Panels:
    """Sort the cells of the latest grid into panels.

    Args:
        analysis: result of `analyse`.
        rows: setting of the rows; default: LEN if it varies, else the first setting that does.
        columns: setting of the columns; default: MEM if it varies, else the next setting that does.
        only_longest: leave out all but the longest training of otherwise equal cells, unless `epochs` is an
            axis.

    Raises:
        UsageError: the sweep has no such setting, or both axes are the same.
    """
    cells = analysis.current
    if not cells:
        raise UsageError("no trial of the latest grid has a result yet; there is nothing to draw")
    _require_known(cells, {"rows": rows, "columns": columns})
    if only_longest and "epochs" not in (rows, columns):
        cells = longest(cells)
    read = _read(cells)
    down, across = _axes(read, rows, columns)
    if "n_in" in (down, across):
        read = [flattened(cell.settings) for cell in cells]
    separating = [name for name in _varying(read) if name not in (down, across)]
    groups: dict[Key, dict[At, Cell]] = defaultdict(dict)
    for cell, settings in zip(cells, read, strict=True):
        key = tuple(settings.get(name) for name in separating)
        groups[key][settings.get(down), settings.get(across)] = cell
    keys = sorted(groups, key=lambda key: [_ascending(value) for value in key])
    shown = [_panel(dict(zip(separating, key, strict=True)), groups[key], (down, across)) for key in keys]
    return Panels(down, across, shown)


def varying_settings(cells: Sequence[Cell]) -> dict[str, list[Any]]:
    """Return the settings that vary within an architecture, and `arch` if it varies: each one's values."""
    read = _read(cells)
    return {
        name: sorted({one[name] for one in read if one.get(name, _USUAL) != _USUAL}, key=_ascending)
        for name in _varying(read)
    }


def _read(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return the settings of each cell; an `n_in` that is the default for LEN is not a difference."""
    n_in: dict[tuple[str, bool], set[int]] = defaultdict(set)
    for cell in cells:
        n_in[cell.settings["arch"], cell.has_usual_n_in].add(cell.settings["n_in"])
    read = []
    for cell in cells:
        usual, explicit = (n_in[cell.settings["arch"], one] for one in (True, False))
        # If the only usual n_in is explicit for other LENs, the grid has set it for all.
        default = cell.has_usual_n_in and (len(usual) > 1 or not usual <= explicit)
        read.append(flattened(cell.settings) | ({"n_in": _USUAL} if default else {}))
    return read


def _varying(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the settings that vary within an architecture, then `arch` if there are several."""
    values: dict[tuple[str, str], set[Any]] = defaultdict(set)
    for one in settings:
        for name, value in one.items():
            values[one["arch"], name].add(value)
    names = dict.fromkeys(name for one in settings for name in one)
    varying = [
        name for name in names if any(len(found) > 1 for (_, own), found in values.items() if own == name)
    ]
    return [*(["arch"] if len({one["arch"] for one in settings}) > 1 else []), *varying]


def _axes(settings: Sequence[Mapping[str, Any]], rows: str | None, columns: str | None) -> tuple[str, str]:
    """Choose the axes that are not given."""
    varying = _varying(settings)
    others = [name for name in varying if name not in ("len", "mem", *_LAST)]
    others += [name for name in _LAST if name in varying]
    # Without a given column, MEM is kept for the columns.
    wanted = ["len", *(["mem"] if columns else []), *others]
    down = rows or _first(wanted, varying, columns, "len", "mem")
    return down, columns or _first(["mem", "len", *others], varying, down, "mem", "len")


def _first(wanted: Sequence[str], varying: Sequence[str], taken: str | None, *usual: str) -> str:
    """Return the first wanted setting that varies, or else the usual one that is not taken."""
    found = [name for name in wanted if name in varying]
    return next(name for name in (*found, *usual) if name != taken)


def _panel(separating: Mapping[str, Any], cells: Mapping[At, Cell], axes: Sequence[str]) -> Panel:
    archs = {cell.settings["arch"] for cell in cells.values()}
    arch = None if "arch" in axes else archs.pop()
    distinct = {
        name: value
        for name, value in separating.items()
        if name != "arch" and value is not None and value != _USUAL
    }
    return Panel(arch, distinct, cells)


def _ascending(value: Any) -> tuple[bool, bool, Any]:
    """Return what values are sorted by, though an option may be a number here and a text there."""
    return value is not None, isinstance(value, str), 0 if value is None else value


def _require_known(cells: Iterable[Cell], axes: Mapping[str, str | None]) -> None:
    known = dict.fromkeys(name for cell in cells for name in flattened(cell.settings))
    known = known or dict.fromkeys(TrialSettings.model_fields)
    for option, name in axes.items():
        if name == "seed":
            raise UsageError(f"{option}: seed cannot be an axis: figures show means over seeds")
        if name is not None and name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
            raise UsageError(f"{option}: the sweep has no setting {name!r}; {hint}")
    if axes["rows"] is not None and axes["rows"] == axes["columns"]:
        raise UsageError(f"rows and columns are both {axes['rows']}; choose two settings")
