"""Settings and options in a grid file: in the grid, in `defaults`, and in each architecture's section."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic.fields import FieldInfo

from raysweep.architectures import BUILT_IN
from raysweep.grid.expansion import Block, missing_settings
from raysweep.grid.keys import entry_of, read_table
from raysweep.grid.named_networks import texts_of
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Entry, Items, Node, Problem, Table
from raysweep.grid.options import fields_of, networks_with_options, option_axes
from raysweep.grid.values import FIELDS, Axis, either, read_axis, read_value

_ARCH: Final = "arch"


def misplaced_keys(networks: GridNetworks) -> dict[str, str]:
    """Return a message for every setting and option, to show if it is in a place where it may not be."""
    places = either(["grid", "defaults", *networks.archs])
    options = {
        option: f"an option of {' and '.join(archs)}; put it under {either(['grid', *archs])}"
        for option, archs in networks_with_options(networks).items()
    }
    settings = dict.fromkeys(FIELDS, f"does not belong here; put it under {places}")
    return {**options, **settings, _ARCH: "does not belong here; put it under grid or defaults"}


@dataclass(frozen=True)
class SettingsReader:
    """Reader of the mappings that hold settings and options."""

    networks: GridNetworks
    misplaced: Mapping[str, str]
    """Message for each key that is in the wrong place."""
    problems: list[Problem]

    def section(self, entry: Entry | None, where: str) -> dict[str, Axis]:
        """Read `defaults` or an architecture's section; every setting becomes an axis of one value."""
        if entry is None:
            return {}
        fields = {**FIELDS, _ARCH: self.networks.arch_field}
        if where != "defaults":
            del fields[_ARCH]
        if where in self.networks.valid:
            fields |= fields_of(self.networks.valid[where])
        unsure = where in self.networks.invalid
        given, meant = read_table(entry.value, where, fields, self.misplaced, self.problems, unsure=unsure)
        section = {key: self._one_value(item, f"{where}.{key}", fields[key]) for key, item in given.items()}
        return {key: Axis(entry.line, f"{where}.{key}", [None]) for key in meant} | section

    def _one_value(self, item: Entry, key: str, field: FieldInfo) -> Axis:
        axis = Axis(item.line, key, [read_value(item.value, key, field, self.problems, "section")])
        return self._without_invalid(axis) if item.key == _ARCH else axis

    def blocks(self, entry: Entry | None, sections: Mapping[str, Mapping[str, Axis]]) -> list[Block]:
        """Read the grid: one mapping, or a list of mappings."""
        if entry is None:
            return []
        nodes = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
        if not nodes:
            message = "an empty list makes no trials; write at least one grid"
            self.problems.append(Problem(entry.line, "grid", message))
        return [self._block(node, sections) for node in nodes]

    def _block(self, node: Node, sections: Mapping[str, Mapping[str, Axis]]) -> Block:
        given_archs = self._archs(node, sections)
        archs = [arch for arch in given_archs if arch in BUILT_IN or arch in self.networks.valid]
        unsure = self.networks.given and (not archs or len(archs) < len(given_archs))
        options, messages = option_axes(node, archs, self.networks)
        fields = {**FIELDS, _ARCH: self.networks.arch_field, **options}
        misplaced = {**self.misplaced, **messages}
        given, meant = read_table(node, "grid", fields, misplaced, self.problems, unsure=unsure)
        axes = {key: read_axis(item, fields[key], self.problems) for key, item in given.items()}
        if _ARCH in axes:
            axes[_ARCH] = self._without_invalid(axes[_ARCH])
        written = [entry.key for entry in node.entries] if isinstance(node, Table) else []
        unread = [key for key in (*written, *meant) if key not in axes]
        unknown = {key: Axis(node.line, f"grid.{key}", [None]) for key in unread}
        block = Block(node.line, axes | unknown, sections, self.networks.valid)
        if isinstance(node, Table):
            self.problems.extend(missing_settings(block))
        return block

    def _archs(self, node: Node, sections: Mapping[str, Mapping[str, Axis]]) -> list[str]:
        """Return the architectures that a mapping of the grid gives, valid or not."""
        if axis := entry_of(node, _ARCH):
            return list(dict.fromkeys(texts_of(axis.value)))
        default = sections["defaults"].get(_ARCH)
        return [value for value in default.values if value is not None] if default else []

    def _without_invalid(self, axis: Axis) -> Axis:
        """Return the axis of `arch` with None for each network whose problem is reported."""
        known = (*BUILT_IN, *self.networks.valid)
        return replace(axis, values=[arch if arch in known else None for arch in axis.values])
