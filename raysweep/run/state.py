"""The state of a run: what is missing, attempts, rounds. Knows nothing of Ray, files or terminals.

Retrying is resuming: what is not in the ledger is missing, and what is missing goes into the next round,
until nothing is missing that has an attempt left.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from raysweep.errors import ClusterError
from raysweep.report.scoreboard import FinishedTrial, RunningTrial, Snapshot
from raysweep.text import clean_text, plain
from raysweep.trial.cost import Measured, RuntimeEstimate
from raysweep.trial.head_start import HeadStart, head_starts, in_rounds
from raysweep.trial.options import flattened
from raysweep.trial.settings import TrialSettings

ROUND: Final = 5000
"""Trials of one round: Tune keeps 60 kB of every trial that it has seen, and a new round costs seconds."""

MAX_WITHOUT_WORKER: Final = 2
"""Rounds in a row without any worker after which the cluster counts as lost."""

FLOOR_S: Final = 900.0
"""No attempt is given less time than this, unless the user says so: start-up and a busy machine pass."""

FACTOR: Final = 20.0
"""How many times its estimated cost an attempt may take before it counts as hung."""

ALWAYS_NAMED: Final = ("arch", "len", "mem")
"""Settings that every trial's label shows; others only where they vary within the plan."""

ETA_REFRESH_S: Final = 2.0
"""Seconds for which an estimate is kept: it costs one pass over the trials that are left."""


