"""What a run prints beside its display, and how to call it again; rich is imported when it is needed."""

import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from raysweep.text import clean_text

if TYPE_CHECKING:
    from rich.console import RenderableType


def command() -> str:
    """Return how to call this command: by its name where the shell finds it, else by its path."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return "python -m raysweep"
    found = shutil.which(path.name)
    with suppress(OSError):  # the folder that it was started from may be gone
        if found and Path(found).samefile(path):
            return path.name
    return shlex.quote(str(path))


def resume_command() -> str:
    """Return the command line that resumes this run."""
    return f"{command()} {shlex.join(sys.argv[1:])}"


def say(message: str) -> None:
    """Print a message for people, to standard error."""
    from rich.text import Text

    show(Text(clean_text(message)), stderr=True)


def show(view: "RenderableType", *, stderr: bool = False) -> None:
    """Print where somebody still reads: a closed pipe does not change how a run ends."""
    from rich.console import Console

    with suppress(OSError, SystemExit):  # rich's answer to a closed pipe is to exit
        Console(stderr=stderr).print(view, soft_wrap=stderr)
