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

from raysweep.analysis.aggregate import CELL_SETTINGS, Cell, SweepAnalysis, analyse
from raysweep.analysis.evaluations import REACH
from raysweep.errors import ResultsError, UsageError
from raysweep.report.sweep_card import card_html, card_text
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.ledger import Ledger
from raysweep.store.saved_states import kept_state
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    import duckdb

    from raysweep.analysis.figure_tables import CurveMetric, HeatMetric
    from raysweep.report.figures import Chart


_CELLS: Final = pa.schema([CURVES.field(name) for name in CELL_SETTINGS])
_COUNT: Final = pa.int64()
_FIGURES: Final = {
    "planned": pa.bool_(),
    "seeds": pa.list_(_COUNT),
    "diverged": pa.list_(_COUNT),
    "evaluated_windows": _COUNT,
    **dict.fromkeys(("exact_match", "interval_low", "interval_high"), pa.float64()),
    "position_accuracy": pa.list_(pa.float64()),
    **dict.fromkeys(("loss", "accuracy"), pa.float64()),
    **dict.fromkeys(("slips_wrong", "slips_answer", "slips_window", "slips_none"), _COUNT),
    "slips_by_distance": pa.map_(_COUNT, _COUNT),
}
"""Columns of `Sweep.cells` after the settings."""


class Sweep:
    """Committed trials of a results folder at one moment; made by `load`.

    Attributes:
        trials: one row per trial.
        predictions: one row per evaluated window of the trials that did not diverge.
        curves: one row per point of a learning curve.

    Each table is a `pyarrow.dataset.Dataset` with every setting as a column: `.to_table().to_pandas()`,
    `polars.scan_pyarrow_dataset(…)`.

    The charts are Altair's and show themselves in a notebook. Each takes `rows` and `columns`, the settings
    of its axes; by default LEN and MEM. Any other setting that varies separates panels.
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
        cells = self._analysis.cells
        found = [cell.epochs_to_reach(reach) for cell in cells]
        settings = pa.Table.from_pylist([dict(cell.settings) for cell in cells], _CELLS)
        for name, kind, values in (
            ("epochs_to_reach", pa.float64(), [one.median for one in found]),
            ("reached", pa.int64(), [len(one.epochs) for one in found]),
            ("of", pa.int64(), [one.of for one in found]),
        ):
            settings = settings.append_column(name, pa.array(values, kind))
        return settings

    def cells(self) -> pa.Table:
        """Return one row per combination of every setting but the seed, with the report's numbers.

        The columns: the settings, `planned`, `seeds` and `diverged` (lists), `evaluated_windows`,
        `exact_match` with its 95 % interval, `position_accuracy` (a list), `loss`, `accuracy`, and what
        wrong positions say: `slips_wrong`, of which `slips_answer`, `slips_window` and `slips_none`.
        """
        cells = self._analysis.cells
        table = pa.Table.from_pylist([dict(cell.settings) for cell in cells], _CELLS)
        rows = [_figures(cell) for cell in cells]
        for name, kind in _FIGURES.items():
            table = table.append_column(name, pa.array([row.get(name) for row in rows], kind))
        return table

    def heatmap(
        self,
        metric: "HeatMetric" = "exact_match",
        rows: str | None = None,
        columns: str | None = None,
        reach: float = REACH,
    ) -> "Chart":
        """Draw `exact_match`, `position_accuracy`, `epochs_to_reach` or `loss` of every cell."""
        from raysweep.report import figures

        return figures.heatmap(self._analysis, metric, rows, columns, reach)

    def learning_curves(
        self, metric: "CurveMetric" = "exact_match", rows: str | None = None, columns: str | None = None
    ) -> "Chart":
        """Draw learning curves: held-out `exact_match`, or `loss` or `accuracy` of the training."""
        from raysweep.report import figures
        from raysweep.store.training_curves import training_curves

        points = {} if metric == "exact_match" else training_curves(self._ledger, self._ledger.committed())
        return figures.curves(self._analysis, points, metric, rows, columns)

    def positions(self, rows: str | None = None, columns: str | None = None) -> "Chart":
        """Draw the accuracy at each position."""
        from raysweep.report import figures

        return figures.positions(self._analysis, rows, columns)

    def slips(self, rows: str | None = None, columns: str | None = None) -> "Chart":
        """Draw what wrong positions say instead."""
        from raysweep.report import figures

        return figures.slips(self._analysis, rows, columns)

    def __repr__(self) -> str:
        """Return the sweep's name, its trials by status, and the settings that vary."""
        return card_text(self._analysis)

    def _repr_html_(self) -> str:
        return card_html(self._analysis)

    def settings(self, trial_id: str) -> TrialSettings:
        """Return the settings of a committed trial, to train it again or to go on from its state.

        Raises:
            ResultsError: there is no such trial, or its row is damaged.
        """
        if trial_id not in self._ledger.committed():
            raise ResultsError(f"{self._ledger.paths.folder}: no committed trial {trial_id}")
        return TrialSettings(**self._ledger.manifests([trial_id])[trial_id].counts.settings)

    def state(self, trial_id: str) -> bytes:
        """Return the last training state of a trial of a grid with `keep_state`, for `raysweep.Training`.

        Raises:
            ResultsError: there is none, or it is damaged.
            StorageError: it cannot be read.
        """
        return kept_state(self._ledger.paths.state(trial_id))

    @cached_property
    def _analysis(self) -> SweepAnalysis:
        return analyse(self._ledger)

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


def _figures(cell: Cell) -> dict[str, object]:
    interval, slips = cell.interval, cell.slips
    figures: dict[str, object] = {name: getattr(cell, name, None) for name in _FIGURES}
    figures["evaluated_windows"] = cell.windows
    figures["position_accuracy"] = cell.position_accuracy or None
    if interval is not None:
        figures |= {"interval_low": interval.low, "interval_high": interval.high}
    if slips is not None:
        answer, window = (sum(found.values()) for found in (slips.answer, slips.window))
        figures |= {"slips_wrong": slips.wrong, "slips_answer": answer, "slips_window": window}
        figures |= {"slips_none": slips.none, "slips_by_distance": [*slips.by_distance.items()]}
    return figures


def load(folder: str | os.PathLike[str]) -> Sweep:
    """Open a sweep's results for analysis, even during a run.

    Args:
        folder: the results folder, such as `results/lengths`.

    Raises:
        ResultsError: the folder does not exist, contains a symbolic link, or was written by another
            version of raysweep.
        StorageError: the folder cannot be read.
    """
    path = Path(os.path.expanduser(folder))  # noqa: PTH111  # Path's own fails for a user who does not exist
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
