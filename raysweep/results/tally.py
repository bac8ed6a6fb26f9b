"""What the Parquet files say of each committed trial, counted by DuckDB; whole numbers, never means.

The counts come from the predictions themselves, so that a share computed from them equals the one that
anybody's few lines of SQL over the same files give.
"""

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


def tally_trials(trials: Sequence[str], predictions: Sequence[str]) -> list[TrialTally]:
    """Count the windows of every trial; one pass over each dataset.

    Args:
        trials: paths of the committed trials' rows.
        predictions: paths of their predictions.

    Raises:
        ResultsError: a file is damaged or gone.
    """
    if not trials:
        return []
    columns = ", ".join(f'"{name}"' for name in ("trial_id", "status", "loss", "accuracy", *SETTING_NAMES))
    rows = _query(f"SELECT {columns} FROM {_FILES}", files=trials)
    positions = max(row[4 + SETTING_NAMES.index("len")] for row in rows)
    counted = {row[0]: row[1:] for row in _query(_count_windows(positions), files=predictions)}
    return [
        _tally(trial_id, status, loss, accuracy, dict(zip(SETTING_NAMES, settings, strict=True)), counted)
        for trial_id, status, loss, accuracy, *settings in rows
    ]


def tally_sequences(trial_ids: Sequence[str], predictions: Sequence[str]) -> dict[str, list[int]]:
    """Count the exact windows of each evaluation sequence of some trials.

    Returns:
        By trial: (sequences,), in no particular order.

    Raises:
        ResultsError: a file is damaged or gone.
    """
    rows = _query(
        "SELECT trial_id, list(hits) FROM ("
        f"  SELECT trial_id, count_if(exact) AS hits FROM {_FILES}"
        "  WHERE trial_id IN (SELECT unnest($trial_ids)) GROUP BY trial_id, sequence"
        ") GROUP BY trial_id",
        files=predictions,
        trial_ids=trial_ids,
    )
    return dict(rows)


def _count_windows(positions: int) -> str:
    right = ", ".join(f"count_if(expected[{i}] = predicted[{i}])" for i in range(1, positions + 1))
    return f"SELECT trial_id, count(*), count_if(exact), [{right}] FROM {_FILES} GROUP BY trial_id"


def _tally(
    trial_id: str,
    status: "Status",
    loss: float,
    accuracy: float,
    settings: dict[str, Any],
    counted: Mapping[str, tuple[int, int, list[int]]],
) -> TrialTally:
    if status == "done" and trial_id not in counted:
        raise ResultsError(f"{trial_id} is committed, but has no predictions; {_REMEDY}")
    windows, exact, right = counted.get(trial_id, (0, 0, []))
    n_out = settings["len"] if windows else 0
    return TrialTally(trial_id, settings, status, loss, accuracy, windows, exact, tuple(right[:n_out]))


_REMEDY: Final = "`raysweep verify` lists what is damaged, `raysweep run` trains it again"


def _query(sql: str, **parameters: Sequence[str]) -> list[Any]:
    """Run a query over Parquet files, whose paths are the parameter `files`.

    The database is an empty one in memory, and looks for nothing outside those files.
    """
    if not parameters["files"]:
        return []
    import duckdb

    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    try:
        with duckdb.connect(config=config) as connection:
            return connection.execute(
                sql, {name: list(value) for name, value in parameters.items()}
            ).fetchall()
    except duckdb.Error as error:
        raise ResultsError(f"the results cannot be read: {error}; {_REMEDY}") from error
