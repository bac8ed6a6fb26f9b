"""Options of users' networks: where a grid file may set them, and how they enter a trial."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from raysweep.grid.keys import entry_of
from raysweep.grid.networks import GridNetworks
from raysweep.grid.nodes import Items, Node
from raysweep.grid.values import OPTION_FIELDS, either, is_range
from raysweep.trial.network import Network, Option
from raysweep.trial.options import encoded_options
from raysweep.trial.settings import resolve


def fields_of(network: Network) -> dict[str, FieldInfo]:
    """Return the field of each option of a network."""
    return {option: OPTION_FIELDS[type(default)] for option, default in network.options.items()}


def networks_with_options(networks: GridNetworks) -> dict[str, list[str]]:
    """Return the valid networks that have each option, by option."""
    having: dict[str, list[str]] = {}
    for arch, network in networks.valid.items():
        for option in network.options:
            having.setdefault(option, []).append(arch)
    return having


def option_axes(
    node: Node, archs: Sequence[str], networks: GridNetworks
) -> tuple[dict[str, FieldInfo], dict[str, str]]:
    """Return the options that may be axes of one mapping of the grid.

    Args:
        node: the mapping.
        archs: valid architectures of the mapping.
        networks: networks that the grid names.

    Returns:
        The field of each option that may be an axis, and a message for each that may not.
    """
    fields: dict[str, FieldInfo] = {}
    messages: dict[str, str] = {}
    for option, having in networks_with_options(networks).items():
        kinds = {arch: type(networks.valid[arch].options[option]) for arch in archs if arch in having}
        if lacking := [arch for arch in archs if arch not in having]:
            entry = entry_of(node, option)
            many = entry is not None and _many(entry.value)
            messages[option] = _lacking(option, lacking, list(kinds), having, many)
        elif len(set(kinds.values())) > 1:
            messages[option] = _kinds(kinds)
        elif kinds:
            fields[option] = OPTION_FIELDS[next(iter(kinds.values()))]
    return fields, messages


def _many(node: Node) -> bool:
    return len(node.items) > 1 if isinstance(node, Items) else is_range(node)


def _lacking(option: str, lacking: list[str], here: list[str], having: list[str], many: bool) -> str:
    has = "has" if len(lacking) == 1 else "have"
    found = f"{' and '.join(lacking)} {has} no option '{option}'"
    if not here:
        return f"{found}; write it in a grid whose arch is {either(having)}"
    apart = f"put {either(here)} in a grid of its own (a list of mappings under grid)"
    return f"{found}; {apart}" if many else f"{found}; {apart}, or write it under {either(here)}"


_WORDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _kinds(kinds: Mapping[str, type]) -> str:
    listed = [f"{_WORDS[kind]} for {arch}" for arch, kind in kinds.items()]
    return f"{', '.join(listed)}; put each in a grid of its own (a list of mappings under grid)"


def resolver(network: Network | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that resolves the settings of an architecture's trials.

    The function takes a setting for every option of the network, and moves these to the trial's `options`,
    which are None if one of them is invalid.
    """
    if network is None:
        return resolve
    names = tuple(network.options)

    @cache  # few combinations of options, many trials
    def encoded(values: tuple[Option | None, ...]) -> Any:
        return None if None in values else encoded_options(dict(zip(names, values, strict=True)))

    def resolved(given: dict[str, Any]) -> dict[str, Any]:
        options = encoded(tuple(given.pop(name) for name in names))
        return resolve({**given, "network": network.sha256, "options": options})

    return resolved
