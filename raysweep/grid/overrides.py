"""Values of the command line in place of the grid file's: `--set KEY=VALUES`.

What is set holds for every trial, wherever the file gives the key: in its place in every mapping of the grid
that has it as an axis; otherwise in `defaults`, and no longer in the architectures' sections. Several values
make several trials, so they become an axis of every mapping. `ARCH.KEY` holds for one architecture's trials.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from raysweep.grid.given import Given
from raysweep.grid.keys import TOP_KEYS, entry_of, hint
from raysweep.grid.named_networks import archs_of, texts_of
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Entry, Items, Node, Problem, Scalar, Table
from raysweep.grid.options import networks_with_options
from raysweep.grid.values import FIELDS, either, is_range

_ARCH: Final = "arch"
_ELSEWHERE: Final = {
    "name": "use --name NAME",
    "networks": "name the file in the grid",
    "grid": "set one key of it, such as --set len=2..4",
    "defaults": "set one key of it, such as --set eval_sequences=50",
    "resources": "set one key of it, such as --set resources.cpu=2",
}


def with_archs(root: Node, given: Mapping[Given, Node]) -> Node:
    """Return a grid's tree with the architectures that are set, before its networks are read.

    Args:
        root: the grid file's tree.
        given: values of `--set`.
    """
    for one, value in given.items():
        if one.key == _ARCH and isinstance(root, Table):
            root = _everywhere(root, Entry(one.line, _ARCH, value), ())
    return root


def with_settings(
    root: Node, given: Mapping[Given, Node], networks: GridNetworks, problems: list[Problem]
) -> Node:
    """Return a grid's tree with everything else that is set.

    Args:
        root: the grid file's tree.
        given: values of `--set`.
        networks: networks that the grid names.
        problems: list to which problems are added.
    """
    if not isinstance(root, Table):
        return root
    # A setting of one architecture wins over the same one of all, whatever their order.
    for one, value in sorted(given.items(), key=lambda item: "." in item[0].key):
        if one.key != _ARCH:
            root = _Override(root, networks, problems).applied(one, value)
    return root


@dataclass(frozen=True)
class _Override:
    """One `--set`, to be applied to a grid's tree."""

    root: Table
    networks: GridNetworks
    problems: list[Problem]

    def applied(self, one: Given, value: Node) -> Table:
        section, dot, name = one.key.rpartition(".")
        if (dot and not (section and name)) or name != name.strip() or section != section.strip():
            return self._wrong(one, hint(name.strip() or section, (*FIELDS, "keep_state"))[0])
        entry = Entry(one.line, name, value)
        archs = list(dict.fromkeys(archs_of(self.root)))
        options = networks_with_options(self.networks)
        if section == "resources":
            return _in_section(self.root, section, entry)
        if section in archs and name == _ARCH:
            return self._wrong(one, "not a setting of one architecture; write --set arch=…")
        if section in archs:
            return self._of_arch(section, entry)
        if section:
            return self._wrong(one, _wrong_section(section, name, archs))
        if name == "keep_state":
            return _with(self.root, entry)
        if name in FIELDS:
            return _everywhere(self.root, entry, self.networks.archs)
        if name in options:
            return _option(self.root, entry, options[name])
        return self._unknown(one, name, (*FIELDS, *options, "keep_state"))

    def _wrong(self, one: Given, message: str) -> Table:
        self.problems.append(one.problem(message))
        return self.root

    def _unknown(self, one: Given, name: str, known: Collection[str]) -> Table:
        if name in (*TOP_KEYS, *self.networks.archs):
            one_key = f"set one key of it, such as --set {name}.epochs=500"
            return self._wrong(one, _ELSEWHERE.get(name, one_key))
        if self.networks.invalid:  # already reported, and it may have such an option
            return self.root
        return self._wrong(one, hint(name, known)[0])

    def _of_arch(self, arch: str, entry: Entry) -> Table:
        """Set a key for one architecture; its section has no effect where the key is an axis."""
        several = _several(entry.value)
        trained = [(block, archs) for block, archs in _blocks(self.root) if arch in archs]
        axes = [archs for block, archs in trained if several or _has(block, entry.key)]
        if any(archs != [arch] for archs in axes):
            what = "several values make an axis" if several else f"{entry.key} is an axis"
            message = f"{what}, which is not {arch}'s alone; write --set {entry.key}=…"
            self.problems.append(Problem(entry.line, f"{arch}.{entry.key}", message))
            return self.root
        root = _in_blocks(
            self.root, entry, lambda block, archs: archs == [arch] and (several or _has(block, entry.key))
        )
        return root if len(axes) == len(trained) else _in_section(root, arch, entry)


