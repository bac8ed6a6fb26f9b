"""`raysweep report --watch`: the report of a sweep that another process writes, until that is complete."""

import signal
from collections.abc import Callable

from rich.console import Console, RenderableType

from raysweep.analysis.aggregate import SweepAnalysis, analyse
from raysweep.errors import UsageError
from raysweep.report.reflow import draws_in_place
from raysweep.report.watch import Watch
from raysweep.run.signals import THIS_PROCESS
from raysweep.run.terminal import LEAVE_SCREEN, SHOW_CURSOR, restored
from raysweep.store.changes import mark
from raysweep.store.ledger import Ledger


def watch_report(ledger: Ledger, view: Callable[[SweepAnalysis], RenderableType]) -> None:
    """Renew a report on the terminal until every planned trial is done, or until Ctrl-C; then print it whole.

    Ctrl-C is the usual end, and no failure; another signal ends the command as it ends any other.

    Args:
        ledger: the results folder.
        view: lays out the report.

    Raises:
        UsageError: standard output is no terminal that can be drawn on, or the folder holds no sweep.
        ResultsError: a committed file is damaged, or its schema is unknown to this version.
    """
    console = Console()
    if not draws_in_place(console):
        raise UsageError("--watch renews the report on a terminal, and this is none; leave out --watch")
    THIS_PROCESS.orderly = True
    with restored(1, LEAVE_SCREEN + SHOW_CURSOR):
        Watch(lambda: analyse(ledger), lambda: mark(ledger.paths), view, _wait, console).run()
    THIS_PROCESS.stop_waiting()


def _wait(seconds: float) -> bool:
    """Wait; return True after Ctrl-C."""
    ended = THIS_PROCESS.wait(seconds)
    if ended and THIS_PROCESS.first != signal.SIGINT:
        THIS_PROCESS.leave(THIS_PROCESS.exit_code)
    return ended
