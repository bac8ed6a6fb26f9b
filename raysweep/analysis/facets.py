"""Facets: LEN × MEM tables of cells in which nothing but LEN, MEM and the seed varies.

Any other setting that varies within an architecture separates facets and is never averaged over. Every
cell belongs to one facet.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell
from raysweep.text import count, setting
from raysweep.trial.options import flattened
from raysweep.trial.settings import TrialSettings

_USUAL_N_IN: Final = "max(5, LEN)"
"""Placeholder for an `n_in` that is the architecture's default for LEN; the formula is that of seq2seq."""

_OTHER_AXES: Final = (
    "epochs",
    *(name for name in CELL_SETTINGS if name not in ("arch", "len", "mem", "epochs", "network", "options")),
    "network",
)
"""Settings that separate facets, in the order of titles; the options of users' networks follow them."""
_ALL_BUT_EPOCHS: Final = _OTHER_AXES[1:]
_SHOWN_ELSEWHERE: Final = ("epochs", "eval_sequences", "curve_every", "eval_every", "network")
"""Settings that a title omits unless they vary, even if they differ from the default."""

_Key = tuple[Any, ...]
"""Values of the axes that separate facets, which all cells of a facet share."""


@dataclass(frozen=True)
class Facet:
    """Cells of one architecture that agree in everything but LEN and MEM."""

    arch: str
    title: str
    """Architecture, epochs, updates, and every other setting that varies or differs from its default."""
    label: str
    """Architecture, and the settings that distinguish this facet from the architecture's others."""
    cells: Mapping[tuple[int, int], Cell]
    """Cells by (LEN, MEM); at least one."""
    whole: bool
    """True if no other facet has a cell of the same settings except LEN, MEM and the seed."""

    @cached_property
    def lens(self) -> list[int]:
        """Every LEN, ascending."""
        return sorted({n_out for n_out, _ in self.cells})

    @cached_property
    def mems(self) -> list[int]:
        """Every MEM, ascending."""
        return sorted({mem for _, mem in self.cells})

    @cached_property
    def evaluated(self) -> list[Cell]:
        """Cells that have an exact-match."""
        return [cell for cell in self.cells.values() if cell.exact_match is not None]

    @property
    def any_cell(self) -> Cell:
        """Any one cell, for settings that all cells share."""
        return next(iter(self.cells.values()))


def facets(cells: Iterable[Cell], changed: Collection[str] = ()) -> list[Facet]:
    """Sort cells into facets, by architecture and then by the other settings.

    Args:
        cells: some or all cells of a sweep.
        changed: architectures of which the sweep has several versions, which titles then name.
    """
    return _facets(cells, _OTHER_AXES, changed)


def longest_facets(cells: Iterable[Cell], changed: Collection[str] = ()) -> list[Facet]:
    """Sort cells into facets that leave out all but the longest training of otherwise equal cells."""
    return _facets(longest(cells), _ALL_BUT_EPOCHS, changed)


def longest(cells: Iterable[Cell]) -> list[Cell]:
    """Return the longest training of otherwise equal cells.

    A cell without a result gives way to a shorter one that has some.
    """
    kept: dict[_Key, Cell] = {}
    for cell in sorted(cells, key=lambda cell: (bool(cell.counts or cell.diverged), cell.settings["epochs"])):
        kept[tuple(value for name, value in cell.settings.items() if name != "epochs")] = cell
    return [*kept.values()]


def _facets(cells: Iterable[Cell], axes: Sequence[str], changed: Collection[str]) -> list[Facet]:
    by_arch: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_arch[cell.settings["arch"]].append(cell)
    return [
        facet
        for arch in sorted(by_arch)
        for facet in _facets_of(arch, by_arch[arch], axes, {"network"} if arch in changed else set())
    ]


def _facets_of(arch: str, cells: Iterable[Cell], axes: Sequence[str], always_shown: set[str]) -> list[Facet]:
    """Split one architecture's cells into facets; cells with the usual `n_in` stay together."""
    cells = list(cells)
    axes = (*axes, *dict.fromkeys(name for cell in cells for name, _ in cell.settings["options"]))
    alike: dict[_Key, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[_key(cell, axes, _USUAL_N_IN)].append(cell)
    groups: dict[_Key, dict[tuple[int, int], Cell]] = defaultdict(dict)
    separated: set[_Key] = set()
    for part in alike.values():
        usual = {cell.settings["n_in"] for cell in part if cell.has_usual_n_in}
        explicit = {cell.settings["n_in"] for cell in part if not cell.has_usual_n_in}
        # If the only usual n_in is also explicit for other LENs, all its cells make one whole facet.
        stays = len(usual) > 1 or not usual <= explicit
        for cell in part:
            settings = cell.settings
            key = own = _key(cell, axes, settings["n_in"])
            if stays and cell.has_usual_n_in:
                key = _key(cell, axes, _USUAL_N_IN)
                separated.add(own)
            groups[key][settings["len"], settings["mem"]] = cell
    keys = sorted(groups, key=_in_order)
    varying = always_shown | {
        name for name, values in zip(axes, zip(*keys, strict=True), strict=True) if len(set(values)) > 1
    }
    return [
        _facet(arch, dict(zip(axes, key, strict=True)), varying, groups[key], whole=key not in separated)
        for key in keys
    ]


def _in_order(key: _Key) -> list[tuple[object, ...]]:
    """Return what facets are sorted by; versions of a network may have options of different types."""
    return [
        (value != _USUAL_N_IN, value is not None, isinstance(value, str), value if value is not None else 0)
        for value in key
    ]


def _key(cell: Cell, axes: Sequence[str], n_in: int | str) -> _Key:
    settings = flattened(cell.settings)
    return tuple(n_in if name == "n_in" else settings.get(name) for name in axes)


def _facet(
    arch: str,
    others: Mapping[str, Any],
    varying: set[str],
    cells: Mapping[tuple[int, int], Cell],
    *,
    whole: bool,
) -> Facet:
    cell = next(iter(cells.values()))
    usual = {**_defaults(cell), "n_in": _USUAL_N_IN}
    unusual = {name for name in others if name not in _SHOWN_ELSEWHERE and others[name] != usual.get(name)}
    shown = [setting(name, others[name]) for name in others if name in varying | unusual and name != "epochs"]
    budget = f"{count(cell.settings['epochs'], 'epoch')}, {count(cell.updates, 'update')}"
    distinct = [setting(name, others[name]) for name in others if name in varying]
    label = f"{arch} ({', '.join(distinct)})" if distinct else arch
    return Facet(arch, " · ".join([arch, budget, *shown]), label, cells, whole)


def _defaults(cell: Cell) -> dict[str, Any]:
    """Return the settings that a trial of this arch, len and mem has by default."""
    given = {name: cell.settings[name] for name in ("arch", "len", "mem", "network", "options")}
    return TrialSettings(**given, seed=0).model_dump()
