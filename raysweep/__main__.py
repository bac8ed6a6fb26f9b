"""The entry point of `raysweep` and of `python -m raysweep`: signals first, then the command line.

Nothing slow is imported before the handlers are in place, and nothing from the current folder at all.
"""

import os
import sys


def main() -> None:
    """Run the command line."""
    _open_closed_streams()
    _forget_current_folder()
    from raysweep.run.signals import THIS_PROCESS, blocked, unblock

    with blocked():  # a handler must not import what the main thread is just importing
        from raysweep.run.notices import leave_before_run

        THIS_PROCESS.leave = leave_before_run if sys.argv[1:2] == ["run"] else os._exit
        THIS_PROCESS.install()
    unblock()
    from raysweep.cli import main as command_line

    command_line()


def _open_closed_streams() -> None:
    """Open what the shell closed (`>&-`), so that no file of ours gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def _forget_current_folder() -> None:
    """Take the folders off the path of imports that are there because of the current folder.

    `python -m` puts it first, and a PYTHONPATH may have entries that are relative to it.
    """
    if not sys.flags.safe_path and os.path.basename(sys.argv[0]) == "__main__.py":  # noqa: PTH119  # no imports
        del sys.path[0]
    paths = os.environ["PYTHONPATH"].split(os.pathsep) if "PYTHONPATH" in os.environ else []
    relative = {os.path.abspath(path) for path in paths if not os.path.isabs(path)}  # noqa: PTH100, PTH117
    sys.path[:] = [path for path in sys.path if path not in relative]


if __name__ == "__main__":
    main()
