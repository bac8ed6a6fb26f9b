"""Keys of a grid file's mappings: known, misspelt, or in the wrong place."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Final

from raysweep.grid.nodes import Entry, Node, Problem, Scalar, Table, shown
from raysweep.grid.values import found

TOP_KEYS: Final = ("name", "networks", "grid", "defaults", "resources", "keep_state")
"""Keys at the top of a grid file, besides the architectures'."""

_SYNONYMS: Final = {"lr": "learning_rate", "n_out": "len", "units": "mem"}
"""Other names of settings, too different for the spelling check."""


def read_table(
    node: Node,
    where: str,
    known: Collection[str],
    misplaced: Mapping[str, str],
    problems: list[Problem],
    *,
    unsure: bool = False,
) -> tuple[dict[str, Entry], set[str]]:
    """Read a mapping with known keys.

    Args:
        node: the node to read.
        where: key of the node; empty at the top of the file.
        known: keys that the mapping may have.
        misplaced: keys that belong elsewhere, each with a message.
        problems: list to which problems are added.
        unsure: skip other keys in silence; an invalid network, already reported, may have such an option.

    Returns:
        The entries by key, in order; and the known keys that unknown keys probably meant.
    """
    entries: dict[str, Entry] = {}
    meant: set[str] = set()
    if not isinstance(node, Table):
        if not (isinstance(node, Scalar) and node.value is None and where not in ("", "grid")):
            problems.append(Problem(node.line, where, f"found {found(node)}; write keys with values"))
        return entries, meant
    for entry in node.entries:
        key = f"{where}.{shown_key(entry.key)}" if where else shown_key(entry.key)
        if entry.key in entries:
            first = entries[entry.key].line
            at = f" (first at line {first})" if first > 0 else ""
            problems.append(Problem(entry.line, key, f"given twice{at}; keep one of the two"))
        elif entry.key in known:
            entries[entry.key] = entry
        elif entry.key in misplaced:
            problems.append(Problem(entry.line, key, misplaced[entry.key]))
        elif not unsure:
            message, guess = hint(entry.key, known)
            meant |= {guess} if guess else set()
            problems.append(Problem(entry.line, key, message))
    return entries, meant


def entry_of(node: Node, key: str) -> Entry | None:
    """Return the first entry of a key in a mapping; None if there is none, or no mapping."""
    if not isinstance(node, Table):
        return None
    return next((entry for entry in node.entries if entry.key == key), None)


def shown_key(text: str) -> str:
    """Return a key for a message, quoted unless it is a short word."""
    return text if re.fullmatch(r"[\w.-]{1,50}", text) else shown(text)


def hint(key: str, known: Collection[str]) -> tuple[str, str | None]:
    """Return the message for an unknown key, and the known key that was probably meant."""
    word = key.lower().replace("-", "_").replace(" ", "_")
    guess = _SYNONYMS.get(word) or next(iter(difflib.get_close_matches(word, known, n=1)), None)
    if guess in known:
        return f"unknown key; did you mean '{guess}'?", guess
    return f"unknown key; use one of {', '.join(known)}", None
