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
    if expanded == text and (text == "~" or text.startswith("~/")):
        raise UsageError(f"{text}: this user has no home folder; write the whole path")
    first = Path(text).parts[:1]
    if expanded == text and text.startswith("~") and not os.path.lexists(*first):
        raise UsageError(
            f"{text}: there is no user {first[0].removeprefix('~')}; write ./{text} for a file here"
        )
    return Path(expanded)
