"""Examples of what a trial predicts: a few of its held-out windows, from the best to the worst."""

from typing import Final, NamedTuple

import numpy as np

from raysweep.errors import ResultsError
from raysweep.store.atomic_files import read_file, refuse_link
from raysweep.store.encoding import read_predictions
from raysweep.store.paths import Paths, file_name
from raysweep.store.verify import DAMAGE_REMEDY, manifest_with_expected_sizes
from raysweep.trial.settings import TrialSettings

WINDOWS: Final = 6
"""Windows of a trial, at equal distances in the order from the best to the worst."""

POSITIONS: Final = 64
"""Most positions of a window."""


class Example(NamedTuple):
    """One held-out window: whole numbers, first position first."""

    rank: int
    """Place among the trial's windows, by the number of wrong positions; 1 is the best."""
    sequence: int
    window: int
    input: tuple[int, ...]
    expected: tuple[int, ...]
    predicted: tuple[int, ...]
    wrong: int
    """Wrong positions of the whole window."""


def examples_of(paths: Paths, settings: TrialSettings, windows: int = WINDOWS) -> list[Example]:
    """Choose windows of a trial that is done, always the same ones; equally good windows keep their order.

    Raises:
        ResultsError: the predictions are damaged or missing.
        StorageError: they cannot be read.
    """
    trial_id = settings.trial_id
    try:
        file_name(trial_id, Paths.TABLE_SUFFIX)  # in a forged row it may be anything
        path = paths.table("predictions", trial_id)
        refuse_link(path)
        digest = manifest_with_expected_sizes(paths, trial_id).predictions
        if (data := read_file(path)) is None or digest is None:
            raise ResultsError("the predictions are missing")
        digest.check(data)
        found = read_predictions(data, settings)
    except (ResultsError, ValueError) as error:  # of shapes that are not the settings'
        raise ResultsError(f"{trial_id}: {error}; {DAMAGE_REMEDY}") from error
    wrong = (found.predicted != found.expected).sum(axis=1)
    order = np.argsort(wrong, kind="stable")
    ranks = sorted({round(place) for place in np.linspace(0, len(order) - 1, min(windows, len(order)))})
    return [
        Example(
            rank=rank + 1,
            sequence=int(found.sequence_index[row]),
            window=int(found.window_index[row]),
            input=tuple(found.input[row, :POSITIONS].tolist()),
            expected=tuple(found.expected[row, :POSITIONS].tolist()),
            predicted=tuple(found.predicted[row, :POSITIONS].tolist()),
            wrong=int(wrong[row]),
        )
        for rank, row in ((rank, order[rank]) for rank in ranks)
    ]