def _everywhere(root: Table, entry: Entry, archs: Collection[str]) -> Table:
    """Set a setting for every trial."""
    if _several(entry.value):
        return _in_blocks(root, entry, lambda *_: True)
    axes = [_has(block, entry.key) for block, _ in _blocks(root)]
    root = _in_blocks(root, entry, lambda block, _: _has(block, entry.key))
    if axes and all(axes):
        return root
    for arch in archs:
        if (section := entry_of(root, arch)) and isinstance(section.value, Table):
            kept = tuple(one for one in section.value.entries if one.key != entry.key)
            root = _with(root, replace(section, value=replace(section.value, entries=kept)))
    return _in_section(root, "defaults", entry)


def _option(root: Table, entry: Entry, having: Collection[str]) -> Table:
    """Set an option for all users' networks that have it and that the grid trains."""
    several = _several(entry.value)
    trained = {arch for _, archs in _blocks(root) for arch in archs if arch in having}
    root = _in_blocks(
        root,
        entry,
        lambda block, archs: _has(block, entry.key) or (several and not trained.isdisjoint(archs)),
    )
    for arch in () if several else sorted(trained):
        root = _in_section(root, arch, entry)
    return root


def _several(value: Node) -> bool:
    if isinstance(value, Scalar) and value.quoted:  # a text of a user's option may look like a range
        return False
    return isinstance(value, Items) or is_range(value)


def _has(block: Node, key: str) -> bool:
    return entry_of(block, key) is not None


def _blocks(root: Table) -> list[tuple[Table, list[str]]]:
    """Return the mappings of the grid, each with the architectures that it trains."""
    grid, defaults = entry_of(root, "grid"), entry_of(root, "defaults")
    default = entry_of(defaults.value, _ARCH) if defaults else None
    found = []
    for block in _nodes(grid.value) if grid else ():
        if isinstance(block, Table):
            arch = entry_of(block, _ARCH) or default
            found.append((block, list(dict.fromkeys(texts_of(arch.value))) if arch else []))
    return found


def _nodes(node: Node) -> Sequence[Node]:
    return node.items if isinstance(node, Items) else (node,)


def _in_blocks(root: Table, entry: Entry, chosen: Callable[[Table, list[str]], bool]) -> Table:
    """Set a key in some mappings of the grid."""
    if (grid := entry_of(root, "grid")) is None:
        return root
    archs = {id(block): archs for block, archs in _blocks(root)}
    nodes = [
        _with(node, entry) if isinstance(node, Table) and chosen(node, archs[id(node)]) else node
        for node in _nodes(grid.value)
    ]
    value = replace(grid.value, items=tuple(nodes)) if isinstance(grid.value, Items) else nodes[0]
    return _with(root, replace(grid, value=value))


def _in_section(root: Table, section: str, entry: Entry) -> Table:
    """Set a key of a mapping at the top, which is made if the file has none."""
    found = entry_of(root, section) or Entry(entry.line, section, Table(entry.line, ()))
    value = found.value
    if isinstance(value, Scalar) and value.value is None:
        value = Table(value.line, ())
    if not isinstance(value, Table):  # which is reported
        return root
    return _with(root, replace(found, value=_with(value, entry)))


def _with(table: Table, entry: Entry) -> Table:
    """Return a mapping with an entry in the place of the first one of its key, or at the end."""
    keys = [one.key for one in table.entries]
    at = keys.index(entry.key) if entry.key in keys else len(keys)
    return replace(table, entries=(*table.entries[:at], entry, *table.entries[at + 1 :]))


def _wrong_section(section: str, name: str, archs: Sequence[str]) -> str:
    if section in ("grid", "defaults"):
        return f"write --set {name}=…, which holds wherever the file gives it"
    _, guess = hint(section, [*archs, "resources"])
    if guess:
        return f"unknown key; did you mean '{guess}.{name}'?"
    trained = f"the grid trains {' and '.join(archs)}" if archs else "the grid trains no architecture"
    return f"{trained}; write {either([f'{arch}.{name}' for arch in archs] or [name])}"
