"""A sweep's tables for analysis: Arrow datasets, and SQL over them.

>>> from raysweep.store.datasets import load
>>> load("results/reference").sql("SELECT count(*) > 0 FROM trials").fetchall()  # doctest: +SKIP
[(True,)]
"""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as pads
from pyarrow.fs import LocalFileSystem

from raysweep.errors import ResultsError
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.ledger import Ledger

if TYPE_CHECKING:
    import duckdb


class Sweep:
    """The committed trials of a results folder at one moment; made by `load`.

    Attributes:
        trials: one row per trial.
        predictions: one row per evaluated window of the trials that did not diverge.
        curves: one row per point of a learning curve.

    Each is a `pyarrow.dataset.Dataset` with every setting as a column: `.to_table().to_pandas()`,
    `polars.scan_pyarrow_dataset(…)`.
    """

    def __init__(self, ledger: Ledger) -> None:
        """List the files that count; the rows are read when they are asked for."""
        # Trials come last, so that each file has its row, whatever is committed meanwhile.
        self.predictions = _dataset(ledger.files("predictions"), PREDICTIONS)
        self.curves = _dataset(ledger.files("curves"), CURVES)
        self.trials = _dataset(ledger.files("trials"), TRIALS)

    def sql(self, query: str) -> "duckdb.DuckDBPyRelation":
        """Ask in DuckDB's SQL, with `trials`, `predictions` and `curves` as views.

        Returns:
            A relation: `.fetchall()`, `.df()` (pandas), `.pl()` (Polars), `.arrow()`.

        Raises:
            duckdb.Error: the query is wrong, or changes what is read-only.
        """
        return self._database.sql(query)

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
    """Open a sweep's results for analysis, in the middle of a run too.

    Args:
        folder: the results folder, such as `results/lengths`.

    Raises:
        ResultsError: there is no such folder, it has a symbolic link in it, or another version of
            raysweep wrote it.
        StorageError: the folder cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultsError(f"{path} is not a results folder: there is no such folder")
    return Sweep(Ledger(path))


def _dataset(files: list[str], schema: pa.Schema) -> pads.Dataset:
    """One dataset of many files, or of none, whose columns are known without opening any."""
    options = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    layout = pads.ParquetFileFormat(default_fragment_scan_options=options)
    dataset: pads.Dataset = pads.FileSystemDataset.from_paths(
        files, schema=schema, format=layout, filesystem=LocalFileSystem()
    )
    return dataset
