"""The errors that raysweep raises for its users, and the exit code of each.

::

    RaysweepError                 never raised itself
    ├── UsageError          2     a bad argument, an unknown trial, a bad value
    │   └── GridError       2     a grid file with one or more problems
    ├── ResultsError        1     a results folder that cannot be believed as it is
    │   └── UnknownSchemaError 1  results of another version of raysweep
    └── SurroundingsError   3     the machine, the disk, the cluster
        ├── LockedError     3     another run writes to the same results folder
        ├── StorageError    3     a folder that cannot be written, a full disk
        └── ClusterError    3     a cluster unreachable, lost, or too small

Every message says what was wrong, what was found, where, and what to do. Anything else that reaches
the command line is a defect of raysweep, and keeps its traceback.
"""

from collections.abc import Sequence
from typing import ClassVar


class RaysweepError(Exception):
    """What a user can cause and mend; the command line prints the message without a traceback."""

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
        """Keep the problems; the message is one line for each."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ResultsError(RaysweepError):
    """A results folder whose files cannot be believed or read as they are."""


class UnknownSchemaError(ResultsError):
    """Results of another version of raysweep: not damaged, but not to be read or added to by this one."""


class SurroundingsError(RaysweepError):
    """The machine, the disk or the cluster does not allow what was asked."""

    exit_code = 3


class LockedError(SurroundingsError):
    """Another run writes to the same results folder."""


class StorageError(SurroundingsError):
    """A folder that cannot be written, or a disk that is full."""


class ClusterError(SurroundingsError):
    """A Ray cluster that is unreachable, was lost, or cannot satisfy the request."""
