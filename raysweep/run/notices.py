"""Messages that a run prints beside its display, and the command line that resumes it.

A handler of a signal prints, too: nothing is imported for it that may be half imported just then.
"""

import os
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from raysweep.text import clean_text

if TYPE_CHECKING:
    from rich.console import RenderableType

_PIPES: Final = ("/dev/stdin", "/dev/fd/", "/proc/")
"""As in `grid.place`, which takes too long to import where a signal may come at any time."""


def command() -> str:
    """Return how to call this command: by its name if the shell finds it, else by its path."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return "python -m raysweep"
    found = shutil.which(path.name)
    with suppress(OSError):  # the folder that it was started from may be gone
        if found and Path(found).samefile(path):
            return path.name
    return shlex.quote(str(path))


def resume_command() -> str:
    """Return the command line that resumes this run; a grid from a pipe must be given again."""
    piped = [argument == "-" or argument.startswith(_PIPES) for argument in sys.argv[1:]]
    given = ["-" if pipe else argument for argument, pipe in zip(sys.argv[1:], piped, strict=True)]
    again = " < GRID  (GRID: a file with the same grid)" if any(piped) else ""
    return f"{command()} {shlex.join(given)}{again}"


def say(message: str) -> None:
    """Print a message for people, to standard error, if somebody still reads.

    Not through `sys.stderr`: the thread that a signal interrupts may be writing there.
    """
    with suppress(OSError):
        os.write(2, f"{clean_text(message)}\n".encode(errors="replace"))


def show(view: "RenderableType") -> None:
    """Print to standard output, if somebody still reads: a closed pipe does not change how a run ends."""
    from rich.console import Console

    with suppress(OSError, SystemExit):  # rich's answer to a closed pipe is to exit
        Console().print(view)


def leave_before_run(exit_code: int) -> NoReturn:
    """Exit before a run has begun."""
    say(f"Interrupted: nothing was begun.\nContinue with: {resume_command()}")
    os._exit(exit_code)
