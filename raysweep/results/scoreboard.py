"""The state of a run under way, and how it is drawn; knows nothing of Ray."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raysweep.cost import Measured, Pace
from raysweep.results.clean_text import clean_text
from raysweep.results.wording import share
from raysweep.settings import TrialSettings, usual_n_in

ALWAYS_NAMED = ("arch", "len", "mem")
"""Settings that every trial's label shows; others only where they vary within the plan."""

ETA_REFRESH_S = 2.0
"""Seconds for which an estimate is kept: it costs one pass over the trials that are left."""


@dataclass
class RunningTrial:
    """One trial on a worker."""

    settings: TrialSettings
    epoch: int = 0
    loss: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class FinishedTrial:
    """What the display says of a trial that was committed."""

    settings: TrialSettings
    exact_match: float | None
    """None where the training diverged."""
    seconds: float
    """Tracing, training and evaluation."""


@dataclass
class Scoreboard:
    """The state of one run: what is done, running, failed and left."""

    name: str
    planned: Mapping[str, TrialSettings]
    """Every trial of the plan, by id."""
    to_do: dict[str, TrialSettings]
    """Trials that are not committed, the running ones included, by id."""
    pace: Pace
    slots: int = 1
    running: dict[str, RunningTrial] = field(default_factory=dict)
    saving: set[str] = field(default_factory=set)
    """Trials that are trained and not committed yet."""
    failed: dict[str, str] = field(default_factory=dict)
    """What the last failure of each failed trial was; empty again once it succeeds."""
    given_up: set[str] = field(default_factory=set)
    """Trials that this run does not try again."""
    last: FinishedTrial | None = None
    last_failure: str = ""
    committed: int = 0
    """Trials committed by this command."""
    started: float = field(default_factory=time.monotonic)
    stopping: bool = False
    _label_keys: tuple[str, ...] = ()
    _eta: tuple[float, float] = (-ETA_REFRESH_S, 0.0)

    def __post_init__(self) -> None:
        """Find out once which settings tell the trials apart."""
        self._label_keys = varying_settings(self.planned.values())

    def label(self, settings: TrialSettings) -> str:
        """Name a trial by the settings that tell it apart within the plan."""
        words = [str(settings.arch), f"len {settings.len}", f"mem {settings.mem}"]
        return " ".join(words + [f"{key} {getattr(settings, key)}" for key in self._label_keys])

    def start(self, trial_id: str) -> None:
        """Note that a worker took up a trial."""
        self.running[trial_id] = RunningTrial(self.planned[trial_id])

    def progress(self, trial_id: str, epoch: int, loss: float, accuracy: float) -> None:
        """Note what a worker reported."""
        if trial := self.running.get(trial_id):
            trial.epoch, trial.loss, trial.accuracy = epoch, loss, accuracy

    def trained(self, trial_id: str) -> None:
        """Note that a worker is done with a trial, which is yet to be committed."""
        self.running.pop(trial_id, None)
        self.saving.add(trial_id)

    def finish(self, trial_id: str, finished: FinishedTrial) -> None:
        """Note that a trial was committed."""
        self.running.pop(trial_id, None)
        self.saving.discard(trial_id)
        self.failed.pop(trial_id, None)
        if self.to_do.pop(trial_id, None):
            self.committed += 1
        self.last = finished
        if finished.exact_match is not None:  # a diverged trial ended early
            self.pace.add(Measured(finished.settings, finished.seconds))

    def fail(self, trial_id: str, what: str, *, again: bool) -> str:
        """Note that an attempt failed, and return the line that says so."""
        self.running.pop(trial_id, None)
        self.saving.discard(trial_id)
        self.failed[trial_id] = what
        if not again:
            self.given_up.add(trial_id)
        then = "will be tried again" if again else "not tried again in this run"
        self.last_failure = clean_text(f"{self.label(self.planned[trial_id])}: {what}; {then}")
        return self.last_failure

    @property
    def done(self) -> int:
        """Trials of the plan that are committed."""
        return len(self.planned) - len(self.to_do)

    def eta(self) -> float:
        """Estimate the seconds left: the measured cost of what is left, spread over the slots."""
        now = time.monotonic()
        if now - self._eta[0] >= ETA_REFRESH_S:
            without = self.given_up | self.saving
            to_do = [(t, s) for t, s in list(self.to_do.items()) if t not in without]
            costs = [(self.pace.seconds(s), self.running.get(t)) for t, s in to_do]
            left = [cost * (1 - r.epoch / r.settings.epochs if r else 1) for cost, r in costs]
            self._eta = now, max(sum(left) / self.slots, max(left, default=0.0))
        return max(self._eta[1] - (now - self._eta[0]), 0.0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the run: the overall bar, one line for each running trial, the last news."""
        yield self._overall(options.max_width)
        room = max((options.height or console.height) - 5, 1)
        lines = list(self.running.values())
        if lines:
            yield self._running(lines[:room], options.max_width)
        if len(lines) > room:
            yield Text(f"  and {len(lines) - room} more running", style="dim")
        if self.last:
            yield Text(self.finished_line(self.last), no_wrap=True, overflow="ellipsis")
        if self.last_failure:
            yield Text(f"failed: {self.last_failure}", style="red", no_wrap=True, overflow="ellipsis")

    def finished_line(self, trial: FinishedTrial) -> str:
        """Say what came of a committed trial."""
        outcome = "diverged" if trial.exact_match is None else f"exact {share(trial.exact_match)}"
        pace = f" · {60 * self.committed / self.elapsed:.1f} trials/min" if self.elapsed > 1 else ""
        return f"last: {self.label(trial.settings)}   {outcome}   {trial.seconds:.1f} s{pace}"

    @property
    def elapsed(self) -> float:
        """Seconds since the run started."""
        return time.monotonic() - self.started

    def _overall(self, width: int) -> Table:
        counts = [f"{self.done}/{len(self.planned)}"]
        counts += [f"{len(self.failed)} failed"] if self.failed else []
        if self.stopping:
            times = "stopping"
        elif self.running or self.saving or self.committed:
            times = f"{clock(self.elapsed)} gone, ~{clock(self.eta())} left"
        else:
            times = f"{clock(self.elapsed)} gone, starting workers"
        bar = ProgressBar(total=max(len(self.planned), 1), completed=self.done, width=None)
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True, max_width=max(width // 3, 8), overflow="ellipsis")
        line.add_column(ratio=1)
        line.add_column(no_wrap=True)
        line.add_row(Text(self.name, style="bold"), bar, Text(" · ".join([*counts, times])))
        return line

    def _running(self, trials: Iterable[RunningTrial], width: int) -> Table:
        lines = Table.grid(padding=(0, 1), expand=True)
        lines.add_column(no_wrap=True, max_width=max(width - 44, 12), overflow="ellipsis")
        lines.add_column(ratio=1)
        lines.add_column(no_wrap=True, justify="right")
        lines.add_column(no_wrap=True, min_width=19)
        for trial in trials:
            bar = ProgressBar(total=trial.settings.epochs, completed=trial.epoch, width=None)
            if trial.loss is None or trial.accuracy is None:
                epochs, figures = "starting", ""
            else:
                epochs = f"{trial.epoch:,}/{trial.settings.epochs:,}" + (" epochs" if width >= 96 else "")
                figures = f"loss {trial.loss:4.2f} acc {share(trial.accuracy)}"
            lines.add_row(f"  {self.label(trial.settings)}", bar, epochs, figures)
        return lines


def varying_settings(trials: Collection[TrialSettings]) -> tuple[str, ...]:
    """Name the settings, apart from `ALWAYS_NAMED`, that tell trials of one architecture apart."""
    seen: dict[tuple[str, str], set[object]] = {}
    for settings in trials:
        for key in TrialSettings.model_fields:
            seen.setdefault((settings.arch, key), set()).add(getattr(settings, key))
    varying = {key for (_, key), values in seen.items() if len(values) > 1}
    # What follows from `len` alone would only repeat it.
    varying -= {"n_in"} if all(s.n_in == usual_n_in(s.arch, s.len) for s in trials) else set()
    return tuple(key for key in TrialSettings.model_fields if key in varying and key not in ALWAYS_NAMED)


def clock(seconds: float) -> str:
    """Write a duration as a clock does.

    >>> clock(192.4), clock(4000)
    ('03:12', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
