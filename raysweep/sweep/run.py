"""The `run` command, from grid to report: what is missing is trained, and nothing else.

Ray is imported only where something is missing.
"""

import os
import shlex
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from raysweep.cost import Pace
from raysweep.grid import Grid, read_grid
from raysweep.machine import local_cpus
from raysweep.results.clean_text import clean_text
from raysweep.results.environment import run_environment
from raysweep.results.ledger import Ledger, Writer
from raysweep.results.live import Display, LiveDisplay, Muted, PlainDisplay, Scoreboard
from raysweep.results.measured import measured
from raysweep.sweep.cluster import Cluster, check_machine, existing_cluster, local_cluster
from raysweep.sweep.interrupts import Interrupts
from raysweep.sweep.quiet import output_to
from raysweep.sweep.watchdog import Watchdog


@dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run, apart from its grid."""

    cpus: int | None = None
    """Cores: of the private cluster, or a cap on what is used of an existing one."""
    address: str | None = None
    """An existing Ray cluster; None for a private one."""
    retries: int = 2
    """How often a failed trial is tried again."""
    trial_timeout: float | None = None
    """Seconds that an attempt may take; None for a deadline from the measured pace."""
    plain: bool = False
    """One line for each finished trial, no live display."""


def run_sweep(path: Path, results_dir: Path, name: str | None, options: RunOptions) -> int:
    """Train what is missing of a grid, show the report, and return the exit code.

    Raises:
        GridError: the grid file has errors; nothing was started or made.
        SurroundingsError: the folder, the disk or the cluster does not allow it.
    """
    grid = read_grid(path, name=name)
    ledger = Ledger(results_dir / grid.name)
    if options.address is None and any(t.trial_id not in ledger.committed() for t in grid.trials):
        check_machine(grid.resources, options.cpus or local_cpus())
    with ledger.open_for_writing() as writer:
        for damage in writer.check():
            _say(f"{damage.path}: {damage.what}; set aside in {ledger.paths.damaged}, trained again")
        run = Run(grid, ledger, writer, options)
        writer.begin_run(grid.name, grid.content, run_environment())
        try:
            run.train()
        finally:
            writer.end_run(run.exit_code)
    run.conclude()
    return run.exit_code


@dataclass
class Run:
    """One call of the command on one results folder, under its lock."""

    grid: Grid
    ledger: Ledger
    writer: Writer
    options: RunOptions
    exit_code: int = 3
    """What the command will exit with; until it has ended in order, that the surroundings failed."""
    board: Scoreboard = field(init=False)
    _display: AbstractContextManager[Display] | None = None
    _terminal: TextIO = sys.stderr

    def __post_init__(self) -> None:
        """Find out what is missing."""
        committed = self.ledger.committed()
        planned = {settings.trial_id: settings for settings in self.grid.trials}
        missing = {trial_id: s for trial_id, s in planned.items() if trial_id not in committed}
        self.board = Scoreboard(self.grid.name, planned, missing, Pace(measured(self.ledger)))

    def train(self) -> None:
        """Train what is missing; sets `exit_code`."""
        if self.board.to_do:
            with Interrupts(self.leave) as interrupts, output_to(self.ledger.paths.log) as streams:
                self._terminal = streams.err
                self._on_cluster(interrupts, Console(file=streams.out))
            if interrupts.pending:
                self.exit_code = interrupts.exit_code
                return
        self.exit_code = 1 if self.board.to_do else 0

    def _on_cluster(self, interrupts: Interrupts, console: Console) -> None:
        live = console.is_terminal and not self.options.plain
        self._display = Muted(LiveDisplay(self.board, console) if live else PlainDisplay(self.board, console))
        with self._display as display, self._cluster() as cluster:
            from raysweep.sweep.runner import train_missing

            interrupts.install()  # `ray.init` puts a handler of its own in place of one of these
            with Watchdog(cluster, self._lost):
                train_missing(
                    self.grid,
                    cluster,
                    self.writer,
                    self.board,
                    display,
                    interrupts,
                    retries=self.options.retries,
                    trial_timeout=self.options.trial_timeout,
                )

    def _cluster(self) -> AbstractContextManager[Cluster]:
        resources, cpus = self.grid.resources, self.options.cpus
        if self.options.address is None:
            return local_cluster(resources, cpus or local_cpus())
        return existing_cluster(resources, self.options.address, cpus)

    def _lost(self, reason: str) -> None:
        print(f"The cluster was lost: {clean_text(reason)}; see {self.ledger.paths.log}", file=self._terminal)
        self.leave(3)

    def leave(self, exit_code: int) -> None:
        """Leave at once: the terminal restored, the ledger as it is, Ray's processes with this one."""
        with suppress(Exception):
            if self._display is not None:
                self._display.__exit__(None, None, None)
            print(self._how_to_continue(), file=self._terminal, flush=True)
        with suppress(Exception):
            self.writer.end_run(exit_code)
        os._exit(exit_code)

    def conclude(self) -> None:
        """Say how the run ended, after its report where it was not interrupted."""
        if self.exit_code > 128:
            _say(self._how_to_continue())
            return
        from raysweep.results.analysis import analyse
        from raysweep.results.report import report_view

        with suppress(BrokenPipeError):
            Console().print(report_view(analyse(self.ledger)))
        if self.board.to_do:
            _say(self._what_failed())

    def _how_to_continue(self) -> str:
        done, total = self.board.done, len(self.board.planned)
        return (
            f"Interrupted: {done} of {total} trials are done and safe in {self.ledger.paths.folder}.\n"
            f"Continue with: raysweep {shlex.join(sys.argv[1:])}"
        )

    def _what_failed(self) -> str:
        first = next(iter(self.board.to_do))
        count = len(self.board.to_do)
        return (
            f"{count} {'trial' if count == 1 else 'trials'} failed. Read why with: "
            f"raysweep show {self.ledger.paths.folder} {first}\n"
            f"Log of Ray and TensorFlow: {self.ledger.paths.log}\n"
            f"Try again with: raysweep {shlex.join(sys.argv[1:])}"
        )


def _say(message: str) -> None:
    Console(stderr=True).print(Text(clean_text(message)), soft_wrap=True)
