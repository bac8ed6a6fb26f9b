"""The plan: what a grid asks for, what is done, and how long the rest may take, as a rich renderable."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from math import prod
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from raysweep.cost import Pace, makespan
from raysweep.grid import Grid
from raysweep.settings import TrialSettings, resolve

_LISTED: Final = ("len", "mem", "seed")
"""Settings whose values share a cell; any other that differs within an architecture gets rows of its own."""


def plan_view(grid: Grid, done: Collection[str], pace: Pace, cpus: int) -> RenderableType:
    """Show a plan.

    Args:
        grid: what is asked.
        done: ids of the trials that are committed, of this grid or not.
        pace: what each trial takes.
        cpus: cores that a run may use.

    Returns:
        A headline, and a table with a row for each architecture and each other setting that differs.
    """
    missing = [trial for trial in grid.trials if trial.trial_id not in done]
    return Group(
        Text(_headline(grid, missing, pace, cpus), style="bold"), Text(), _table(grid.trials, done, pace)
    )


def _headline(grid: Grid, missing: Sequence[TrialSettings], pace: Pace, cpus: int) -> str:
    planned = len(grid.trials)
    counts = f"{grid.name}: {_counted(planned, 'trial')}, {planned - len(missing):,} done"
    if not missing:
        return f"{counts}, nothing to train"
    slots = max(1, int(cpus / grid.resources.cpu))
    rests = f"measured on {_counted(pace.n_measured, 'trial')}" if pace.n_measured else "assumed"
    wall = duration(makespan(missing, pace, slots), rough=True)
    return f"{counts}, {len(missing):,} to train, about {wall} on {_counted(cpus, 'core')} (pace {rests})"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _table(trials: Sequence[TrialSettings], done: Collection[str], pace: Pace) -> Table:
    listed, apart = _listed(trials), _apart(trials)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in ("", "arch", *listed):
        table.add_column(heading, overflow="fold")
    for heading in (*apart, "trials", "done", "to train", "core time"):
        table.add_column(heading, justify="right", overflow="fold")
    for row in _rows(trials, listed, apart):
        missing = [trial for trial in row if trial.trial_id not in done]
        seconds = sum(map(pace.seconds, missing))
        table.add_row(
            "",
            row[0].arch,
            *(compressed([getattr(trial, setting) for trial in row]) for setting in listed),
            *(_value(getattr(row[0], setting)) for setting in apart),
            f"{len(row):,}",
            f"{len(row) - len(missing):,}",
            f"{len(missing):,}",
            duration(seconds) if missing else "–",
        )
    return table


def _listed(trials: Sequence[TrialSettings]) -> list[str]:
    """Choose the settings whose values share a cell: a single seed goes without saying, as n_in does."""
    chosen = [setting for setting in _LISTED if setting != "seed" or len({t.seed for t in trials}) > 1]
    return [*chosen, "n_in"] if any(trial.n_in != _usual_n_in(trial) for trial in trials) else chosen


def _usual_n_in(trial: TrialSettings) -> int:
    return int(resolve({"arch": trial.arch, "len": trial.len})["n_in"])


def _apart(trials: Sequence[TrialSettings]) -> list[str]:
    """Choose the settings that get rows of their own: epochs, and what differs within an architecture."""
    others = [s for s in TrialSettings.model_fields if s not in (*_LISTED, "arch", "n_in", "epochs")]
    archs = {trial.arch for trial in trials}
    differ = [s for s in others if len({(t.arch, getattr(t, s)) for t in trials}) > len(archs)]
    return ["epochs", *differ]


def _rows(
    trials: Sequence[TrialSettings], listed: Sequence[str], apart: Sequence[str]
) -> Iterator[list[TrialSettings]]:
    """Part the trials into rows that are full products of the values they list."""
    parts: dict[Any, list[TrialSettings]] = {}
    for trial in trials:
        parts.setdefault((trial.arch, *(getattr(trial, setting) for setting in apart)), []).append(trial)
    for part in parts.values():
        yield from _products(part, listed, listed)


def _products(
    trials: list[TrialSettings], listed: Sequence[str], split: Sequence[str]
) -> Iterator[list[TrialSettings]]:
    """Split trials by one setting after another until each part is all it seems to be."""
    combinations = prod(len({getattr(trial, setting) for trial in trials}) for setting in listed)
    if combinations == len(trials) or not split:
        yield trials
        return
    parts: dict[Any, list[TrialSettings]] = {}
    for trial in trials:
        parts.setdefault(getattr(trial, split[0]), []).append(trial)
    for part in parts.values():
        yield from _products(part, listed, split[1:])


def compressed(values: Sequence[int]) -> str:
    """Write numbers shortly: three or more in a row as a range.

    >>> compressed([2, 3, 4, 5, 8]), compressed([300, 16]), compressed([0, 1])
    ('2..5, 8', '16, 300', '0, 1')
    """
    runs: list[str] = []
    for _, run in groupby(enumerate(sorted(set(values))), lambda item: item[1] - item[0]):
        numbers = [number for _, number in run]
        runs += [f"{numbers[0]}..{numbers[-1]}"] if len(numbers) > 2 else list(map(str, numbers))
    return ", ".join(runs)


def _value(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def duration(seconds: float, *, rough: bool = False) -> str:
    """Write a duration in its two largest units, or in the largest that still says enough.

    >>> [duration(s) for s in (0.4, 42, 470, 3720, 200_000)]
    ['1 s', '42 s', '7 min 50 s', '1 h 2 min', '2 d 7 h']
    >>> [duration(s, rough=True) for s in (42, 250, 5000)]
    ['40 s', '4 min', '1 h 20 min']
    """
    if rough:
        unit = 10 if seconds < 90 else 60 if seconds < 3600 else 600
        seconds = max(1, round(seconds / unit)) * unit
    left = max(1, round(seconds))
    parts = []
    for size, unit_name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit_name}")
        elif parts:
            break
    return " ".join(parts[:2])
