"""The errors that raysweep raises for its users, and the exit code of each.

::

    RaysweepError                 never raised itself
    ├── UsageError          2     a bad argument, an unknown trial, a bad value
    │   └── GridError       2     a grid file with one or more problems
    ├── NetworkError        1     a user's network that cannot be built or trained
    ├── ResultsError        1     a results folder that is not valid or cannot be read
    │   └── UnknownSchemaError 1  results of another version of raysweep
    └── SurroundingsError   3     the machine, the disk, the cluster
        ├── LockedError     3     another run writes to the same results folder
        ├── StorageError    3     a folder that cannot be written, a full disk
        └── ClusterError    3     a cluster unreachable, lost, or too small

Every message says what was wrong, what was found, where, and what to do. Any other exception that
reaches the command line is a defect of raysweep and is shown with its traceback.
"""

from collections.abc import Sequence
from typing import ClassVar


class RaysweepError(Exception):
    """Base of the errors that users can cause and fix; the command line shows only their message."""

    exit_code: ClassVar[int] = 1


class UsageError(RaysweepError):
    """A bad argument, an unknown trial, a value out of range."""

    exit_code = 2


class GridError(UsageError):
    """A grid file that cannot be run.

    Args:
        problems: every problem found, each a line ``file:line: key: what is wrong; what to do``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep the problems, each once; the message is one line for each."""
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


class NetworkError(RaysweepError):
    """A user's network: its file does not run, or its function returns no model of the right shape."""


class ResultsError(RaysweepError):
    """A results folder whose files are not valid or cannot be read."""


class UnknownSchemaError(ResultsError):
    """Results of another version of raysweep: not damaged, but this one neither reads nor extends them."""


class SurroundingsError(RaysweepError):
    """A machine, disk or cluster that does not allow what was requested."""

    exit_code = 3


class LockedError(SurroundingsError):
    """A results folder that another run is writing to."""


class StorageError(SurroundingsError):
    """A folder that cannot be written, or a disk that is full."""


class ClusterError(SurroundingsError):
    """A Ray cluster that is unreachable, was lost, or cannot satisfy the request."""
