"""What another grid, or another version of it, means for the results in its folder."""

from collections.abc import Collection, Iterator

from raysweep.analysis.network_versions import network_changes
from raysweep.grid import Grid
from raysweep.store.ledger import Ledger
from raysweep.text import count


def grid_changes(grid: Grid, ledger: Ledger, done: Collection[str]) -> Iterator[str]:
    """Say which finished trials of the latest grid are not of this one, and which networks have changed.

    Args:
        grid: the grid to train.
        ledger: the results folder.
        done: ids of its committed trials.

    Raises:
        ResultsError: the row of an old trial is damaged.
    """
    yield from network_changes(grid, ledger, done)
    here = {trial.trial_id for trial in grid.trials}
    networks = {trial.arch: trial.network for trial in grid.trials}
    left = [
        trial_id
        for trial_id, trial in (ledger.planned() or {}).items()
        if trial_id in done
        and trial_id not in here
        # Another version of a network has a line of its own.
        and trial.network == networks.get(trial.arch, trial.network)
    ]
    if left:
        one = len(left) == 1
        yield (
            f"{count(len(left), 'finished trial')} in {ledger.paths.folder} {'is' if one else 'are'} not of "
            f"this grid. {'It stays' if one else 'They stay'}, but the report will be this grid's; "
            "--name NAME gives this grid a folder of its own."
        )
