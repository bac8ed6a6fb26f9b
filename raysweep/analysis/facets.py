"""Cells in facets: each a LEN × MEM table in which nothing but LEN, MEM and the seed varies.

So whatever else varies within an architecture makes facets of its own, and is never averaged over. Every
cell stands in one facet.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell
from raysweep.text import count, setting
from raysweep.trial.settings import TrialSettings, usual_n_in

_FOLLOWS_LEN: Final = "max(5, LEN)"
"""Stands for `n_in` where it is what the architecture makes of LEN, for seq2seq in these words."""

_OTHER_AXES: Final = (
    "epochs",
    *(name for name in CELL_SETTINGS if name not in ("arch", "len", "mem", "epochs")),
)
"""What makes facets, in the order in which it is told."""
_SAID_ELSEWHERE: Final = ("epochs", "eval_sequences", "curve_every")
"""Settings whose departure from the default needs no word in a title, unless they vary."""

_Key = tuple[Any, ...]
"""What the cells of a facet agree in: the values of `_OTHER_AXES`."""


@dataclass(frozen=True)
class Facet:
    """The cells of one architecture that agree in everything but LEN and MEM."""

    arch: str
    title: str
    """The architecture, its epochs and updates, and every other setting that varies or is unusual."""
    label: str
    """The architecture, and what tells this facet from its others."""
    cells: Mapping[tuple[int, int], Cell]
    """By (LEN, MEM); at least one."""
    whole: bool
    """Whether no other facet has a cell of the same settings but for LEN, MEM and the seed."""

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
        """The cells that have an exact-match."""
        return [cell for cell in self.cells.values() if cell.exact_match is not None]

    @property
    def any_cell(self) -> Cell:
        """For what all cells have in common."""
        return next(iter(self.cells.values()))


def facets(cells: Iterable[Cell]) -> list[Facet]:
    """Sort cells into facets, by architecture and then by the other settings."""
    by_arch: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_arch[cell.settings["arch"]].append(cell)
    return [facet for arch in sorted(by_arch) for facet in _panels_of(arch, by_arch[arch])]


def _panels_of(arch: str, cells: Iterable[Cell]) -> list[Facet]:
    """Split one architecture's cells: those with the usual `n_in` stay together, whatever else there is."""
    alike: dict[_Key, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[_key(cell, _FOLLOWS_LEN)].append(cell)
    groups: dict[_Key, dict[tuple[int, int], Cell]] = defaultdict(dict)
    parted: set[_Key] = set()
    for part in alike.values():
        usual = {cell.settings["n_in"] for cell in part if _has_usual_n_in(cell)}
        explicit = {cell.settings["n_in"] for cell in part if not _has_usual_n_in(cell)}
        # One that others were given too makes one facet with them, and so a whole one.
        stays = len(usual) > 1 or not usual <= explicit
        for cell in part:
            settings = cell.settings
            key = own = _key(cell, settings["n_in"])
            if stays and _has_usual_n_in(cell):
                key = _key(cell, _FOLLOWS_LEN)
                parted.add(own)
            groups[key][settings["len"], settings["mem"]] = cell
    keys = sorted(groups, key=lambda key: [(value != _FOLLOWS_LEN, value) for value in key])
    varying = {
        name
        for name, values in zip(_OTHER_AXES, zip(*keys, strict=True), strict=True)
        if len(set(values)) > 1
    }
    return [_panel(arch, key, varying, groups[key], whole=key not in parted) for key in keys]


def _key(cell: Cell, n_in: int | str) -> _Key:
    return tuple(n_in if name == "n_in" else cell.settings[name] for name in _OTHER_AXES)


def _has_usual_n_in(cell: Cell) -> bool:
    settings = cell.settings
    return bool(settings["n_in"] == usual_n_in(settings["arch"], settings["len"]))


def _panel(
    arch: str, key: _Key, varying: set[str], cells: Mapping[tuple[int, int], Cell], *, whole: bool
) -> Facet:
    others = dict(zip(_OTHER_AXES, key, strict=True))
    cell = next(iter(cells.values()))
    usual = {**_usual(cell), "n_in": _FOLLOWS_LEN}
    unusual = {name for name in _OTHER_AXES if name not in _SAID_ELSEWHERE and others[name] != usual[name]}
    said = [
        setting(name, others[name]) for name in _OTHER_AXES if name in varying | unusual and name != "epochs"
    ]
    budget = f"{count(others['epochs'], 'epoch')}, {count(cell.updates, 'update')}"
    told_apart = [setting(name, others[name]) for name in _OTHER_AXES if name in varying]
    label = f"{arch} ({', '.join(told_apart)})" if told_apart else arch
    return Facet(arch, " · ".join([arch, budget, *said]), label, cells, whole)


def _usual(cell: Cell) -> dict[str, Any]:
    """The settings that a trial of this arch, len and mem has unless the grid says otherwise."""
    given = {name: cell.settings[name] for name in ("arch", "len", "mem")}
    return TrialSettings(**given, seed=0).model_dump()
