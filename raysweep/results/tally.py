"""What the Parquet files say of each committed trial, counted by DuckDB; whole numbers, never means.

The counts come from the predictions themselves, so that a share computed from them equals the one that
anybody's few lines of SQL over the same files give.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from raysweep.errors import ResultsError
from raysweep.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.outcome import Status

SETTING_NAMES: Final = tuple(TrialSettings.model_fields)

_FILES: Final = "read_parquet($files, hive_partitioning = false)"


@dataclass(frozen=True, slots=True)
class TrialTally:
    """One committed trial."""

    trial_id: str
    settings: Mapping[str, Any]
    """Every setting by name, the seed included."""
    status: "Status"
    loss: float
    """Of the last epoch; not finite where the trial diverged."""
    accuracy: float
    """Of the last epoch, 0 to 1."""
    windows: int
    """Evaluated windows; 0 where the trial diverged."""
    exact: int
    """Windows that are right at every position."""
    right: tuple[int, ...]
    """(n_out,): windows that are right at each position, first position first; () where it diverged."""


def tally_trials(trials: Sequence[str], predictions: Mapping[str, str]) -> list[TrialTally]:
    """Count the windows of every trial; one pass over each dataset.

    Args:
        trials: paths of the committed trials' rows.
        predictions: path of each trial's predictions, by its id.

    Raises:
        ResultsError: a file is damaged or gone.
    """
    if not trials:
        return []
    columns = ", ".join(f'"{name}"' for name in ("trial_id", "status", "loss", "accuracy", *SETTING_NAMES))
    rows = _query(f"SELECT {columns} FROM {_FILES}", trials)
    counted = _count_windows(predictions, max(row[4 + SETTING_NAMES.index("len")] for row in rows))
    return [
        _tally(trial_id, status, loss, accuracy, dict(zip(SETTING_NAMES, settings, strict=True)), counted)
        for trial_id, status, loss, accuracy, *settings in rows
    ]


def tally_costs(trials: Sequence[str]) -> list[tuple[TrialSettings, float]]:
    """Read what each trial has cost: seconds of tracing, training and evaluation; none of diverged trials.

    Args:
        trials: paths of the committed trials' rows.

    Raises:
        ResultsError: a file is damaged or gone.
    """
    columns = ", ".join(f'"{name}"' for name in SETTING_NAMES)
    rows = _query(f"SELECT trace_s + train_s + eval_s, {columns} FROM {_FILES} WHERE status = 'done'", trials)
    return [(TrialSettings(**dict(zip(SETTING_NAMES, row[1:], strict=True))), row[0]) for row in rows]


def tally_sequences(predictions: Mapping[str, str]) -> dict[str, list[int]]:
    """Count the exact windows of each evaluation sequence.

    Args:
        predictions: path of each trial's predictions, by its id.

    Returns:
        By trial: (sequences,), in no particular order.

    Raises:
        ResultsError: a file is damaged or gone.
    """
    rows = _query(
        "SELECT file_index, list(hits) FROM ("
        f"  SELECT file_index, count_if(exact) AS hits FROM {_FILES} GROUP BY file_index, sequence"
        ") GROUP BY file_index",
        list(predictions.values()),
    )
    trial_ids = list(predictions)
    return {trial_ids[file]: hits for file, hits in rows}


@dataclass(frozen=True, slots=True)
class _Windows:
    """Counts over one trial's windows."""

    windows: int
    exact: int
    right: list[int]
    """(positions,): as many as the longest trial has; those beyond the trial's own are 0."""


def _count_windows(predictions: Mapping[str, str], positions: int) -> dict[str, _Windows]:
    """Count in one pass; grouped by file, which is a fifth quicker than by id."""
    right = ", ".join(f"count_if(expected[{i}] = predicted[{i}])" for i in range(1, positions + 1))
    rows = _query(
        f"SELECT file_index, count(*), count_if(exact), [{right}] FROM {_FILES} GROUP BY file_index",
        list(predictions.values()),
    )
    trial_ids = list(predictions)
    return {trial_ids[file]: _Windows(*counts) for file, *counts in rows}


def _tally(
    trial_id: str,
    status: "Status",
    loss: float,
    accuracy: float,
    settings: dict[str, Any],
    counted: Mapping[str, _Windows],
) -> TrialTally:
    counts = counted.get(trial_id)
    if status == "diverged":
        return TrialTally(trial_id, settings, status, loss, accuracy, 0, 0, ())
    if counts is None:
        raise ResultsError(f"{trial_id} is committed, but has no predictions; {_REMEDY}")
    right = tuple(counts.right[: settings["len"]])
    return TrialTally(trial_id, settings, status, loss, accuracy, counts.windows, counts.exact, right)


_REMEDY: Final = "`raysweep verify` lists what is damaged, `raysweep run` trains it again"


def _query(sql: str, files: Sequence[str]) -> list[Any]:
    """Run a query over Parquet files; the database is an empty one in memory, and looks for no others."""
    if not files:
        return []
    import duckdb

    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(config=config) as connection:
            return connection.execute(sql, {"files": [_literal(name) for name in files]}).fetchall()
    except duckdb.Error as error:
        raise ResultsError(f"the results cannot be read: {error}; {_REMEDY}") from error


def _literal(path: str) -> str:
    """Keep DuckDB from taking a path for a pattern.

    >>> _literal("results/a[1]*")
    'results/a[[]1][*]'
    """
    return re.sub(r"[*?[]", r"[\g<0>]", path)
