"""Training curves of committed trials as plain numbers, for figures."""

from collections.abc import Collection
from typing import NamedTuple

from raysweep.errors import ResultsError
from raysweep.store.atomic_files import read_file
from raysweep.store.columns import CURVES
from raysweep.store.encoding import read_table
from raysweep.store.ledger import Ledger
from raysweep.store.verify import DAMAGE_REMEDY, manifest_with_expected_sizes


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
    path = ledger.paths.table("curves", trial_id)
    try:
        if (data := read_file(path)) is None:
            raise ResultsError("the file is missing")
        manifest_with_expected_sizes(ledger.paths, trial_id).curves.check(data)
        table = read_table(data, CURVES)
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}; {DAMAGE_REMEDY}") from error
    columns = table.select(["epoch", "loss", "accuracy"]).to_pydict()
    return TrainingCurve(*(tuple(columns[name]) for name in ("epoch", "loss", "accuracy")))
