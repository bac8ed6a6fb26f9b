"""Networks of users that a grid file names, found in its networks files.

Only functions that `arch` or a section names are checked: a networks file may have any others.
"""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from raysweep.architectures import BUILT_IN
from raysweep.grid.keys import TOP_KEYS, entry_of
from raysweep.grid.network_files import NetworkFile, problems_of, read_network_files
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Items, Node, Problem, Scalar, Table
from raysweep.grid.values import FIELDS
from raysweep.trial.network import Network, NetworkFileError
from raysweep.trial.settings import TrialSettings


def networks_of_files(root: Node, folder: Path, problems: list[Problem]) -> GridNetworks:
    """Read the networks that a grid file names.

    Args:
        root: the file's tree.
        folder: folder of the grid file, to which the names of networks files are relative.
        problems: list to which problems are added; those of a networks file have its path as their source.
    """
    archs = list(dict.fromkeys(archs_of(root)))
    entry = entry_of(root, "networks")
    if entry is None:
        keys = [one.key for one in root.entries] if isinstance(root, Table) else []
        if difflib.get_close_matches("networks", keys):  # misspelt, which is reported
            return GridNetworks(given=True, invalid=[arch for arch in archs if arch not in BUILT_IN])
        return GridNetworks()
    files, complete = read_network_files(entry, folder, problems)
    in_files = {arch: _defining(arch, files) for arch in dict.fromkeys([*archs, *_sections(root)])}
    found = {arch: _network(arch, defining, problems) for arch, defining in in_files.items() if defining}
    valid = {arch: network for arch, network in found.items() if network is not None}
    invalid = dict.fromkeys([*found, *([] if complete else archs)])
    functions = dict.fromkeys(name for file in files for name in file.source.functions)
    taken = {*found, *BUILT_IN, *TOP_KEYS}
    others = [name for name in functions if name not in taken and not name.startswith("_")]
    return GridNetworks(
        given=True,
        valid=valid,
        files={arch: in_files[arch][0].name for arch in valid},
        sources={arch: in_files[arch][0].source for arch in valid},
        invalid=[arch for arch in invalid if arch not in (*valid, *BUILT_IN)],
        spare=[name for name in others if _network(name, _defining(name, files), []) is not None],
        functions=others,
    )


def archs_of(table: Node) -> Iterator[str]:
    """Yield the texts that `arch` has in a grid file."""
    blocks, defaults = entry_of(table, "grid"), entry_of(table, "defaults")
    for node in [*(_each(blocks.value) if blocks else ()), *([defaults.value] if defaults else [])]:
        if arch := entry_of(node, "arch"):
            yield from texts_of(arch.value)


def texts_of(node: Node) -> Iterator[str]:
    """Yield a node's text, or the texts of a list."""
    for one in _each(node):
        if isinstance(one, Scalar) and isinstance(one.value, str):
            yield one.value


def _each(node: Node) -> Sequence[Node]:
    return node.items if isinstance(node, Items) else (node,)


def _sections(root: Node) -> Iterator[str]:
    """Yield the keys at the top of a grid file that may be a user's architectures."""
    if isinstance(root, Table):
        yield from (one.key for one in root.entries if one.key not in (*TOP_KEYS, *BUILT_IN, *FIELDS))


def _defining(arch: str, files: Sequence[NetworkFile]) -> list[NetworkFile]:
    """Return the files that have a function of a name; if none has, those that have a class of it, say."""
    having = [file for file in files if arch in file.source.functions]
    return having or [file for file in files if file.source.defines(arch)]


def _network(arch: str, files: Sequence[NetworkFile], problems: list[Problem]) -> Network | None:
    """Return the network of a name that some files define; None if it is not valid."""
    before = len(problems)
    for file in files:
        source, line = file.source, file.source.functions.get(arch)
        if line is not None and arch in (*BUILT_IN, *TOP_KEYS):
            kind = "the name of a built-in architecture" if arch in BUILT_IN else "a key of grid files"
            problems.append(Problem(line, arch, f"{kind}; rename the function", source.file))
        elif line is not None and file is not files[0]:
            message = f"also a function of {files[0].source.file}; rename one of the two"
            problems.append(Problem(line, arch, message, source.file))
    if len(problems) > before or arch in BUILT_IN:
        return None
    try:
        return files[0].source.network(arch, TrialSettings.model_fields)
    except NetworkFileError as error:
        problems.extend(problems_of(error, files[0].source.file))
        return None
