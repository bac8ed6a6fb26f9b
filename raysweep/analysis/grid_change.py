"""What another grid, or another version of it, means for the results in its folder."""

from collections.abc import Collection, Iterator

from raysweep.architectures import BUILT_IN
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
    yield from _network_changes(grid, ledger, done)
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


def _network_changes(grid: Grid, ledger: Ledger, done: Collection[str]) -> list[str]:
    """Say of each networks file that has changed how many trials are new, and how many old ones stay."""
    planned = {trial.trial_id: trial for trial in grid.trials if trial.arch not in BUILT_IN}
    current = {trial.arch: trial.network for trial in planned.values()}
    other = [one for one in done if one not in planned and one.partition("-")[0] in current]
    found: dict[str, tuple[list[str], int, int]] = {}
    versions = [manifest.counts.settings for manifest in ledger.manifests(other).values()]
    for arch, network in current.items():
        old = sum(one["arch"] == arch and one["network"] != network for one in versions)
        if old:
            new = sum(trial.arch == arch and trial_id not in done for trial_id, trial in planned.items())
            file = grid.content["networks"][arch]["file"]
            archs, all_new, all_old = found.get(file, ([], 0, 0))
            found[file] = [*archs, arch], all_new + new, all_old + old
    return [_line(file, *counts) for file, counts in found.items()]


def _line(file: str, archs: list[str], new: int, old: int) -> str:
    stay = f"{count(old, 'finished trial')} of another version {'stays' if old == 1 else 'stay'}."
    if not new:
        return f"{file}: {stay}"
    are = "is" if new == 1 else "are"
    return f"{file} has changed: {count(new, 'trial')} of {', '.join(archs)} {are} new, {stay}"
