"""Cells in panels: each a LEN × MEM table in which nothing but LEN, MEM and the seed varies.

So whatever else varies within an architecture makes panels of its own, and is never averaged over.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from raysweep.results.analysis import CELL_SETTINGS, Cell
from raysweep.results.wording import count, setting
from raysweep.settings import TrialSettings

_FOLLOWS_LEN: Final = "max(5, LEN)"
"""Stands for `n_in` where it is what the architecture makes of LEN, for seq2seq in these words."""

_OTHER_AXES: Final = (
    "epochs",
    *(name for name in CELL_SETTINGS if name not in ("arch", "len", "mem", "epochs")),
)
"""What makes panels, in the order in which it is told."""
_SAID_ELSEWHERE: Final = ("epochs", "eval_sequences", "curve_every")
"""Settings whose departure from the default needs no word in a title, unless they vary."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The cells of one architecture that agree in everything but LEN and MEM."""

    arch: str
    title: str
    """The architecture, its epochs and updates, and every other setting that varies or is unusual."""
    label: str
    """The architecture, and what tells this panel from its others."""
    cells: Mapping[tuple[int, int], Cell]
    """By (LEN, MEM); at least one."""

    @property
    def lens(self) -> list[int]:
        """Every LEN, ascending."""
        return sorted({n_out for n_out, _ in self.cells})

    @property
    def mems(self) -> list[int]:
        """Every MEM, ascending."""
        return sorted({mem for _, mem in self.cells})

    @property
    def evaluated(self) -> list[Cell]:
        """The cells that have an exact-match."""
        return [cell for cell in self.cells.values() if cell.exact_match is not None]

    @property
    def any_cell(self) -> Cell:
        """For what all cells have in common."""
        return next(iter(self.cells.values()))


def panels(cells: Iterable[Cell]) -> list[Panel]:
    """Sort cells into panels, by architecture and then by the other settings."""
    by_arch: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_arch[cell.settings["arch"]].append(cell)
    return [panel for arch in sorted(by_arch) for panel in _panels_of(arch, by_arch[arch])]


def _panels_of(arch: str, cells: Sequence[Cell]) -> list[Panel]:
    """Split one architecture's cells."""
    explicit = {cell.settings["n_in"] for cell in cells if cell.settings["n_in"] != _usual(cell)["n_in"]}
    groups: dict[tuple[Any, ...], dict[tuple[int, int], Cell]] = defaultdict(dict)
    for cell in cells:
        settings = cell.settings
        others = {name: settings[name] for name in _OTHER_AXES}
        if settings["n_in"] not in explicit:
            others["n_in"] = _FOLLOWS_LEN
        groups[tuple(others.values())][settings["len"], settings["mem"]] = cell
    keys = sorted(groups, key=lambda key: [(value != _FOLLOWS_LEN, value) for value in key])
    varying = {
        name
        for name, values in zip(_OTHER_AXES, zip(*keys, strict=True), strict=True)
        if len(set(values)) > 1
    }
    return [_panel(arch, dict(zip(_OTHER_AXES, key, strict=True)), varying, groups[key]) for key in keys]


def _panel(
    arch: str, others: Mapping[str, Any], varying: set[str], cells: Mapping[tuple[int, int], Cell]
) -> Panel:
    cell = next(iter(cells.values()))
    usual = {**_usual(cell), "n_in": _FOLLOWS_LEN}
    unusual = {name for name in _OTHER_AXES if name not in _SAID_ELSEWHERE and others[name] != usual[name]}
    said = [
        setting(name, others[name]) for name in _OTHER_AXES if name in varying | unusual and name != "epochs"
    ]
    budget = f"{count(others['epochs'], 'epoch')}, {count(cell.updates, 'update')}"
    told_apart = [setting(name, others[name]) for name in _OTHER_AXES if name in varying]
    label = f"{arch} ({', '.join(told_apart)})" if told_apart else arch
    return Panel(arch, " · ".join([arch, budget, *said]), label, cells)


def _usual(cell: Cell) -> dict[str, Any]:
    """The settings that a trial of this arch, len and mem has unless the grid says otherwise."""
    given = {name: cell.settings[name] for name in ("arch", "len", "mem")}
    return TrialSettings(**given, seed=0).model_dump()