@dataclass
class RunState:
    """One run, from its plan to its end."""

    name: str
    planned: Mapping[str, TrialSettings]
    """Every trial of the plan, by id."""
    missing: dict[str, TrialSettings]
    """Trials that are not committed, the running ones included, by id."""
    estimate: RuntimeEstimate
    retries: int = 2
    """How often a failed trial is tried again."""
    trial_timeout: float | None = None
    """Seconds that one attempt may take; None for a deadline from the measured estimate."""
    saved: Callable[[TrialSettings], int] = lambda _: 0
    """Returns the epochs of the latest state from which a trial can go on; 0 if there is none."""
    keep_state: bool = False
    """Whether trained trials keep their states, so that longer ones go on from them."""
    slots: int = 1
    """Trials that run at a time."""
    stopping: bool = False
    committed: int = 0
    """Trials committed by this command."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Failed attempts of this command, by trial id."""
    hopeless: set[str] = field(default_factory=set)
    """Trials of which every attempt would fail."""
    clock: Callable[[], float] = time.monotonic
    _head_starts: dict[str, HeadStart] = field(default_factory=dict)
    """Head start of each trial that is missing when a round begins."""
    _failed: set[str] = field(default_factory=set)
    """Trials whose last attempt failed."""
    _running: dict[str, RunningTrial] = field(default_factory=dict)
    _last: FinishedTrial | None = None
    _last_failure: str = ""
    _before: tuple[int, int] = (0, 0)
    """Commits and failed attempts when the round began."""
    _without_worker: int = 0
    """Rounds in a row that ended without any worker."""
    _started: float = field(init=False)
    _label_keys: tuple[str, ...] = field(init=False)
    _eta: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        """Find out once which settings tell the trials apart."""
        self._started = self.clock()
        self._label_keys = varying_settings(self.planned.values())
        self._eta = (self._started - ETA_REFRESH_S, 0.0)

    def begin_round(self) -> list[TrialSettings]:
        """Return the trials of the next round, the longest first; none if the run is over.

        A trial that will go on from the state of another missing one waits for a later round.
        """
        self._before = self.version
        left = [s for s in self.missing.values() if not self.exhausted(s.trial_id)]
        self._head_starts = head_starts(left, self.saved, keep_state=self.keep_state)
        ready = [s for s in left if self._head_starts[s.trial_id].waits_for is None]
        # Longest first, so that no long trial starts last; equals keep their order.
        return sorted(ready, key=self._seconds_left, reverse=True)[:ROUND]

    def end_round(self, reason: str, *, no_worker: bool) -> None:
        """Note that a round has ended, whatever it was asked to train.

        Args:
            reason: why it ended early; empty if it did not.
            no_worker: whether no worker came up.

        Raises:
            ClusterError: another round would be no better.
        """
        self._running.clear()
        self._without_worker = self._without_worker + 1 if no_worker else 0
        if self._without_worker >= MAX_WITHOUT_WORKER:
            raise ClusterError(f"no worker came up in {MAX_WITHOUT_WORKER} rounds")
        if self.version == self._before:
            raise ClusterError(f"Ray Tune made no progress: {reason or 'it ended without a result'}")

    def attempt(self, trial_id: str) -> int:
        """Return which attempt of this command a trial's next one is, from 1."""
        return self.attempts.get(trial_id, 0) + 1

    def exhausted(self, trial_id: str) -> bool:
        """Return whether a trial has no attempt left."""
        return trial_id in self.hopeless or self.attempts.get(trial_id, 0) > self.retries

    def timeout_s(self, settings: TrialSettings) -> float:
        """Return the seconds that an attempt may take."""
        return self.trial_timeout or max(FLOOR_S, FACTOR * self.estimate.seconds(settings))

    def start(self, trial_id: str) -> None:
        """Note that a worker took up a trial."""
        settings = self.planned[trial_id]
        self._running[trial_id] = RunningTrial(self.label(settings), settings.epochs)
        self._without_worker = 0

    def progress(self, trial_id: str, epoch: int, loss: float, accuracy: float) -> None:
        """Note what a worker reported."""
        if trial := self._running.get(trial_id):
            self._running[trial_id] = RunningTrial(trial.label, trial.epochs, epoch, loss, accuracy)

    def finish(
        self, trial_id: str, exact_match: float | None, seconds: float, inherited_epochs: int = 0
    ) -> FinishedTrial:
        """Note that a trial was committed; its seconds are those of the epochs that it did not inherit."""
        settings = self.planned[trial_id]
        self._running.pop(trial_id, None)
        self._failed.discard(trial_id)
        if self.missing.pop(trial_id, None):
            self.committed += 1
        if exact_match is not None:  # a diverged trial ended early
            self.estimate.add(Measured(settings, seconds, inherited_epochs))
        self._last = FinishedTrial(self.label(settings), exact_match, seconds)
        return self._last

    def fail(self, trial_id: str, what: str, *, hopeless: bool = False) -> str:
        """Count an attempt that failed, and return the line that says so.

        Args:
            trial_id: the trial.
            what: why it failed.
            hopeless: whether another attempt would fail, too.
        """
        self.hopeless |= {trial_id} if hopeless else set()
        self.attempts[trial_id] = self.attempt(trial_id)
        self._running.pop(trial_id, None)
        self._failed.add(trial_id)
        then = "not tried again in this run" if self.exhausted(trial_id) else "will be tried again"
        self._last_failure = clean_text(f"{self.label(self.planned[trial_id])}: {what}; {then}")
        return self._last_failure

    def label(self, settings: TrialSettings) -> str:
        """Name a trial by the settings that tell it apart within the plan."""
        words = [str(settings.arch), f"len {settings.len}", f"mem {settings.mem}"]
        named = flattened(settings.model_dump())
        return " ".join(words + [f"{key} {plain(named[key])}" for key in self._label_keys if key in named])

    @property
    def version(self) -> tuple[int, int]:
        """Commits and failed attempts, which change what a report shows."""
        return self.committed, sum(self.attempts.values())

    def snapshot(self) -> Snapshot:
        """Return what the display shows at this moment; called from its own thread."""
        begun = bool(self._running or self.committed)
        return Snapshot(
            name=self.name,
            done=len(self.planned) - len(self.missing),
            total=len(self.planned),
            failed=len(self._failed),
            committed=self.committed,
            elapsed_s=self.clock() - self._started,
            remaining_s=self.eta() if begun else None,
            stopping=self.stopping,
            running=list(self._running.values()),
            last=self._last,
            last_failure=self._last_failure,
        )

    def eta(self) -> float:
        """Estimate the seconds left: the measured cost of what is left, spread over the slots."""
        now = self.clock()
        if now - self._eta[0] >= ETA_REFRESH_S:
            left = {t: self._seconds_left(s) for t, s in list(self.missing.items()) if not self.exhausted(t)}
            rounds = [[left[t] for t in each] for each in in_rounds(left, self._waiting(left))]
            self._eta = now, sum(max(sum(each) / self.slots, max(each)) for each in rounds if each)
        return max(self._eta[1] - (now - self._eta[0]), 0.0)

    def _waiting(self, left: Collection[str]) -> dict[str, HeadStart]:
        """Return the head starts of the trials that still wait for another one."""
        return {t: start for t, start in self._head_starts.items() if t in left and start.waits_for in left}

    def _seconds_left(self, settings: TrialSettings) -> float:
        running = self._running.get(settings.trial_id)
        start = self._head_starts.get(settings.trial_id, HeadStart(0))
        return self.estimate.seconds(settings, max(running.epoch if running else 0, start.epochs))


def varying_settings(trials: Collection[TrialSettings]) -> tuple[str, ...]:
    """Name the settings, apart from `ALWAYS_NAMED`, that tell trials of one architecture apart."""
    seen: dict[tuple[str, str], set[object]] = {}
    for settings in trials:
        for key, value in flattened(settings.model_dump()).items():
            seen.setdefault((settings.arch, key), set()).add(value)
    varying = {key for (_, key), values in seen.items() if len(values) > 1}
    # What follows from `len` alone would only repeat it.
    varying -= {"n_in"} if all(s.has_usual_n_in for s in trials) else set()
    return tuple(dict.fromkeys(key for _, key in seen if key in varying and key not in ALWAYS_NAMED))
