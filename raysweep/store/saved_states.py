"""What trainings leave to go on from: checkpoints of unfinished trials, states of finished ones."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from raysweep.errors import ResultsError, StorageError
from raysweep.store import checksum
from raysweep.store.atomic_files import Folder, read_file
from raysweep.store.paths import Paths, file_name, trial_of
from raysweep.store.storage_errors import is_denied
from raysweep.store.verify import Damage
from raysweep.trial.settings import TrialSettings
from raysweep.trial.state_index import StateIndex
from raysweep.trial.training_state import LARGEST_HEADER, MadeWith, read_header


class SavedStates:
    """The folders `checkpoints/` and `states/`, for their only writer.

    Args:
        checkpoints: folder of checkpoints.
        states: folder of states.
        quarantine: moves a file of a folder to `damaged/`.
    """

    def __init__(
        self, checkpoints: Folder, states: Folder, quarantine: Callable[[Folder, str], None]
    ) -> None:
        """Take the folders; nothing is known of what they hold before `find`."""
        self._folders = {Paths.CHECKPOINT_SUFFIX: checkpoints, Paths.STATE_SUFFIX: states}
        self._quarantine = quarantine
        self.states = StateIndex({})

    def find(self, here: MadeWith | None, damaged: list[Damage]) -> None:
        """Find what trials can go on from.

        Args:
            here: what the trials will be trained with; None if a worker decides what it can use.
            damaged: list to which files are added that are no valid states; they are quarantined.

        Raises:
            StorageError: this user may not read a state.
        """
        self.states, unknown = index_of(self._folders, here)
        for folder, name in unknown:  # of another raysweep, or damaged
            self._read(folder, name, damaged)

    def put_checkpoint(self, trial_id: str, data: bytes) -> None:
        """Store a checkpoint from which a long trial can go on, in place of the previous one.

        Raises:
            StorageError: the checkpoint cannot be written; the previous one is kept.
        """
        self._put(Paths.CHECKPOINT_SUFFIX, trial_id, data)

    def put_state(self, trial_id: str, data: bytes) -> None:
        """Store the last training state of a trial that is about to be committed.

        Raises:
            StorageError: the state cannot be written.
        """
        self._put(Paths.STATE_SUFFIX, trial_id, data)

    def forget_checkpoint(self, settings: TrialSettings) -> None:
        """Note that a trial's checkpoint is removed, because the trial is committed."""
        self.states.discard(file_name(settings.trial_id, Paths.CHECKPOINT_SUFFIX), settings)

    def latest(self, settings: TrialSettings, damaged: list[Damage]) -> bytes | None:
        """Return the latest state or checkpoint that a trial can go on from; None if there is none.

        Args:
            settings: the trial.
            damaged: list to which damaged files are added, which are quarantined.
        """
        for name, header in self.states.usable(settings):
            folder = self._folders[name[name.index(".") :]]
            if (state := self._read(folder, name, damaged)) is not None:
                return state
            self.states.discard(name, header.settings)
        return None

    def _put(self, suffix: str, trial_id: str, data: bytes) -> None:
        folder, name = self._folders[suffix], file_name(trial_id, suffix)
        if folder.has_folder(name):
            self._quarantine(folder, name)
        folder.put(name, checksum.append(data))
        with suppress(ResultsError):
            self.states.add(name, read_header(data[:LARGEST_HEADER]))

    def _read(self, folder: Folder, name: str, damaged: list[Damage]) -> bytes | None:
        try:
            data = folder.get(name)
            return None if data is None else checksum.strip(data)
        except (ResultsError, StorageError) as error:
            if isinstance(error, StorageError) and is_denied(error):
                raise
            damaged.append(Damage(folder.path / name, str(error)))
            with suppress(StorageError):
                self._quarantine(folder, name)
            return None


def kept_state(path: Path) -> bytes:
    """Read a state that was kept.

    Raises:
        ResultsError: there is none, or it is damaged.
        StorageError: it cannot be read.
    """
    if (data := read_file(path)) is None:
        raise ResultsError(f"{path}: no such state; only trials of a grid with keep_state: true have one")
    return checksum.strip(data)


def index_of(
    folders: Mapping[str, Folder], here: MadeWith | None
) -> tuple[StateIndex, list[tuple[Folder, str]]]:
    """Read the headers of all states in some folders.

    Args:
        folders: by the ending of the files that are read.
        here: what the trials will be trained with; None for any state.

    Returns:
        The states, without those under another trial's name; and the files that are none of this raysweep's.

    Raises:
        StorageError: this user may not read a state.
    """
    states, unknown = StateIndex({}, here), []
    for suffix, folder in folders.items():
        for name in sorted(folder.names()):
            if (trial_id := trial_of(name, suffix)) is None:
                continue
            try:
                header = read_header(folder.get(name, LARGEST_HEADER) or b"")
            except (ResultsError, StorageError) as error:
                if isinstance(error, StorageError) and is_denied(error):
                    raise
                unknown.append((folder, name))
                continue
            if header.settings.trial_id == trial_id:
                states.add(name, header)
    return states, unknown
