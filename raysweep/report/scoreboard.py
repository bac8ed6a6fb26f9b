"""Scoreboard of a run in progress: the overall bar, one line per running trial, the latest events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raysweep.report.wrapped import Wrapped
from raysweep.text import share

_NARROW: Final = 56
"""Columns below which the numbers would be cut off; they wrap, and there are no bars."""


@dataclass(frozen=True)
class RunningTrial:
    """One trial on a worker."""

    label: str
    epochs: int
    """Epochs of the whole training."""
    epoch: int = 0
    """Epochs trained so far."""
    loss: float | None = None
    """Loss of the last epoch; None until the worker has reported."""
    accuracy: float | None = None


@dataclass(frozen=True)
class FinishedTrial:
    """One committed trial."""

    label: str
    exact_match: float | None
    """None if the training diverged."""
    seconds: float
    """Time for tracing, training and evaluation."""

    @property
    def outcome(self) -> str:
        """Describe the trial's outcome."""
        return "diverged" if self.exact_match is None else f"exact {share(self.exact_match)}"


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment."""

    name: str
    done: int
    total: int
    failed: int
    """Trials whose last attempt failed."""
    committed: int
    """Trials committed by this command."""
    elapsed_s: float
    remaining_s: float | None
    """None until a worker has started a trial."""
    stopping: bool
    running: Sequence[RunningTrial]
    last: FinishedTrial | None
    last_failure: str


class Scoreboard:
    """Renderable that shows the current state of a run.

    Args:
        take: returns the current state of the run.
    """

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        """Keep the function to call at each drawing."""
        self._take = take

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw at most as many lines as fit."""
        run = self._take()
        room = max((options.height or console.height) - 5, 1)
        if options.max_width < _NARROW:
            yield Wrapped(" · ".join((run.name, *_counts_and_times(run))), 0, 2)
            for trial in run.running[:room]:
                yield Wrapped(" · ".join((trial.label, *filter(None, _progress(trial)))), 2, 4)
        else:
            yield _overall(run, options.max_width)
            if run.running:
                yield _running(run.running[:room], options.max_width)
        if len(run.running) > room:
            yield Text(f"  and {len(run.running) - room} more running", style="dim")
        if run.last:
            yield Text(_finished_line(run, run.last), no_wrap=True, overflow="ellipsis")
        if run.last_failure:
            yield Text(f"failed: {run.last_failure}", style="red", no_wrap=True, overflow="ellipsis")


def _finished_line(run: Snapshot, trial: FinishedTrial) -> str:
    rate = f" · {60 * run.committed / run.elapsed_s:.1f} trials/min" if run.elapsed_s > 1 else ""
    return f"last: {trial.label}   {trial.outcome}   {trial.seconds:.1f} s{rate}"


def _counts_and_times(run: Snapshot) -> list[str]:
    counts = [f"{run.done}/{run.total}"]
    counts += [f"{run.failed} failed"] if run.failed else []
    if run.stopping:
        times = "stopping"
    elif run.remaining_s is None:
        times = f"{clock(run.elapsed_s)} elapsed, starting workers"
    else:
        times = f"{clock(run.elapsed_s)} elapsed, ~{clock(run.remaining_s)} left"
    return [*counts, times]


def _overall(run: Snapshot, width: int) -> Table:
    bar = ProgressBar(total=max(run.total, 1), completed=run.done, width=None)
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(no_wrap=True, max_width=max(width // 3, 8), overflow="ellipsis")
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_row(Text(run.name, style="bold"), bar, Text(" · ".join(_counts_and_times(run))))
    return line


def _progress(trial: RunningTrial) -> tuple[str, str]:
    """Return the epochs of a trial, and its loss and accuracy."""
    if trial.loss is None or trial.accuracy is None:
        return "starting", ""
    figures = f"loss {trial.loss:4.2f} acc {share(trial.accuracy)}"
    return f"{trial.epoch:,}/{trial.epochs:,}", figures


def _running(trials: Sequence[RunningTrial], width: int) -> Table:
    lines = Table.grid(padding=(0, 1), expand=True)
    lines.add_column(no_wrap=True, max_width=max(width - 44, 12), overflow="ellipsis")
    lines.add_column(ratio=1)
    lines.add_column(no_wrap=True, justify="right")
    lines.add_column(no_wrap=True, min_width=19)
    for trial in trials:
        bar = ProgressBar(total=trial.epochs, completed=trial.epoch, width=None)
        epochs, figures = _progress(trial)
        epochs += " epochs" if figures and width >= 96 else ""
        lines.add_row(f"  {trial.label}", bar, epochs, figures)
    return lines


def clock(seconds: float) -> str:
    """Write a duration as a clock does.

    >>> clock(192.4), clock(4000)
    ('03:12', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
