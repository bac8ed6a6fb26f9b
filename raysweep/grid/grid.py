"""The grid file, read in passes: text, nodes with lines, checked values, combinations, trials.

All errors of a grid are found here and reported together, before anything starts. If a setting is given
more than once, an axis wins over the architecture's section, the section over `defaults`, and `defaults`
over the program's own values (`settings.resolve`). What the command line sets is put into the file's tree
(`overrides`), so that it is checked as if the file had it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from raysweep.errors import GridError
from raysweep.grid.checked import CheckedGrid, check
from raysweep.grid.expansion import expand
from raysweep.grid.given import GivenOptions, ReadOptions
from raysweep.grid.named_networks import networks_of_files
from raysweep.grid.network_content import networks_of_content
from raysweep.grid.nodes import Problem, tree_of
from raysweep.grid.overrides import with_archs, with_settings
from raysweep.grid.place import place_of
from raysweep.grid.selection import selected
from raysweep.grid.yaml_file import parse, read_text
from raysweep.trial.network import NetworkSource
from raysweep.trial.resources import Resources
from raysweep.trial.settings import TrialSettings

MAX_TRIALS: Final = 100_000

_NONE: Final = GivenOptions((), ())
_NOTHING: Final = ReadOptions({}, {})


@dataclass(frozen=True)
class Grid:
    """Request for a sweep, as the grid file states it."""

    name: str
    """Name of the sweep and of its results folder."""
    trials: tuple[TrialSettings, ...]
    """Every trial once, in the file's order: the first axis varies slowest."""
    resources: Resources
    keep_state: bool
    """Whether each trial's last training state is kept, so that it can be trained longer."""
    content: Mapping[str, Any] = field(compare=False)
    """The file with what the command line sets, as plain JSON-able values, ranges expanded;
    `grid_from_content` reads these values."""
    selected: tuple[TrialSettings, ...] = field(compare=False)
    """Trials to train now: all of them, or those that `--only` selects."""
    options: tuple[str, ...] = field(default=(), compare=False)
    """Options of the command line that the grid follows, such as `--set epochs=2000`."""
    networks: tuple[NetworkSource, ...] = field(default=(), compare=False)
    """Networks files that the architectures come from; none if the grid is rebuilt from its content."""


def read_grid(
    path: Path | str, *, name: str | None = None, sets: Sequence[str] = (), only: Sequence[str] = ()
) -> Grid:
    """Read a grid file.

    Args:
        path: a YAML file; `-` is standard input. Names of networks files are relative to its folder, and
            if it is a pipe, to the current one.
        name: overrides the file's `name`.
        sets: settings that override the file's, such as `epochs=2000` or `seq2seq.epochs=300`.
        only: settings whose trials alone are selected, such as `len=2..4`.

    Raises:
        GridError: the file, or a networks file that it names, has problems; the error has one line
            ``file:line: key: what is wrong; what to do`` per problem, in the file's order, the grid file's
            problems first. Instead of file and line, ``--set key`` is the place of what was set.
    """
    path = Path(path)
    place = place_of(path)
    source = place.shown
    problems: list[Problem] = []
    options = GivenOptions.of(sets, only)
    given = options.read(problems)
    try:
        root = with_archs(parse(read_text(path), source), given.sets)
    except GridError as error:
        raise GridError([*error.problems, *(one.at(source, options.places) for one in problems)]) from error
    networks = networks_of_files(root, place.folder, problems)
    root = with_settings(root, given.sets, networks, problems)
    checked = check(root, place.stem, name, networks, problems)
    return _grid(checked, source, problems, options, given)


def grid_from_content(content: Mapping[str, Any], *, source: str) -> Grid:
    """Rebuild a grid from its `content`, as kept in a results folder.

    Args:
        content: value of `Grid.content`.
        source: name of the file that holds the content, for messages.

    Raises:
        GridError: as for `read_grid`, but without line numbers.
    """
    problems: list[Problem] = []
    try:
        root = tree_of(content)
    except RecursionError as error:
        raise GridError([Problem(0, "", "nested too deeply; run the grid file again").at(source)]) from error
    networks = networks_of_content(root, problems)
    return _grid(check(root, "", None, networks, problems), source, problems)


def _grid(
    checked: CheckedGrid,
    source: str,
    problems: list[Problem],
    options: GivenOptions = _NONE,
    given: ReadOptions = _NOTHING,
) -> Grid:
    trials = _trials(checked, problems)
    chosen = selected(trials, given.only, problems) if trials else ()
    if problems:
        in_order = sorted(dict.fromkeys(problems), key=lambda problem: problem.order)
        raise GridError([problem.at(source, options.places) for problem in in_order])
    return Grid(
        name=checked.name,
        trials=trials,
        resources=checked.resources,
        keep_state=checked.keep_state,
        content=checked.content(),
        selected=chosen,
        options=tuple(map(str, (*options.sets, *options.only))),
        networks=checked.sources,
    )


def _trials(checked: CheckedGrid, problems: list[Problem]) -> tuple[TrialSettings, ...]:
    num_trials = sum(block.num_trials for block in checked.blocks)
    if num_trials > MAX_TRIALS:
        message = f"{num_trials:,} trials, but one sweep takes at most {MAX_TRIALS:,}; shorten an axis"
        problems.append(Problem(checked.line, "grid", message))
        return ()
    trials = expand(checked.blocks, problems)
    # Resolved and checked above, value by value and against each other.
    return () if problems else tuple(TrialSettings.model_construct(**trial) for trial in trials)
