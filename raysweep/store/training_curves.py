"""Training curves of committed trials as plain numbers, for figures."""

from collections.abc import Collection
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from raysweep.errors import ResultsError
from raysweep.store.ledger import Ledger
from raysweep.store.verify import DAMAGE_REMEDY


class TrainingCurve(NamedTuple):
    """Loss and accuracy of one trial's training; one entry per point, in order."""

    epochs: tuple[int, ...]
    """Last epoch of each point, counted from 1."""
    loss: tuple[float, ...]
    """Mean over the point's epochs; the last may be NaN or infinite if the trial diverged."""
    accuracy: tuple[float, ...]
    """Mean over the point's epochs of the accuracy per position, 0 to 1."""


def training_curves(ledger: Ledger, trial_ids: Collection[str]) -> dict[str, TrainingCurve]:
    """Read the curves of committed trials, by id.

    Raises:
        ResultsError: a curve is damaged or missing.
    """
    return {trial_id: _read(ledger, trial_id) for trial_id in trial_ids}


def _read(ledger: Ledger, trial_id: str) -> TrainingCurve:
    path = ledger.paths.table_name("curves", trial_id)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True, memory_map=False)
        columns = file.read(columns=["epoch", "loss", "accuracy"]).to_pydict()
        return TrainingCurve(*(tuple(columns[name]) for name in ("epoch", "loss", "accuracy")))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ResultsError(f"{path}: {str(error).splitlines()[0]}; {DAMAGE_REMEDY}") from error
