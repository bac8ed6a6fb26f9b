"""Paths on the command line."""

import os
from pathlib import Path

from raysweep.errors import UsageError


def user_path(text: str) -> Path:
    """Read a path; a `~` that the shell has left, as in `--results-dir=~/x`, is the home folder.

    As in a shell, a `~name` of no user stays as it is.

    Raises:
        UsageError: there is no home folder.
    """
    expanded = os.path.expanduser(text)  # noqa: PTH111  # Path's own fails for a user who does not exist
    if expanded == text and (text == "~" or text.startswith("~/")):
        raise UsageError(f"{text}: this user has no home folder; write the whole path")
    return Path(expanded)
