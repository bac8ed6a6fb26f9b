"""Plan of a run as a rich renderable: planned, committed and missing trials, and the estimated time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from raysweep.analysis.forecast import Forecast
from raysweep.grid import Grid
from raysweep.report.fitting import Fitting
from raysweep.report.wrapped import Wrapped
from raysweep.text import cores_and_gpus, count, duration, ranges, setting
from raysweep.trial.cost import state_bytes
from raysweep.trial.settings import TrialSettings

_LISTED: Final = ("len", "mem", "seed")
"""Settings whose values share a cell; any other setting that differs is named above its table."""


def plan_view(
    grid: Grid, ahead: Forecast, cpus: int, gpus: int = 0, changes: Sequence[str] = ()
) -> RenderableType:
    """Lay out a plan.

    Args:
        grid: the grid to train.
        ahead: what is missing, and how long it takes.
        cpus: cores that a run may use.
        gpus: GPUs of this machine.
        changes: what changed networks files mean, and other remarks.

    Returns:
        A headline, and a table with a row per architecture and number of epochs. If other settings differ
        within an architecture, one table per combination of these settings, under the combination's name.
        Then remarks on states and on an axis of epochs.
    """
    parts: list[RenderableType] = [Text(_headline(grid, ahead, cpus, gpus), style="bold")]
    others, listed = _others(grid.trials), _listed(grid.trials)
    for values, trials in _grouped(grid.trials, others):
        given = zip(others, values, strict=True)
        named = [setting(name, value) for name, value in given if value is not None]
        parts += [
            Text(),
            *([Text(f"  {', '.join(named)}")] if named else []),
            Fitting(_table(trials, listed, ahead)),
        ]
    if remarks := [*changes, *_remarks(grid, ahead)]:
        parts += [Text(), *(Wrapped(remark, 2, 2) for remark in remarks)]
    return Group(*parts)


def _remarks(grid: Grid, ahead: Forecast) -> Iterator[str]:
    inherited = [start.epochs for start in ahead.head_starts.values() if start.epochs]
    if inherited:
        yield (
            f"{count(len(inherited), 'trial')} to train will go on from saved states, "
            f"which saves {sum(inherited):,} epochs."
        )
    if grid.keep_state:
        size = sum(map(state_bytes, grid.trials)) / 1e6
        about = f"about {size:,.0f} MB" if size >= 1 else "less than 1 MB"
        yield f"keep_state: the states of these trials take {about} in states/."
        if ahead.stateless:
            yield (
                f"{count(ahead.stateless, 'trial')} done without keep_state: "
                "a longer one starts from the beginning."
            )
    for reason, states in ahead.unusable.items():
        yield f"{count(states, 'saved state')} cannot be used: {reason}."
    if ahead.missing and _on_the_curves(grid.trials):
        yield (
            "epochs is an axis: the held-out curves of the longest trials show every smaller number of "
            "epochs, too (eval_every), so the shorter trials are not needed for that."
        )


def _on_the_curves(trials: Sequence[TrialSettings]) -> bool:
    """Return whether some trials differ in epochs alone, and the longest one's curve shows the others."""
    if len({(trial.arch, trial.epochs) for trial in trials}) == len({trial.arch for trial in trials}):
        return False
    budgets: dict[str, list[TrialSettings]] = defaultdict(list)
    for trial in trials:
        budgets[trial.beginning].append(trial)
    several = [sorted(alike, key=lambda trial: trial.epochs) for alike in budgets.values() if len(alike) > 1]
    return bool(several) and all(
        trial.eval_every and trial.epochs % trial.eval_every == 0 for alike in several for trial in alike[:-1]
    )


