"""Names of all files in a results folder; no other module joins a path."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from raysweep.errors import ResultsError

Kind = Literal["trials", "predictions", "curves"]
"""The three tables, each a subfolder with one file per trial."""

_TRIAL_ID: Final = re.compile(r"[A-Za-z0-9_]+(-[a-z0-9]+)+")
_LONGEST_ID: Final = 120
_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def is_trial_id(text: str) -> bool:
    """Return whether a text has the form of a trial id, and so is a file name that cannot escape its folder.

    >>> is_trial_id("echo-len6-mem16-seed0-8c1ef053eeb5"), is_trial_id("../x"), is_trial_id("")
    (True, False, False)
    """
    return len(text) <= _LONGEST_ID and _TRIAL_ID.fullmatch(text) is not None


def trial_of(name: str, suffix: str) -> str | None:
    """Return the trial that a file belongs to, from the file's name alone; None if there is no such trial.

    >>> trial_of("echo-len6.parquet", ".parquet"), trial_of(".echo-len6.parquet.1f.tmp", ".parquet")
    ('echo-len6', None)
    """
    trial_id = name.removesuffix(suffix)
    return trial_id if trial_id != name and is_trial_id(trial_id) else None


def file_name(trial_id: str, suffix: str) -> str:
    """Return the name of a trial's file.

    Raises:
        ResultsError: the text is not a trial id.
    """
    name = trial_id + suffix
    if trial_of(name, suffix) is None:
        raise ResultsError(f"{trial_id!r} is not a trial id")
    return name


def temporary_name(name: str) -> str:
    """Return a new temporary name for an incomplete file `name`; readers of tables ignore the suffix."""
    return f".{name}.{secrets.token_hex(4)}.tmp"


def is_temporary(name: str) -> bool:
    """Return whether `temporary_name` made a file's name.

    >>> is_temporary(temporary_name("x.parquet")), is_temporary("notes.tmp")
    (True, False)
    """
    return _TEMPORARY.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of the files in a results folder."""

    folder: Path

    TABLE_SUFFIX: ClassVar = ".parquet"
    FAILURE_SUFFIX: ClassVar = ".json"
    CHECKPOINT_SUFFIX: ClassVar = ".checkpoint"
    STATE_SUFFIX: ClassVar = ".state"
    NETWORK_SUFFIX: ClassVar = ".py"
    RECORD: ClassVar = "sweep.json"
    LOCK: ClassVar = ".lock"
    LOG: ClassVar = "run.log"

    @property
    def trials(self) -> Path:
        """Folder of rows, one per trial; the presence of a row is the commit."""
        return self.folder / "trials"

    @property
    def predictions(self) -> Path:
        """Folder of predictions: one row per evaluated window."""
        return self.folder / "predictions"

    @property
    def curves(self) -> Path:
        """Folder of learning curves: one row per point."""
        return self.folder / "curves"

    @property
    def failures(self) -> Path:
        """Folder of failures: the last one of each trial that failed and is not committed."""
        return self.folder / "failures"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints of long, unfinished trials."""
        return self.folder / "checkpoints"

    @property
    def states(self) -> Path:
        """Folder of the last training states of finished trials, from which longer ones go on."""
        return self.folder / "states"

    @property
    def networks(self) -> Path:
        """Folder of copies of networks files; made when a grid has some."""
        return self.folder / "networks"

    @property
    def damaged(self) -> Path:
        """Folder of quarantined files, which are damaged."""
        return self.folder / "damaged"

    @property
    def record(self) -> Path:
        """Record of the requested grid and of each run."""
        return self.folder / self.RECORD

    @property
    def lock(self) -> Path:
        """Lock file, which names the current writer."""
        return self.folder / self.LOCK

    @property
    def log(self) -> Path:
        """Output of Ray, Tune and TensorFlow during the latest run."""
        return self.folder / self.LOG

    @property
    def subfolders(self) -> tuple[Path, ...]:
        """All folders inside this one."""
        return (
            self.trials,
            self.predictions,
            self.curves,
            self.failures,
            self.checkpoints,
            self.states,
            self.damaged,
        )

    def table(self, kind: Kind, trial_id: str) -> Path:
        """Return the path of one trial's file in one table."""
        return Path(self.table_name(kind, trial_id))

    def table_name(self, kind: Kind, trial_id: str) -> str:
        """Return that path as text: a `Path` for each file of 10,000 trials takes half a second."""
        return f"{self.folder}/{kind}/{trial_id}{self.TABLE_SUFFIX}"

    def failure(self, trial_id: str) -> Path:
        """Return the path of one trial's last failure."""
        return self.failures / f"{trial_id}{self.FAILURE_SUFFIX}"

    def network(self, sha256: str) -> Path:
        """Return the path of the copy of a networks file."""
        return self.networks / f"{sha256}{self.NETWORK_SUFFIX}"

    def state(self, trial_id: str) -> Path:
        """Return the path of one trial's last training state."""
        return self.states / f"{trial_id}{self.STATE_SUFFIX}"

    def checkpoint(self, trial_id: str) -> Path:
        """Return the path of one trial's checkpoint."""
        return self.checkpoints / f"{trial_id}{self.CHECKPOINT_SUFFIX}"
