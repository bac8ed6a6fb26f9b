"""What a run prints beside its display, and how to call it again."""

import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from raysweep.results.clean_text import clean_text


def command() -> str:
    """How to call this command again: by its name where the shell finds it, else by its path."""
    path = Path(sys.argv[0])
    found = shutil.which(path.name)
    with suppress(OSError):  # the folder that it was started from may be gone
        if found and Path(found).samefile(path):
            return path.name
    return shlex.quote(str(path))


def again() -> str:
    """How to run what runs now once more."""
    return f"{command()} {shlex.join(sys.argv[1:])}"


def say(message: str) -> None:
    """Print a message for people, to standard error."""
    show(Text(clean_text(message)), stderr=True)


def show(view: RenderableType, *, stderr: bool = False) -> None:
    """Print where somebody still reads: a closed pipe does not change how a run ends."""
    with suppress(OSError, SystemExit):  # rich's answer to a closed pipe is to exit
        Console(stderr=stderr).print(view, soft_wrap=stderr)