def _headline(grid: Grid, ahead: Forecast, cpus: int, gpus: int) -> str:
    planned = len(grid.trials)
    done = planned - len(ahead.missing) - len(ahead.not_trained)
    counts = f"{grid.name}: {count(planned, 'trial')}, {done:,} done"
    if ahead.reused:
        counts += f", {len(ahead.reused):,} to take from other sweeps"
    later = f", {len(ahead.later):,} left for later" if ahead.later else ""
    if not ahead.missing:
        return f"{counts}, nothing to train{later}"
    counts += f", {len(ahead.missing):,} to train{later}"
    slots = grid.resources.slots(cpus, gpus)
    if slots == 0:
        asked, available = (
            cores_and_gpus(*one) for one in ((grid.resources.cpu, grid.resources.gpu), (cpus, gpus))
        )
        return f"{counts}, but not here: a trial asks for {asked}, this run has {available}"
    basis = f"measured on {count(ahead.measured, 'trial')}" if ahead.measured else "assumed"
    wall = duration(ahead.wall_seconds(slots), rough=True)
    return f"{counts}, about {wall} on {count(cpus, 'core')} (pace {basis})"


def _table(trials: Sequence[TrialSettings], listed: Sequence[str], ahead: Forecast) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("")
    for heading in ("arch", *listed):
        table.add_column(heading, no_wrap=heading == "arch", overflow="fold")
    for heading in ("epochs", "trials", "done", "to train", "core time"):
        table.add_column(heading, justify="right", no_wrap=True)
    left_out = ahead.not_trained
    for (arch, epochs), part in _grouped(trials, ("arch", "epochs")):
        for row in _products(part, listed, listed):
            missing = [trial.trial_id for trial in row if trial.trial_id in ahead.missing]
            not_done = len(missing) + sum(trial.trial_id in left_out for trial in row)
            table.add_row(
                "",
                arch,
                *(ranges((getattr(trial, setting) for trial in row), to="..") for setting in listed),
                f"{epochs:,}",
                f"{len(row):,}",
                f"{len(row) - not_done:,}",
                f"{len(missing):,}",
                duration(sum(map(ahead.seconds.__getitem__, missing))) if missing else "–",
            )
    return table


def _grouped(
    trials: Sequence[TrialSettings], by: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], list[TrialSettings]]]:
    """Group trials by the values of some settings, in the order of their first trials."""
    groups: dict[tuple[Any, ...], list[TrialSettings]] = {}
    for trial in trials:
        groups.setdefault(tuple(_value(trial, setting) for setting in by), []).append(trial)
    yield from groups.items()


def _value(trial: TrialSettings, setting: str) -> Any:
    """Return the value of a setting or an option; None if the trial's network has no such option."""
    return (
        trial.option_values.get(setting)
        if setting not in TrialSettings.model_fields
        else getattr(trial, setting)
    )


def _listed(trials: Sequence[TrialSettings]) -> list[str]:
    """Choose the settings whose values share a cell; a single seed and the usual n_in are omitted."""
    chosen = [setting for setting in _LISTED if setting != "seed" or len({t.seed for t in trials}) > 1]
    return [*chosen, "n_in"] if any(not t.has_usual_n_in for t in trials) else chosen


def _others(trials: Sequence[TrialSettings]) -> list[str]:
    """Choose the other settings that differ within an architecture."""
    archs = {trial.arch for trial in trials}
    shown = (*_LISTED, "arch", "n_in", "epochs", "network", "options")
    options = dict.fromkeys(name for trial in trials for name, _ in trial.options)
    return [
        setting
        for setting in (*TrialSettings.model_fields, *options)
        if setting not in shown and len({(t.arch, _value(t, setting)) for t in trials}) > len(archs)
    ]


def _products(
    trials: list[TrialSettings], listed: Sequence[str], split: Sequence[str]
) -> Iterator[list[TrialSettings]]:
    """Split trials by one setting after another until each part is the full product of its listed values."""
    combinations = prod(len({getattr(trial, setting) for trial in trials}) for setting in listed)
    if combinations == len(trials) or not split:
        yield trials
        return
    for _, part in _grouped(trials, split[:1]):
        yield from _products(part, listed, split[1:])
