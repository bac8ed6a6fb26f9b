"""Trials that other results folders have: found, verified and copied, because a trial is its content.

A copy is committed by the same writer as a trained trial, its row last and byte for byte as it is. Other
folders are only read, and a run may write to them meanwhile: what is committed there is complete.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.store.atomic_files import exists, read_file
from raysweep.store.ledger import Ledger
from raysweep.store.listing import in_results
from raysweep.store.paths import Kind
from raysweep.store.saved_states import kept_state
from raysweep.store.verify import manifest_with_expected_sizes, trial_damage
from raysweep.store.writer import Writer, require_valid
from raysweep.trial.cost import Measured
from raysweep.trial.training_state import LARGEST_HEADER, read_header

if TYPE_CHECKING:
    from raysweep.store.encoding import EncodedTrial

TABLES: Final[tuple[Kind, ...]] = ("trials", "predictions", "curves")


@dataclass(frozen=True)
class Reusable:
    """Trials that other folders have, as far as their rows and the sizes of their files say."""

    donors: Mapping[str, Sequence[Ledger]]
    """Ledgers that have each trial, by its id; the first one is preferred."""
    refused: Mapping[str, Path]
    """What is wrong with the trials that no folder can give, and whose folder it is."""

    @property
    def counts(self) -> dict[Path, int]:
        """Number of trials that each folder gives."""
        return _counted(ledgers[0].paths.folder for ledgers in self.donors.values())

    def timings(self) -> list[Measured]:
        """Return the runtimes of some of these trials, as `Ledger.timings` does."""
        given: dict[int, tuple[Ledger, list[str]]] = {}
        for trial_id, ledgers in self.donors.items():
            given.setdefault(id(ledgers[0]), (ledgers[0], []))[1].append(trial_id)
        return [measured for ledger, trial_ids in given.values() for measured in ledger.timings(trial_ids)]


@dataclass
class Taken:
    """What was taken from other folders."""

    trials: dict[str, Path] = field(default_factory=dict)
    """Folder that each trial was taken from, by its id."""
    refused: dict[str, Path] = field(default_factory=dict)
    """What is wrong with the files that were not taken, and whose folder it is."""

    @property
    def counts(self) -> dict[Path, int]:
        """Number of trials that each folder gave."""
        return _counted(self.trials.values())


def open_donors(folders: Sequence[Path], own: Path) -> list[Ledger]:
    """Open the results folders of other sweeps.

    Args:
        folders: the folders; the sweep's own one is left out, and each is opened once.
        own: the folder of the sweep that takes trials.

    Raises:
        UsageError: a folder does not exist, or is not a sweep's.
        StorageError: a folder cannot be read.
    """
    ledgers: dict[Path, Ledger] = {}
    for folder in folders:
        ledger = _donor(folder)
        ledgers.setdefault(folder.resolve(), ledger)
    return [ledger for path, ledger in ledgers.items() if path != own.resolve()]


def _donor(folder: Path) -> Ledger:
    if not exists(folder):
        if meant := in_results(folder):
            raise UsageError(f"--reuse {folder}: no such folder; did you mean {meant}?")
        raise UsageError(f"--reuse {folder}: no such folder; give the results folder of a sweep")
    ledger = Ledger(folder)
    if not (exists(ledger.paths.record) or exists(ledger.paths.trials)):
        raise UsageError(f"--reuse {folder}: no sweep has written here; give a results folder")
    return ledger


def reusable(wanted: Collection[str], ledgers: Sequence[Ledger], *, keep_state: bool) -> Reusable:
    """Find which trials other folders have; only rows are read.

    Args:
        wanted: ids of trials.
        ledgers: other folders, the preferred ones first.
        keep_state: whether a folder that has a trial's state is preferred for it.
    """
    donors: dict[str, list[Ledger]] = {}
    refused: dict[str, dict[str, Path]] = {}
    for ledger in ledgers:
        for trial_id in sorted(ledger.committed().intersection(wanted)):
            try:
                manifest_with_expected_sizes(ledger.paths, trial_id)
            except (ResultsError, StorageError) as error:
                refused.setdefault(trial_id, {})[str(error)] = ledger.paths.folder
            else:
                donors.setdefault(trial_id, []).append(ledger)
    hopeless: dict[str, Path] = {}
    for trial_id, texts in refused.items():
        hopeless |= {} if trial_id in donors else texts
    if keep_state:
        donors = {
            trial_id: sorted(having, key=lambda ledger: not exists(ledger.paths.state(trial_id)))
            for trial_id, having in donors.items()
        }
    return Reusable({trial_id: donors[trial_id] for trial_id in wanted if trial_id in donors}, hopeless)


def take(writer: Writer, found: Reusable, *, keep_state: bool) -> Taken:
    """Commit trials of other folders.

    Args:
        writer: of the folder that takes them.
        found: trials to take.
        keep_state: whether states are taken, too.

    Raises:
        StorageError: the files cannot be written; those of other folders that cannot be read are not taken.
    """
    taken = Taken()
    for trial_id, ledgers in found.donors.items():
        for ledger in ledgers:
            trial = _verified(ledger, trial_id, taken.refused)
            if trial is not None:
                state = _state(ledger, trial_id, taken.refused) if keep_state else None
                writer.commit(trial, state)
                taken.trials[trial_id] = ledger.paths.folder
                break
    return taken


def _verified(ledger: Ledger, trial_id: str, refused: dict[str, Path]) -> "EncodedTrial | None":
    """Read a trial's files; None if one of them is damaged."""
    from raysweep.store.encoding import EncodedTrial  # and Arrow, which takes a moment

    paths = ledger.paths
    try:
        if damage := trial_damage(paths, trial_id):
            refused.update({f"{one.path}: {one.what}": paths.folder for one in damage})
            return None
        row, predictions, curves = (read_file(paths.table(kind, trial_id)) for kind in TABLES)
        trial = EncodedTrial(trial_id, row or b"", predictions, curves or b"")
        require_valid(trial)  # again: a run may have moved a file meanwhile
    except (ResultsError, StorageError) as error:
        refused[str(error)] = paths.folder
        return None
    return trial


def _state(ledger: Ledger, trial_id: str, refused: dict[str, Path]) -> bytes | None:
    """Read a trial's state; None if there is none, or if it is damaged or another trial's."""
    path = ledger.paths.state(trial_id)
    try:
        if not exists(path):
            return None
        state = kept_state(path)
        if (owner := read_header(state[:LARGEST_HEADER]).settings.trial_id) != trial_id:
            raise ResultsError(f"the state belongs to another trial, {owner!r}")
    except (ResultsError, StorageError) as error:
        refused[f"{path}: {error}"] = ledger.paths.folder
        return None
    return state


def _counted(folders: Iterable[Path]) -> dict[Path, int]:
    return dict(Counter(folders))
