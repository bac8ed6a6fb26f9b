"""The trials that the latest grid asks for, as the results folder keeps it."""

from raysweep.errors import GridError
from raysweep.grid import grid_from_content
from raysweep.store.record import SweepRecord
from raysweep.trial.settings import TrialSettings


def planned_trials(record: SweepRecord | None) -> dict[str, TrialSettings] | None:
    """The trials of the latest grid by id; None where the folder's record does not tell."""
    if record is None:
        return None
    try:
        grid = grid_from_content(record.content, source="sweep.json")
    except GridError:
        return None
    return {settings.trial_id: settings for settings in grid.trials}
