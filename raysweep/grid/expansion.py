"""Blocks of a grid, one per mapping: combinations of the axes, and conflicts between settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

from raysweep.architectures import BUILT_IN
from raysweep.grid.nodes import Problem
from raysweep.grid.options import resolver
from raysweep.grid.values import Axis
from raysweep.trial.network import Network
from raysweep.trial.settings import conflicts

SHOWN_PER_SETTING: Final = 3
"""Conflicts reported for one setting of the file; further conflicts are counted."""

REQUIRED: Final = {"arch": "[echo, seq2seq]", "len": "2..8", "mem": "[16, 50, 150, 300]"}
"""Settings without a default, each with an example."""


@dataclass(frozen=True)
class Block:
    """One mapping of the grid: its axes, and the sections for settings that are no axis."""

    line: int
    axes: Mapping[str, Axis]
    sections: Mapping[str, Mapping[str, Axis]]
    networks: Mapping[str, Network]
    """Users' networks, by architecture."""

    @property
    def num_trials(self) -> int:
        """Number of combinations, computed without expanding them."""
        return prod(len(axis.values) for axis in self.axes.values())

    @property
    def archs(self) -> list[str]:
        """Architectures that the block trains."""
        axis = self.axes.get("arch") or self.sections["defaults"].get("arch")
        return [arch for arch in axis.values if arch is not None] if axis else []

    def origin(self, arch: str, setting: str) -> Axis | None:
        """Return the axis or section entry that sets a setting of an architecture; None means the default."""
        for given in (self.axes, self.sections[arch], self.sections["defaults"]):
            if setting in given:
                return given[setting]
        return None

    def trials(self) -> Iterator[dict[str, Any]]:
        """Yield the resolved settings of every combination whose architecture is known."""
        below = {arch: self._below_axes(arch) for arch in self.archs}
        resolve = {arch: resolver(self.networks.get(arch)) for arch in self.archs}
        for values in product(*(axis.values for axis in self.axes.values())):
            combination = dict(zip(self.axes, values, strict=True))
            for arch in [combination["arch"]] if "arch" in combination else self.archs:
                if arch is not None:
                    yield resolve[arch]({**below[arch], **combination})

    def _below_axes(self, arch: str) -> dict[str, Any]:
        """Return the values that an architecture's settings and options have if they are no axis."""
        options = self.networks[arch].options if arch in self.networks else {}
        given = {
            setting: axis.values[0]
            for where in ("defaults", arch)
            for setting, axis in self.sections[where].items()
            if setting != "arch"
        }
        return {"arch": arch, "seed": 0, **options, **given}


def missing_settings(block: Block) -> Iterator[Problem]:
    """Find required settings that a block lacks."""
    for setting, example in REQUIRED.items():
        lacking = [arch for arch in block.archs or BUILT_IN if block.origin(arch, setting) is None]
        if not lacking:
            continue
        for_arch = f" for {lacking[0]}" if block.archs and len(lacking) < len(block.archs) else ""
        yield Problem(
            block.line, f"grid.{setting}", f"missing{for_arch}; add a line such as {setting}: {example}"
        )


def expand(blocks: Sequence[Block], problems: list[Problem]) -> list[dict[str, Any]]:
    """Return the resolved settings of all trials; add conflicts and duplicate trials to `problems`."""
    trials_of = [list(block.trials()) for block in blocks]
    for block, trials in zip(blocks, trials_of, strict=True):
        problems.extend(_block_conflicts(block, trials))
    if len(blocks) > 1:  # the trials of one block differ, because no axis repeats a value
        problems.extend(_overlaps(blocks, trials_of))
    return [trial for trials in trials_of for trial in trials]


def _block_conflicts(block: Block, trials: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Find conflicting settings of a block: each conflict once, however many trials have this conflict."""
    found: dict[tuple[int, str], dict[Problem, None]] = {}
    for trial in trials:
        for setting, message in conflicts(trial):
            problem = _place(block, trial["arch"], setting, message)
            found.setdefault((problem.line, problem.key), {})[problem] = None
    for (line, key), problems in found.items():
        yield from list(problems)[:SHOWN_PER_SETTING]
        if len(problems) > SHOWN_PER_SETTING:
            yield Problem(line, key, f"and {len(problems) - SHOWN_PER_SETTING:,} more like these")


def _place(block: Block, arch: str, setting: str, message: str) -> Problem:
    """Attach a conflict to the key of the setting that the user should change."""
    origin = block.origin(arch, setting)
    if origin is None:
        partner = block.origin(arch, {"batch_size": "windows", "values": "vocab"}[setting])
        line = partner.line if partner else block.line
        return Problem(line, f"{arch}.{setting}", f"not set, and its default {message}")
    if len(block.archs) > 1 and not origin.key.startswith(f"{arch}."):
        message = f"for {arch}, {message}"
    return Problem(origin.line, origin.key, message)


def _overlaps(blocks: Sequence[Block], trials_of: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[Problem]:
    """Find the trials that two blocks have in common; report one problem per pair of blocks."""
    first_with: dict[frozenset[tuple[str, Any]], int] = {}
    common: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for number, trials in enumerate(trials_of):
        for trial in trials:
            if None in trial.values():
                continue
            first = first_with.setdefault(frozenset(trial.items()), number)
            if first != number:
                common.setdefault((first, number), []).append(trial)
    for (first, second), same in common.items():
        trial_name = "{arch} len {len} mem {mem} seed {seed}".format_map(same[0])
        more = f" (and {len(same) - 1:,} more)" if len(same) > 1 else ""
        other = f"the grid at line {blocks[first].line}" if blocks[first].line else "an earlier grid"
        message = f"{trial_name}{more} duplicates a trial of {other}; keep each trial in only one grid"
        yield Problem(blocks[second].line, "grid", message)
