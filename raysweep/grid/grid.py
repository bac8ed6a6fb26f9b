"""The grid file, read from YAML and expanded to a complete list of trials.

All errors of a grid are found here and reported together, before anything starts. If a setting is given
more than once, an axis wins over the architecture's section, the section over `defaults`, and `defaults`
over the program's own values (`settings.resolve`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from raysweep.errors import GridError
from raysweep.grid.blocks import Block, expand, missing_settings
from raysweep.grid.nodes import Entry, Items, Node, Problem, Scalar, Table, shown, tree_of
from raysweep.grid.values import FIELDS, Axis, accepted, found, read_axis, read_table, read_value
from raysweep.grid.yaml_file import parse, read_text, shown_path
from raysweep.trial.settings import ARCHS, Name, TrialSettings

MAX_TRIALS: Final = 100_000

_SECTIONS: Final = ("defaults", *ARCHS)
_TOP: Final = ("name", "grid", *_SECTIONS, "resources")


class Resources(BaseModel):
    """Resources that one trial occupies while it runs; not part of its identity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cpu: float = Field(default=1.0, gt=0, le=10_000)
    """Cores."""
    gpu: float = Field(default=0.0, ge=0, le=1_000)
    """GPUs; below 1 a share of one GPU, above 1 a whole number."""

    def slots(self, cpus: float, gpus: float) -> int:
        """Return how many trials fit side by side on a machine with these numbers of cores and GPUs.

        >>> Resources(cpu=2).slots(5, 0), Resources(cpu=1, gpu=0.4).slots(8, 2), Resources(gpu=1).slots(8, 0)
        (2, 4, 0)
        """
        fits = math.floor(cpus / self.cpu + 1e-9)
        if 0 < self.gpu < 1:  # a share is a share of one GPU
            return min(fits, math.floor(1 / self.gpu + 1e-9) * math.floor(gpus))
        return min(fits, math.floor(gpus / self.gpu + 1e-9)) if self.gpu else fits


@dataclass(frozen=True)
class Grid:
    """Request for a sweep, as the grid file states it."""

    name: str
    """Name of the sweep and of its results folder."""
    trials: tuple[TrialSettings, ...]
    """Every trial once, in the file's order: the first axis varies slowest."""
    resources: Resources
    content: Mapping[str, Any] = field(compare=False)
    """The file as plain JSON-able values, ranges expanded; `grid_from_content` reads these values."""


def read_grid(path: Path, *, name: str | None = None) -> Grid:
    """Read a grid file.

    Args:
        path: a YAML file.
        name: overrides the file's `name`.

    Raises:
        GridError: the file has problems; the error has one line ``file:line: key: what is wrong; what
            to do`` per problem, in the file's order.
    """
    source = shown_path(path)
    return _read(parse(read_text(path), source), source, path.stem, name)


def grid_from_content(content: Mapping[str, Any], *, source: str) -> Grid:
    """Rebuild a grid from its `content`, as kept in a results folder.

    Args:
        content: value of `Grid.content`.
        source: name of the file that holds the content, for messages.

    Raises:
        GridError: as for `read_grid`, but without line numbers.
    """
    return _read(tree_of(content), source, "", None)


def _read(root: Node, source: str, stem: str, override: str | None) -> Grid:
    problems: list[Problem] = []
    top, meant = read_table(root, "", _TOP, problems)
    if isinstance(root, Table) and "grid" not in {*top, *meant}:
        problems.append(Problem(root.line, "grid", "missing; write the settings to combine under this key"))
    name = _name(top.get("name"), stem, override, problems)
    resources = _resources(top.get("resources"), problems)
    sections = {where: _section(top.get(where), where, problems) for where in _SECTIONS}
    blocks = _blocks(top.get("grid"), sections, problems)
    num_trials = sum(block.num_trials for block in blocks)
    trials: list[dict[str, Any]] = []
    if num_trials > MAX_TRIALS:
        message = f"{num_trials:,} trials, but one sweep takes at most {MAX_TRIALS:,}; shorten an axis"
        problems.append(Problem(top["grid"].line, "grid", message))
    else:
        trials = expand(blocks, problems)
    if problems:
        raise GridError(
            [problem.at(source) for problem in sorted(dict.fromkeys(problems), key=lambda p: p.line)]
        )
    content = _content(name, blocks, sections, resources)
    return Grid(name, tuple(TrialSettings(**trial) for trial in trials), resources, content)


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
    if accepted(_NAME, stem) is None:
        message = f"not set, and the file name {shown(stem)} is not a valid sweep name; {rule}"
        problems.append(Problem(1, "name", message))
    return stem


_NAME: Final = FieldInfo.from_annotation(Name)


def _resources(entry: Entry | None, problems: list[Problem]) -> Resources:
    fields = Resources.model_fields
    if entry is None:
        return Resources()
    given, _ = read_table(entry.value, "resources", fields, problems)
    amounts = {
        key: read_value(given[key].value, f"resources.{key}", fields[key], problems, "resources")
        for key in given
    }
    gpu = amounts.get("gpu")
    if gpu is not None and gpu > 1 and not gpu.is_integer():
        message = f"found {gpu:g}; write a share of one GPU (such as 0.5), or a whole number of GPUs"
        problems.append(Problem(given["gpu"].line, "resources.gpu", message))
    return Resources(**{key: amount for key, amount in amounts.items() if amount is not None})


def _section(entry: Entry | None, where: str, problems: list[Problem]) -> dict[str, Axis]:
    """Read `defaults` or an architecture's section; every setting becomes an axis of one value."""
    if entry is None:
        return {}
    known = [setting for setting in FIELDS if setting != "arch" or where == "defaults"]
    given, meant = read_table(entry.value, where, known, problems)
    section = {
        key: Axis(
            item.line,
            f"{where}.{key}",
            [read_value(item.value, f"{where}.{key}", FIELDS[key], problems, "section")],
        )
        for key, item in given.items()
    }
    return {key: Axis(entry.line, f"{where}.{key}", [None]) for key in meant} | section


def _blocks(
    entry: Entry | None, sections: Mapping[str, Mapping[str, Axis]], problems: list[Problem]
) -> list[Block]:
    if entry is None:
        return []
    nodes = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
    if not nodes:
        problems.append(Problem(entry.line, "grid", "an empty list makes no trials; write at least one grid"))
    blocks = []
    for node in nodes:
        given, meant = read_table(node, "grid", FIELDS, problems)
        axes = {key: read_axis(item, FIELDS[key], problems) for key, item in given.items()}
        unknown = {key: Axis(node.line, f"grid.{key}", [None]) for key in meant if key not in axes}
        block = Block(node.line, axes | unknown, sections)
        if isinstance(node, Table):
            problems.extend(missing_settings(block))
        blocks.append(block)
    return blocks


def _content(
    name: str,
    blocks: Sequence[Block],
    sections: Mapping[str, Mapping[str, Axis]],
    resources: Resources,
) -> dict[str, Any]:
    grid = [{setting: list(axis.values) for setting, axis in block.axes.items()} for block in blocks]
    given = {
        where: {setting: axis.values[0] for setting, axis in section.items()}
        for where, section in sections.items()
        if section
    }
    return {"name": name, "grid": grid, **given, "resources": resources.model_dump()}
