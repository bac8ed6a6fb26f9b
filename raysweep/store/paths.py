"""The name of every file of a results folder; no other module joins a path."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

Kind = Literal["trials", "predictions", "curves"]
"""The three tables, each a subfolder with one file per trial."""

_TRIAL_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_LONGEST_ID: Final = 120
_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def is_trial_id(text: str) -> bool:
    """Whether a text is built like a trial's id, and so is a file name that cannot leave its folder.

    >>> is_trial_id("echo-len6-mem16-seed0-b6db9f28b96e"), is_trial_id("../x"), is_trial_id("")
    (True, False, False)
    """
    return len(text) <= _LONGEST_ID and _TRIAL_ID.fullmatch(text) is not None


def trial_of(name: str, suffix: str) -> str | None:
    """The trial that a file belongs to, by its name alone; None where it belongs to none.

    >>> trial_of("echo-len6.parquet", ".parquet"), trial_of(".echo-len6.parquet.1f.tmp", ".parquet")
    ('echo-len6', None)
    """
    trial_id = name.removesuffix(suffix)
    return trial_id if trial_id != name and is_trial_id(trial_id) else None


def temporary_name(name: str) -> str:
    """A new name for what will be `name` when it is whole; no reader of tables looks for its ending."""
    return f".{name}.{secrets.token_hex(4)}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a file's name is one of `temporary_name`.

    >>> is_temporary(temporary_name("x.parquet")), is_temporary("notes.tmp")
    (True, False)
    """
    return _TEMPORARY.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Paths:
    """A results folder's files by what they are."""

    folder: Path

    TABLE_SUFFIX: ClassVar = ".parquet"
    FAILURE_SUFFIX: ClassVar = ".json"
    CHECKPOINT_SUFFIX: ClassVar = ".checkpoint"
    RECORD: ClassVar = "sweep.json"
    LOCK: ClassVar = ".lock"
    LOG: ClassVar = "run.log"

    @property
    def trials(self) -> Path:
        """One row per trial; its presence is the commit."""
        return self.folder / "trials"

    @property
    def predictions(self) -> Path:
        """One row per evaluated window."""
        return self.folder / "predictions"

    @property
    def curves(self) -> Path:
        """One row per point of the learning curve."""
        return self.folder / "curves"

    @property
    def failures(self) -> Path:
        """The last failure of each trial that has failed and is not committed."""
        return self.folder / "failures"

    @property
    def checkpoints(self) -> Path:
        """Of long trials under way."""
        return self.folder / "checkpoints"

    @property
    def damaged(self) -> Path:
        """Files set aside because they are not what was written."""
        return self.folder / "damaged"

    @property
    def record(self) -> Path:
        """What was asked, and each run."""
        return self.folder / self.RECORD

    @property
    def lock(self) -> Path:
        """Who writes here now."""
        return self.folder / self.LOCK

    @property
    def log(self) -> Path:
        """What Ray, Tune and TensorFlow printed during the latest run."""
        return self.folder / self.LOG

    @property
    def subfolders(self) -> tuple[Path, ...]:
        """Every folder inside this one."""
        return (
            self.trials,
            self.predictions,
            self.curves,
            self.failures,
            self.checkpoints,
            self.damaged,
        )

    def table(self, kind: Kind, trial_id: str) -> Path:
        """The file of one trial in one table."""
        # In one piece: joined step by step, the paths of 10,000 trials take half a second.
        return Path(f"{self.folder}/{kind}/{trial_id}{self.TABLE_SUFFIX}")

    def failure(self, trial_id: str) -> Path:
        """The last failure of one trial."""
        return self.failures / f"{trial_id}{self.FAILURE_SUFFIX}"

    def checkpoint(self, trial_id: str) -> Path:
        """The checkpoint of one trial."""
        return self.checkpoints / f"{trial_id}{self.CHECKPOINT_SUFFIX}"
