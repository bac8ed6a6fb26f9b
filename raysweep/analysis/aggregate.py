"""Aggregation of a sweep's results: exact-match, accuracy per position, intervals over replicates.

`analyse` reads the ledger's lists and each trial's counts; everything else here is arithmetic. Counts stay
whole numbers until a single division. The analysis also works in the middle of a run.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from raysweep.analysis.evaluations import (
    EpochsToReach,
    PooledEvaluation,
    epochs_to_reach,
    pooled,
    pooled_curve,
)
from raysweep.analysis.interval import Interval
from raysweep.analysis.slips import PooledSlips, pooled_slips
from raysweep.architectures import architecture_of
from raysweep.store.counts import SETTING_NAMES, TrialCounts
from raysweep.store.ledger import Failure, Ledger
from raysweep.trial.settings import TrialSettings

CELL_SETTINGS: Final = tuple(name for name in SETTING_NAMES if name != "seed")
"""Settings that identify a cell: all but the seed."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of all settings but the seed: its replicates, and their pooled figures."""

    settings: Mapping[str, Any]
    """Every setting but the seed, by name."""
    planned: bool
    """True if the latest grid contains the cell."""
    seeds: tuple[int, ...]
    """Replicates that are done; the figures below are computed from these replicates only."""
    diverged: tuple[int, ...]
    """Replicates whose loss became NaN or infinite; excluded from every average."""
    failed: tuple[int, ...]
    """Planned replicates without a result whose last attempt failed."""
    missing: tuple[int, ...]
    """Planned replicates that have neither a result nor a failure."""
    unplanned: tuple[int, ...]
    """Replicates with a result that are not in the latest grid; the figures include such replicates."""
    windows: int
    """Number of evaluated windows, over all seeds."""
    exact_match: float | None
    """Share of windows that are right at every position; None if nothing was evaluated."""
    interval: Interval | None
    """Confidence interval of `exact_match`."""
    position_accuracy: tuple[float, ...]
    """(n_out,): share of windows that are right at each position, in order; () if nothing was evaluated."""
    loss: float | None
    """Loss of the last epoch, mean over seeds."""
    accuracy: float | None
    """Accuracy of the last epoch, mean over seeds."""
    counts: tuple[TrialCounts, ...]
    """Counts of the replicates in `seeds`, in order."""

    @property
    def evaluations(self) -> list[PooledEvaluation]:
        """Every held-out evaluation, during training and after it, pooled over the seeds."""
        return [*pooled_curve(self.counts)]

    def epochs_to_reach(self, reach: float) -> EpochsToReach:
        """Return the epochs until the seeds reach a level of exact-match, 0 to 1."""
        return epochs_to_reach(self.counts, self.settings["epochs"], len(self.diverged), reach)

    @property
    def has_usual_n_in(self) -> bool:
        """Return whether `n_in` is the architecture's default for LEN."""
        usual = architecture_of(self.settings["arch"]).usual_n_in(self.settings["len"])
        return bool(self.settings["n_in"] == usual)

    @property
    def slips(self) -> PooledSlips | None:
        """What wrong positions say instead, over all seeds; None if nothing was evaluated."""
        return pooled_slips(self.counts)

    @property
    def deterministic(self) -> bool | None:
        """Return whether training the replicates again gives the same bytes; None without a result."""
        return all(one.deterministic for one in self.counts) if self.counts else None

    @property
    def replicates(self) -> int:
        """Number of replicates that are planned or have a result."""
        return len(self.seeds) + len(self.diverged) + len(self.failed) + len(self.missing)

    @property
    def state(self) -> Literal["evaluated", "diverged", "failed", "not run"]:
        """State of the cell: the best outcome of any replicate."""
        if self.seeds:
            return "evaluated"
        if self.diverged:
            return "diverged"
        return "failed" if self.failed else "not run"

    @property
    def updates(self) -> int:
        """Number of Adam updates in one training."""
        settings = self.settings
        return int(settings["epochs"] * (settings["windows"] // settings["batch_size"]))


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """Number of trials by status, in the latest grid or, if no grid is known, in the results folder."""

    done: int
    diverged: int
    failed: int
    missing: int

    @property
    def total(self) -> int:
        """Number of trials of any status."""
        return self.done + self.diverged + self.failed + self.missing


@dataclass(frozen=True, slots=True)
class SweepAnalysis:
    """Content of the report, the JSON and the CSV, as numbers."""

    name: str
    counts: StatusCounts
    cells: tuple[Cell, ...]
    """Cells by arch, len, mem and the other settings, in ascending order."""
    failures: tuple[Failure, ...]
    """The last failure of each failed trial."""
    plan_known: bool
    """True if the latest grid could be read from the folder's record."""

    @property
    def current(self) -> list[Cell]:
        """Cells of the latest grid; every cell, if no grid is known."""
        return [cell for cell in self.cells if cell.planned or not self.plan_known]

    @property
    def former(self) -> list[Cell]:
        """Cells that are no longer in the grid."""
        return [cell for cell in self.cells if not cell.planned and self.plan_known]

    @property
    def changed_networks(self) -> set[str]:
        """Users' networks of which there are several versions."""
        versions = Counter(
            arch for arch, _ in {(c.settings["arch"], c.settings["network"]) for c in self.cells}
        )
        return {arch for arch, number in versions.items() if number > 1}


def analyse(ledger: Ledger) -> SweepAnalysis:
    """Read and aggregate everything that is committed.

    Raises:
        UsageError: the folder holds no sweep.
        ResultsError: a committed file is damaged, or its schema is unknown to this version.
    """
    record = ledger.record()
    planned = ledger.planned()
    failures = ledger.failures()  # before the trials: a trial that succeeds meanwhile counts as done
    manifests = ledger.manifests(sorted(ledger.committed()))
    done = {trial_id: manifest.counts for trial_id, manifest in manifests.items()}
    if not (done or failures or record):
        raise ledger.no_sweep()
    gathered = _gather(done, planned or {}, failures)
    return SweepAnalysis(
        name=record.name if record else ledger.paths.folder.resolve().name,
        counts=_counts(done, planned, failures),
        cells=tuple(_cell(key, gathered[key]) for key in sorted(gathered, key=_in_order)),
        failures=tuple(
            failure for trial_id, failure in failures.items() if planned is None or trial_id in planned
        ),
        plan_known=planned is not None,
    )


def _counts(
    done: Mapping[str, TrialCounts], planned: Collection[str] | None, failures: Collection[str]
) -> StatusCounts:
    trial_ids = {*done, *failures} if planned is None else planned
    found = Counter(
        done[trial_id].status if trial_id in done else "failed" if trial_id in failures else "missing"
        for trial_id in trial_ids
    )
    return StatusCounts(**{name: found[name] for name in ("done", "diverged", "failed", "missing")})


@dataclass(slots=True)
class _Replicates:
    """Replicates of one cell."""

    done: list[TrialCounts]
    diverged: list[int]
    failed: list[int]
    missing: list[int]
    planned: set[int]


_Key = tuple[Any, ...]


def _gather(
    trial_counts: Mapping[str, TrialCounts], planned: Mapping[str, TrialSettings], failures: Collection[str]
) -> dict[_Key, _Replicates]:
    """Sort committed and planned trials into cells."""
    cells: dict[_Key, _Replicates] = defaultdict(lambda: _Replicates([], [], [], [], set()))
    for counts in trial_counts.values():
        cell = cells[tuple(counts.settings[name] for name in CELL_SETTINGS)]
        if counts.status == "done":
            cell.done.append(counts)
        else:
            cell.diverged.append(counts.settings["seed"])
    for trial_id, settings in planned.items():
        cell = cells[tuple(getattr(settings, name) for name in CELL_SETTINGS)]
        cell.planned.add(settings.seed)
        if trial_id not in trial_counts:
            (cell.failed if trial_id in failures else cell.missing).append(settings.seed)
    return cells


def _in_order(key: _Key) -> list[tuple[bool, Any]]:
    """Return what cells are sorted by; a built-in architecture has no network."""
    return [(value is not None, value) for value in key]


def _cell(key: _Key, replicates: _Replicates) -> Cell:
    """Compute a cell from its counts; `key` holds the settings in the order of `CELL_SETTINGS`."""
    done = sorted(replicates.done, key=lambda counts: counts.settings["seed"])
    last = pooled([counts.evaluations[-1] for counts in done], done[0].settings) if done else None
    seeds = tuple(counts.settings["seed"] for counts in done)
    committed = {*seeds, *replicates.diverged}
    return Cell(
        settings=dict(zip(CELL_SETTINGS, key, strict=True)),
        planned=bool(replicates.planned),
        seeds=seeds,
        diverged=tuple(sorted(replicates.diverged)),
        failed=tuple(sorted(replicates.failed)),
        missing=tuple(sorted(replicates.missing)),
        unplanned=tuple(sorted(committed - replicates.planned)) if replicates.planned else (),
        windows=sum(counts.windows for counts in done),
        exact_match=last.exact_match if last else None,
        interval=last.interval if last else None,
        position_accuracy=last.position_accuracy if last else (),
        loss=sum(counts.loss for counts in done) / len(done) if done else None,
        accuracy=sum(counts.accuracy for counts in done) / len(done) if done else None,
        counts=tuple(done),
    )
