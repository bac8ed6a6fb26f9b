"""The `run` command, from grid to report: what is missing is trained, and nothing else.

Ray is imported only where something is missing.
"""

import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from raysweep.cost import Pace
from raysweep.errors import ClusterError, RaysweepError, UsageError
from raysweep.grid import Grid, Resources, read_grid
from raysweep.machine import local_cpus
from raysweep.results.clean_text import clean_text
from raysweep.results.environment import run_environment
from raysweep.results.ledger import Ledger, Writer
from raysweep.results.live import Display, LiveDisplay, Muted, PlainDisplay, Screen
from raysweep.results.lock import release
from raysweep.results.measured import measured
from raysweep.results.scoreboard import Scoreboard
from raysweep.sweep.cluster import Cluster, check_machine, check_trust, existing_cluster, local_cluster
from raysweep.sweep.guard import guarded
from raysweep.sweep.interrupts import Interrupts
from raysweep.sweep.messages import again, command, say, show
from raysweep.sweep.quiet import Streams, output_to, streams_of_its_own
from raysweep.sweep.scratch import clear, remove_left_overs, scratch_folder

LEAVE_S: Final = 0.5
"""Seconds that each thing to do before leaving at once may take."""

SIGNAL_S: Final = 0.01
"""Seconds that a signal to every process may come to this one after Ray's processes died of it."""


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
    trust_cluster: bool = False
    """Join an existing cluster even if it asks for no token."""


def run_sweep(path: Path, results_dir: Path, name: str | None, options: RunOptions) -> int:
    """Train what is missing of a grid, show the report, and return the exit code.

    Raises:
        GridError: the grid file has errors; nothing was started or made.
        SurroundingsError: the folder, the disk or the cluster does not allow it.
    """
    grid = read_grid(path, name=name)
    ledger = Ledger(results_dir / grid.name)
    committed = ledger.committed()
    if any(trial.trial_id not in committed for trial in grid.trials):
        check_request(grid.resources, options)
    remove_left_overs()
    with Interrupts() as interrupts:
        interrupts.leave = _leave_before_the_run
        with ledger.open_for_writing() as writer:
            run = Run(grid, ledger, writer, options, interrupts)
            run.take_stock()
            if run.board.to_do:  # damage may have added some
                check_request(grid.resources, options)
            writer.begin_run(grid.name, grid.content, run_environment())
            try:
                run.train()
            except RaysweepError as error:
                run.exit_code = error.exit_code
                raise
            finally:
                run.end()
        run.conclude()
    return run.exit_code


def check_request(resources: Resources, options: RunOptions) -> None:
    """Refuse, before anything is made or started, what cannot work.

    Raises:
        ClusterError: this machine is too small, or the cluster is not to be trusted.
        UsageError: `local` is not the address of a cluster that exists.
    """
    if options.address == "local":
        raise UsageError("--address local: for a cluster of the run's own leave --address out")
    if options.address is None:
        check_machine(resources, options.cpus or local_cpus())
    elif not options.trust_cluster:
        check_trust(options.address)


