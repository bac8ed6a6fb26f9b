"""Networks of users in the content of a results folder: their identity and options, without their files."""

from typing import Any, Final

from raysweep.architectures import BUILT_IN
from raysweep.grid.keys import TOP_KEYS, entry_of, read_table, shown_key
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Entry, Node, Problem, Scalar, Table
from raysweep.grid.values import OPTION_FIELDS, field_of, found, read_value
from raysweep.trial.network import Network, Option
from raysweep.trial.network_options import NAME, STANDARD
from raysweep.trial.settings import TrialSettings

_FIELDS: Final = {
    "network": field_of(str, pattern=r"^[0-9a-f]{64}$", description="the SHA-256 of its file"),
    "file": field_of(str, min_length=1, description="the name of its file"),
}
_NOT_ARCHS: Final = frozenset({*BUILT_IN, *TOP_KEYS})
_NOT_OPTIONS: Final = frozenset({*STANDARD, *TrialSettings.model_fields})


def networks_of_content(root: Node, problems: list[Problem]) -> GridNetworks:
    """Read the networks in a grid's content.

    Args:
        root: tree of the content.
        problems: list to which problems are added.
    """
    entry = entry_of(root, "networks")
    if entry is None:
        return GridNetworks()
    valid, files = {}, {}
    entries = _entries(entry.value, "networks", _NOT_ARCHS, problems)
    for arch, one in entries.items():
        before = len(problems)
        sha256, file, options = _network(one, f"networks.{arch}", problems)
        if len(problems) == before:
            valid[arch], files[arch] = Network(arch, sha256, options), file
    invalid = [arch for arch in entries if arch not in valid]
    return GridNetworks(given=True, valid=valid, files=files, invalid=invalid)


def _network(entry: Entry, key: str, problems: list[Problem]) -> tuple[Any, Any, dict[str, Option]]:
    """Read the SHA-256, the file and the options of one network; add to the problems what is wrong."""
    given, _ = read_table(entry.value, key, (*_FIELDS, "options"), {}, problems)
    problems.extend(
        Problem(entry.line, f"{key}.{part}", "missing; run the sweep's grid file again")
        for part in (*_FIELDS, "options")
        if part not in given
    )
    sha256, file = (
        read_value(given[part].value, f"{key}.{part}", field, problems, "top") if part in given else None
        for part, field in _FIELDS.items()
    )
    if "options" not in given:
        return sha256, file, {}
    entries = _entries(given["options"].value, f"{key}.options", _NOT_OPTIONS, problems)
    options = {name: _option(one, f"{key}.options.{name}", problems) for name, one in entries.items()}
    return sha256, file, options


def _entries(node: Node, key: str, taken: frozenset[str], problems: list[Problem]) -> dict[str, Entry]:
    """Read a mapping whose keys are names of networks or of options."""
    if not isinstance(node, Table):
        problems.append(Problem(node.line, key, f"found {found(node)}; write keys with values"))
        return {}
    names = {}
    for entry in node.entries:
        if NAME.fullmatch(entry.key) and entry.key not in taken:
            names[entry.key] = entry
        else:
            at = f"{key}.{shown_key(entry.key)}"
            problems.append(Problem(entry.line, at, "not a valid name; remove it"))
    return names


def _option(entry: Entry, key: str, problems: list[Problem]) -> Any:
    """Read the default of an option, which may be of any type that options have."""
    kind = type(entry.value.value) if isinstance(entry.value, Scalar) else str
    return read_value(entry.value, key, OPTION_FIELDS.get(kind, OPTION_FIELDS[str]), problems, "top")
