"""A sweep in Python: Arrow datasets, SQL over them, and what the report computes.

>>> from raysweep.sweep import load
>>> load("results/reference").sql("SELECT count(*) > 0 FROM trials").fetchall()  # doctest: +SKIP
[(True,)]
"""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.dataset as pads
from pyarrow.fs import LocalFileSystem

from raysweep.analysis.aggregate import CELL_SETTINGS, analyse
from raysweep.analysis.evaluations import REACH
from raysweep.errors import ResultsError, UsageError
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.ledger import Ledger
from raysweep.store.saved_states import kept_state

if TYPE_CHECKING:
    import duckdb


_CELLS: Final = pa.schema([CURVES.field(name) for name in CELL_SETTINGS])


class Sweep:
    """Committed trials of a results folder at one moment; made by `load`.

    Attributes:
        trials: one row per trial.
        predictions: one row per evaluated window of the trials that did not diverge.
        curves: one row per point of a learning curve.

    Each table is a `pyarrow.dataset.Dataset` with every setting as a column: `.to_table().to_pandas()`,
    `polars.scan_pyarrow_dataset(…)`.
    """

    def __init__(self, ledger: Ledger) -> None:
        """List the files of committed trials; rows are read on demand."""
        self._ledger = ledger
        # Trials are listed last, so that each file has its row even if a trial is committed meanwhile.
        self.predictions = _dataset(ledger.files("predictions"), PREDICTIONS)
        self.curves = _dataset(ledger.files("curves"), CURVES)
        self.trials = _dataset(ledger.files("trials"), TRIALS)

    def sql(self, query: str) -> "duckdb.DuckDBPyRelation":
        """Run a query in DuckDB's SQL, with `trials`, `predictions` and `curves` as views.

        Returns:
            A relation: `.fetchall()`, `.df()` (pandas), `.pl()` (Polars), `.arrow()`.

        Raises:
            duckdb.Error: the query is invalid, or would change the tables, which are read-only.
        """
        return self._database.sql(query)

    def epochs_to_reach(self, reach: float = REACH) -> pa.Table:
        """Return the epochs until each combination of settings reaches a level of exact-match.

        A seed has reached the level at the first evaluated epoch with at least that exact-match there and at
        the next evaluation, or at the last one.

        Args:
            reach: the level, 0 to 1.

        Returns:
            One row per combination of every setting but the seed: the settings, `epochs_to_reach` (the median
            over seeds; null if not reached), `reached` (how many seeds) and `of` (how many have a result).

        Raises:
            UsageError: the folder holds no sweep, or the level is not between 0 and 1.
            ResultsError: a committed file is damaged, or its schema is unknown to this version.
        """
        if not 0 <= reach <= 1:
            raise UsageError(f"found the level {reach}; give a share from 0 to 1, such as 0.9")
        cells = analyse(self._ledger).cells
        found = [cell.epochs_to_reach(reach) for cell in cells]
        settings = pa.Table.from_pylist([dict(cell.settings) for cell in cells], _CELLS)
        for name, kind, values in (
            ("epochs_to_reach", pa.float64(), [one.median for one in found]),
            ("reached", pa.int64(), [len(one.epochs) for one in found]),
            ("of", pa.int64(), [one.of for one in found]),
        ):
            settings = settings.append_column(name, pa.array(values, kind))
        return settings

    def state(self, trial_id: str) -> bytes:
        """Return the last training state of a trial of a grid with `keep_state`, for `raysweep.Training`.

        Raises:
            ResultsError: there is none, or it is damaged.
            StorageError: it cannot be read.
        """
        return kept_state(self._ledger.paths.state(trial_id))

    @cached_property
    def _database(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        database = duckdb.connect()
        for name, dataset in (
            ("trials", self.trials),
            ("predictions", self.predictions),
            ("curves", self.curves),
        ):
            database.register(name, dataset)
        return database


def load(folder: str | os.PathLike[str]) -> Sweep:
    """Open a sweep's results for analysis, even during a run.

    Args:
        folder: the results folder, such as `results/lengths`.

    Raises:
        ResultsError: the folder does not exist, contains a symbolic link, or was written by another
            version of raysweep.
        StorageError: the folder cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultsError(f"{path}: no such folder; give a results folder, such as results/lengths")
    return Sweep(Ledger(path))


def _dataset(files: list[str], schema: pa.Schema) -> pads.Dataset:
    """Make one dataset of the files, possibly none; given the schema, no file is opened."""
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    layout = pads.ParquetFileFormat(default_fragment_scan_options=options)
    dataset: pads.Dataset = pads.FileSystemDataset.from_paths(
        files, schema=schema, format=layout, filesystem=LocalFileSystem()
    )
    return dataset
