"""One mapping of a grid: from axes to combinations, and what is wrong between settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

from raysweep.grid.nodes import Problem
from raysweep.grid.values import Axis
from raysweep.trial.settings import ARCHS, conflicts, resolve

SHOWN_PER_SETTING: Final = 3
"""Disagreements written out for one setting of the file; the rest are counted."""

REQUIRED: Final = {"arch": "[echo, seq2seq]", "len": "2..8", "mem": "[16, 50, 150, 300]"}
"""What every trial must be given, and an example of it."""


@dataclass(frozen=True)
class Block:
    """One mapping of the grid: its axes, and the sections that speak where they are silent."""

    line: int
    axes: Mapping[str, Axis]
    sections: Mapping[str, Mapping[str, Axis]]

    @property
    def num_trials(self) -> int:
        """How many combinations there are, without making them."""
        return prod(len(axis.values) for axis in self.axes.values())

    @property
    def archs(self) -> list[str]:
        """The architectures that it trains."""
        axis = self.axes.get("arch") or self.sections["defaults"].get("arch")
        return [arch for arch in axis.values if arch is not None] if axis else []

    def origin(self, arch: str, setting: str) -> Axis | None:
        """Find what gives a setting to the trials of an architecture; None is the program itself."""
        for given in (self.axes, self.sections[arch], self.sections["defaults"]):
            if setting in given:
                return given[setting]
        return None

    def trials(self) -> Iterator[dict[str, Any]]:
        """Give the resolved settings of every combination whose architecture is known."""
        below = {
            arch: {"arch": arch, "seed": 0}
            | {
                setting: given.values[0]
                for where in ("defaults", arch)
                for setting, given in self.sections[where].items()
                if setting != "arch"
            }
            for arch in self.archs
        }
        for values in product(*(axis.values for axis in self.axes.values())):
            combination = dict(zip(self.axes, values, strict=True))
            for arch in [combination["arch"]] if "arch" in combination else self.archs:
                if arch is not None:
                    yield resolve({**below[arch], **combination})


def missing_settings(block: Block) -> Iterator[Problem]:
    """Find the settings that nothing gives to a block, though no trial is one without them."""
    for setting, example in REQUIRED.items():
        needy = [arch for arch in block.archs or ARCHS if block.origin(arch, setting) is None]
        if not needy:
            continue
        whose = f" for {needy[0]}" if block.archs and len(needy) < len(block.archs) else ""
        yield Problem(
            block.line, f"grid.{setting}", f"missing{whose}; add a line such as {setting}: {example}"
        )


def expand(blocks: Sequence[Block], problems: list[Problem]) -> list[dict[str, Any]]:
    """Give the resolved settings of all trials, and find what no single value shows."""
    trials_of = [list(block.trials()) for block in blocks]
    for block, trials in zip(blocks, trials_of, strict=True):
        problems.extend(_at_odds(block, trials))
    if len(blocks) > 1:  # within one block the axes' values differ, and so do its trials
        problems.extend(_overlaps(blocks, trials_of))
    return [trial for trials in trials_of for trial in trials]


def _at_odds(block: Block, trials: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Find the settings of a block that disagree: each disagreement once, however many trials have it."""
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
    """Put a disagreement at the key that gives the setting which the user should change."""
    origin = block.origin(arch, setting)
    if origin is None:
        partner = block.origin(arch, {"batch_size": "windows", "values": "vocab"}[setting])
        line = partner.line if partner else block.line
        return Problem(line, f"{arch}.{setting}", f"not set, and its default {message}")
    if len(block.archs) > 1 and not origin.key.startswith(f"{arch}."):
        message = f"for {arch}, {message}"
    return Problem(origin.line, origin.key, message)


def _overlaps(blocks: Sequence[Block], trials_of: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[Problem]:
    """Find the trials that two blocks have in common, and report them once for each two blocks."""
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
        where = f"at line {blocks[first].line}" if blocks[first].line else "before it"
        message = f"{trial_name}{more} comes out the same as in the grid {where}; leave it out of one of them"
        yield Problem(blocks[second].line, "grid", message)
