"""Checked values of a grid file: from nodes to the name, the resources, the sections and the blocks.

An invalid value becomes None, so that reading goes on and one mistake is reported once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo

from raysweep.architectures import BUILT_IN
from raysweep.grid.expansion import Block
from raysweep.grid.keys import TOP_KEYS, read_table
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Entry, Node, Problem, Scalar, Table, shown
from raysweep.grid.sections import SettingsReader, misplaced_keys
from raysweep.grid.values import Axis, accepted, found, read_value
from raysweep.trial.network import NetworkSource
from raysweep.trial.resources import Resources
from raysweep.trial.settings import Name

_NAME: Final = FieldInfo.from_annotation(Name)
_KEEP_STATE: Final = FieldInfo.from_annotation(bool)


@dataclass(frozen=True)
class CheckedGrid:
    """The values of a grid file, each valid or None."""

    line: int
    """Of the key `grid`; 0 if there is none."""
    name: str
    resources: Resources
    keep_state: bool
    sections: Mapping[str, Mapping[str, Axis]]
    """Settings of every trial (`defaults`) and of each architecture, as axes of one value."""
    blocks: list[Block]
    networks: GridNetworks

    @property
    def archs(self) -> set[str]:
        """Architectures that the grid or `defaults` gives."""
        default = self.sections["defaults"].get("arch")
        given = [*(block.archs for block in self.blocks), default.values if default else ()]
        return {arch for archs in given for arch in archs}

    @property
    def sources(self) -> tuple[NetworkSource, ...]:
        """Networks files that the architectures come from, each once."""
        return tuple(dict.fromkeys(s for arch, s in self.networks.sources.items() if arch in self.archs))

    def content(self) -> dict[str, Any]:
        """Return the file as plain JSON-able values, ranges expanded."""
        grid = [{setting: list(axis.values) for setting, axis in b.axes.items()} for b in self.blocks]
        given = {
            where: {setting: axis.values[0] for setting, axis in section.items()}
            for where, section in self.sections.items()
            if section and where in ("defaults", *BUILT_IN, *self.archs)
        }
        networks = self.networks.content(self.archs)
        return {
            "name": self.name,
            **({"networks": networks} if networks else {}),
            "grid": grid,
            **given,
            "resources": self.resources.model_dump(),
            **({"keep_state": True} if self.keep_state else {}),
        }


def check(
    root: Node, stem: str, override: str | None, networks: GridNetworks, problems: list[Problem]
) -> CheckedGrid:
    """Check every value of a grid file.

    Args:
        root: the file's tree.
        stem: the file's name without its ending; the sweep's name if the file has none. Empty for a pipe.
        override: the sweep's name from the command line.
        networks: networks that the grid names.
        problems: list to which problems are added.
    """
    misplaced = misplaced_keys(networks)
    top, meant = read_table(root, "", (*TOP_KEYS, *networks.archs), misplaced, problems)
    if isinstance(root, Table) and "grid" not in {*top, *meant}:
        problems.append(Problem(root.line, "grid", "missing; write the settings to combine under this key"))
    name = _name(top.get("name"), stem, override, problems)
    resources = _resources(top.get("resources"), misplaced, problems)
    keep_state = False
    if entry := top.get("keep_state"):
        keep_state = bool(read_value(entry.value, "keep_state", _KEEP_STATE, problems, "top"))
    reader = SettingsReader(networks, misplaced, problems)
    sections = {where: reader.section(top.get(where), where) for where in ("defaults", *networks.archs)}
    blocks = reader.blocks(top.get("grid"), sections)
    line = top["grid"].line if "grid" in top else 0
    return CheckedGrid(line, name, resources, keep_state, sections, blocks, networks)


def _name(entry: Entry | None, stem: str, override: str | None, problems: list[Problem]) -> str:
    """Take the sweep's name from the command line, the file's `name`, or the file name."""
    rule = "use 1 to 80 of the characters A-Z a-z 0-9 . _ -, not starting with a dot"
    if entry and (not isinstance(entry.value, Scalar) or accepted(_NAME, entry.value.value) is None):
        number = isinstance(entry.value, Scalar) and accepted(_NAME, entry.value.text) is not None
        remedy = "write it in quotes" if number else rule
        problems.append(Problem(entry.line, "name", f"found {found(entry.value)}; {remedy}"))
    if override is not None:
        if accepted(_NAME, override) is None:
            problems.append(Problem(0, "--name", f"found the text {shown(override)}; {rule}"))
        return override
    if entry:
        return entry.value.text if isinstance(entry.value, Scalar) else ""
    if not stem:
        message = "missing, and a pipe has no file name to take it from; write a name, or give --name"
        problems.append(Problem(1, "name", message))
    elif accepted(_NAME, stem) is None:
        message = f"not set, and the file name {shown(stem)} is not a valid sweep name; {rule}"
        problems.append(Problem(1, "name", message))
    return stem


def _resources(entry: Entry | None, misplaced: Mapping[str, str], problems: list[Problem]) -> Resources:
    fields = Resources.model_fields
    if entry is None:
        return Resources()
    given, _ = read_table(entry.value, "resources", fields, misplaced, problems)
    amounts = {
        key: read_value(given[key].value, f"resources.{key}", fields[key], problems, "resources")
        for key in given
    }
    gpu = amounts.get("gpu")
    if gpu is not None and gpu > 1 and not gpu.is_integer():
        message = f"found {gpu:g}; write a share of one GPU (such as 0.5), or a whole number of GPUs"
        problems.append(Problem(given["gpu"].line, "resources.gpu", message))
    return Resources(**{key: amount for key, amount in amounts.items() if amount is not None})
