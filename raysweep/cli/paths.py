"""Paths on the command line."""

import os
from pathlib import Path

from raysweep.errors import UsageError


def user_path(text: str) -> Path:
    """Read a path; a `~` that the shell has left, as in `--results-dir=~/x`, is the home folder.

    Raises:
        UsageError: there is no home folder, or no such user and no file of that name.
    """
    expanded = os.path.expanduser(text)  # noqa: PTH111  # Path's own fails for a user who does not exist
    if expanded == text and text.startswith("~"):  # a default comes as a path, and is expanded to a text
        user = text.partition("/")[0].removeprefix("~")
        if not user:
            raise UsageError(f"{text}: this user has no home folder; write the whole path")
        if not os.path.lexists(f"~{user}"):
            raise UsageError(f"{text}: there is no user {user}; write ./{text} for a file here")
    return Path(expanded)
