"""Planned trials: the trials of the latest grid in a results folder."""

from raysweep.errors import GridError
from raysweep.grid import grid_from_content
from raysweep.store.record import SweepRecord
from raysweep.trial.settings import TrialSettings


def planned_trials(record: SweepRecord | None) -> dict[str, TrialSettings] | None:
    """Return the trials of the latest grid, by id; None if the record is absent or its grid is invalid."""
    if record is None:
        return None
    try:
        grid = grid_from_content(record.content, source="sweep.json")
    except GridError:
        return None
    return {settings.trial_id: settings for settings in grid.trials}