@dataclass
class Run:
    """One call of the command on one results folder, under its lock."""

    grid: Grid
    ledger: Ledger
    writer: Writer
    options: RunOptions
    interrupts: Interrupts
    exit_code: int = 1
    """What the command will exit with; until it has ended in order, that of a defect."""
    board: Scoreboard = field(init=False)
    _display: AbstractContextManager[Display] | None = None
    _terminal: TextIO = sys.stderr
    _unguarded: Path | None = None
    """The temporary folder, until its guard is up."""
    _ending: threading.Lock = field(default_factory=threading.Lock)
    """Whoever ends the run holds it; who leaves it at once never lets it go."""

    def __post_init__(self) -> None:
        """Find out what is missing, and be ready to leave."""
        self.board = self._what_is_missing()
        self.interrupts.leave = self.leave

    def take_stock(self) -> None:
        """Read every committed file; what is damaged is missing again, the others tell the pace."""
        planned = {settings.trial_id for settings in self.grid.trials}
        for damage in self.writer.check():
            then = "trained again" if damage.trial_id in planned else "not trained again: not of this grid"
            say(f"{damage.path}: {damage.what}; set aside in {self.ledger.paths.damaged}, {then}")
        self.board = self._what_is_missing()
        self.board.pace = Pace(measured(self.ledger))

    def _what_is_missing(self) -> Scoreboard:
        committed = self.ledger.committed()
        planned = {settings.trial_id: settings for settings in self.grid.trials}
        missing = {trial_id: s for trial_id, s in planned.items() if trial_id not in committed}
        return Scoreboard(self.grid.name, planned, missing, Pace(()))

    def train(self) -> None:
        """Train what is missing; sets `exit_code`."""
        if self.board.to_do:
            with streams_of_its_own() as streams:
                self._terminal = streams.err
                try:
                    self._train_quietly(streams)
                finally:
                    self._terminal = sys.stderr
            self.interrupts.training = False
            if self.interrupts.pending:
                self.exit_code = self.interrupts.exit_code
                return
        self.exit_code = 1 if self.board.to_do else 0

    def _train_quietly(self, streams: Streams) -> None:
        with (
            output_to(self.ledger.paths.log, streams),
            scratch_folder() as self._unguarded,
            guarded(self._unguarded) as scratch,
        ):
            self._unguarded = None
            try:
                self._on_cluster(Screen(file=streams.out), scratch)
            except SystemExit:  # Ray's answer to SIGTERM, in the moment before ours is back in place
                self.interrupts.signum = signal.SIGTERM
            except ClusterError:
                if not self.interrupts.pending:  # else the signal went to Ray's processes too
                    raise
            finally:
                self._wait_if_left()

    def _on_cluster(self, console: Console, scratch: Path) -> None:
        live = console.is_terminal and not console.is_dumb_terminal and not self.options.plain
        self._display = Muted(LiveDisplay(self.board, console) if live else PlainDisplay(self.board, console))
        with self._display as display, self._cluster(scratch) as cluster:
            self.interrupts.install()  # `ray.init` puts a handler of its own in place of one of these
            from raysweep.sweep.runner import train_missing

            train_missing(
                self.grid,
                cluster,
                self.writer,
                self.board,
                display,
                self.interrupts,
                retries=self.options.retries,
                trial_timeout=self.options.trial_timeout,
            )

    def _cluster(self, scratch: Path) -> AbstractContextManager[Cluster]:
        resources, cpus = self.grid.resources, self.options.cpus
        if self.options.address is None:
            of_use = math.ceil(len(self.board.to_do) * resources.cpu)
            return local_cluster(resources, min(cpus or local_cpus(), of_use), scratch, self._lost)
        return existing_cluster(
            resources, self.options.address, cpus, scratch, self._lost, trusted=self.options.trust_cluster
        )

    def _lost(self, reason: str) -> None:
        time.sleep(SIGNAL_S)
        if self.interrupts.pending:  # the signal went to the whole process group, Ray's processes included
            self.leave(self.interrupts.exit_code)
        self.leave(3, f"The cluster was lost: {clean_text(reason)}; see {self.ledger.paths.log}\n")

    def end(self) -> None:
        """Write down how the run ended; from now on nothing but words is left to lose."""
        with self._ending:
            self.writer.end_run(self.exit_code)
            self.interrupts.leave = self._leave_after_the_run

    def _wait_if_left(self) -> None:
        with self._ending:
            pass

    def leave(self, exit_code: int, why: str = "") -> None:
        """Leave at once: the terminal restored, the ledger as it is.

        Ray's processes go after this one, by the hand of the guard: Ray's C++ would end this one, with an
        exit code of its own, as soon as it misses them.
        """
        self._ending.acquire()
        if self.interrupts.leave == self._leave_after_the_run:
            self.interrupts.leave(exit_code)
        _briefly(self._close_display)
        self._speak(why + self._how_to_continue())
        _briefly(lambda: self.writer.end_run(exit_code))
        if (unguarded := self._unguarded) is not None:
            _briefly(lambda: clear(unguarded))
        self._let_go(exit_code)

    def _leave_after_the_run(self, exit_code: int) -> None:
        self._speak(self._how_to_continue())
        self._let_go(exit_code)

    def _speak(self, words: str) -> None:
        _briefly(lambda: print(words, file=self._terminal, flush=True))

    def _let_go(self, exit_code: int) -> None:
        _briefly(lambda: release(self.ledger.paths.lock))  # not before: this process may still commit
        os._exit(exit_code)

    def _close_display(self) -> None:
        if self._display is not None:
            self._display.__exit__(None, None, None)

    def conclude(self) -> None:
        """Say how the run ended, after its report where it was not interrupted."""
        if self.exit_code > 128:
            say(self._how_to_continue())
            # Ray's threads may still be dealing with the signal, and crash the interpreter as it ends.
            os._exit(self.exit_code)
        from raysweep.results.analysis import analyse
        from raysweep.results.report import report_view

        try:
            show(report_view(analyse(self.ledger)))
        except RaysweepError as error:  # somebody moved the folder, or changed what is in it
            self.exit_code = self.exit_code or error.exit_code
            say(f"The report cannot be shown: {error}")
        if self.board.to_do:
            say(self._what_failed())

    def _how_to_continue(self) -> str:
        # The board does not know yet what was committed a moment ago.
        done, total = len(self.board.planned.keys() & self.writer.committed), len(self.board.planned)
        return (
            f"Interrupted: {done} of {total} trials are done and safe in {self.ledger.paths.folder}.\n"
            f"Continue with: {again()}"
        )

    def _what_failed(self) -> str:
        first = next(iter(self.board.to_do))
        count = len(self.board.to_do)
        return (
            f"{count} {'trial' if count == 1 else 'trials'} failed. Read why with: "
            f"{command()} show {shlex.quote(str(self.ledger.paths.folder))} {first}\n"
            f"Log of Ray and TensorFlow: {self.ledger.paths.log}\n"
            f"Try again with: {again()}"
        )


def _leave_before_the_run(exit_code: int) -> None:
    _briefly(lambda: say(f"Interrupted: nothing was begun.\nContinue with: {again()}"))
    os._exit(exit_code)


def _briefly(action: Callable[[], object]) -> None:
    """Do something before leaving, unless it takes long or fails.

    In a thread: the lock of the display may be held by the thread that the signal came to, and whoever
    should read what is printed may have stopped reading.
    """

    def act() -> None:
        with suppress(Exception):
            action()

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout=LEAVE_S)
