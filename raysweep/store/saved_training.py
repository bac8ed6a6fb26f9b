"""What trainings leave to go on from: checkpoints of unfinished trials, states of finished ones."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from raysweep.errors import ResultsError, StorageError
from raysweep.store import checksum
from raysweep.store.atomic_files import Folder
from raysweep.store.paths import Paths, file_name, trial_of
from raysweep.store.verify import Damage
from raysweep.trial.settings import TrialSettings
from raysweep.trial.states import States
from raysweep.trial.training_state import LARGEST_HEADER, MadeWith, StateHeader, read_header


class SavedTraining:
    """The folders `checkpoints/` and `states/`, for their only writer.

    Args:
        checkpoints: folder of checkpoints.
        states: folder of states.
        quarantine: moves a file of a folder to `damaged/`.
    """

    def __init__(
        self, checkpoints: Folder, states: Folder, quarantine: Callable[[Folder, str], None]
    ) -> None:
        """Take the folders; no state is known before `find_states`."""
        self._checkpoints, self._folder, self._quarantine = checkpoints, states, quarantine
        self.states = States()

    def find_states(self, here: MadeWith | None) -> None:
        """Find the training states of this folder.

        Args:
            here: what the trials will be trained with; None if a worker decides what it can use.
        """
        self.states = States(headers_in(self._folder), here)

    def can_go_on(self, settings: TrialSettings) -> bool:
        """Return whether there is something for a trial to go on from; it may turn out to be damaged."""
        name = file_name(settings.trial_id, Paths.CHECKPOINT_SUFFIX)
        return self._checkpoints.has(name) or bool(self.states.usable(settings))

    def put_checkpoint(self, trial_id: str, data: bytes) -> None:
        """Store a checkpoint from which a long trial can go on, in place of the previous one.

        Raises:
            StorageError: the checkpoint cannot be written; the previous one is kept.
        """
        self._checkpoints.put(file_name(trial_id, Paths.CHECKPOINT_SUFFIX), checksum.append(data))

    def put_state(self, trial_id: str, data: bytes) -> None:
        """Store the last training state of a trial that is about to be committed.

        Raises:
            StorageError: the state cannot be written.
        """
        self._folder.put(file_name(trial_id, Paths.STATE_SUFFIX), checksum.append(data))
        with suppress(ResultsError):
            self.states.add(read_header(data[:LARGEST_HEADER]))

    def checkpoint(self, trial_id: str, damaged: list[Damage]) -> bytes | None:
        """Return the trial's latest checkpoint; None if there is none, or if it is damaged.

        Args:
            trial_id: the trial.
            damaged: list to which a damaged file is added, which is quarantined.
        """
        return self._read(self._checkpoints, file_name(trial_id, Paths.CHECKPOINT_SUFFIX), damaged)

    def latest(self, settings: TrialSettings, damaged: list[Damage]) -> bytes | None:
        """Return the latest state that a trial can go on from: its own checkpoint, or a state that was kept.

        Args:
            settings: the trial.
            damaged: list to which damaged files are added, which are quarantined.
        """
        checkpoint = self.checkpoint(settings.trial_id, damaged)
        for header in self.states.usable(settings):
            if checkpoint is not None and _epoch(checkpoint) >= header.epoch:
                break
            name = file_name(header.settings.trial_id, Paths.STATE_SUFFIX)
            if (state := self._read(self._folder, name, damaged)) is not None:
                return state
            self.states.discard(header)
        return checkpoint

    def _read(self, folder: Folder, name: str, damaged: list[Damage]) -> bytes | None:
        try:
            data = folder.get(name)
            return None if data is None else checksum.strip(data)
        except (ResultsError, StorageError) as error:
            damaged.append(Damage(folder.path / name, str(error)))
            with suppress(StorageError):
                self._quarantine(folder, name)
            return None


def headers_in(folder: Folder) -> Iterator[StateHeader]:
    """Read the headers of a folder's states; skip what is no state, torn, or under another trial's name."""
    for name in folder.names():
        trial_id = trial_of(name, Paths.STATE_SUFFIX)
        try:
            start = folder.get(name, LARGEST_HEADER) if trial_id else None
            header = read_header(start) if start else None
        except (ResultsError, StorageError):
            continue
        if header is not None and header.settings.trial_id == trial_id:
            yield header


def _epoch(state: bytes) -> int:
    """Return the epochs of a state; 0 if it is of another version of raysweep."""
    try:
        return read_header(state[:LARGEST_HEADER]).epoch
    except ResultsError:
        return 0
