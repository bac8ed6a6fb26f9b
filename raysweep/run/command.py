"""The `run` command, from grid to report: what is missing is trained, and nothing else.

A driver is started only if something is missing. This process alone commits, shows and decides; it never
imports Ray, TensorFlow or Keras.
"""

import math
import os
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from raysweep.analysis.grid_change import grid_changes
from raysweep.driver.variables import ClusterRequest
from raysweep.errors import ClusterError, RaysweepError, StorageError
from raysweep.grid import Grid, read_grid
from raysweep.machine import local_cpus, quota_notice
from raysweep.report.live import Display, display_on
from raysweep.run.environment import run_environment
from raysweep.run.leaving import briefly
from raysweep.run.live_page import LivePage
from raysweep.run.notices import command, leave_before_run, resume_command, say, show
from raysweep.run.request import RunOptions, check_request
from raysweep.run.reused_trials import reused_trials
from raysweep.run.rounds import Rounds
from raysweep.run.signals import THIS_PROCESS, Signals, blocked
from raysweep.run.state import RunState
from raysweep.run.supervisor import Driver, Interrupted, Refused
from raysweep.run.temporary import remove_left_overs
from raysweep.store.ledger import Damage, Ledger, Writer
from raysweep.store.lock import release
from raysweep.store.network_copies import put_copies
from raysweep.store.output_files import PAGES, require_writable
from raysweep.store.reuse import open_donors, reusable, take
from raysweep.text import count
from raysweep.trial.cost import RuntimeEstimate
from raysweep.trial.training_state import made_here


def run_sweep(path: Path, results_dir: Path, name: str | None, options: RunOptions) -> int:
    """Train what is missing of a grid, show the report, and return the exit code.

    Raises:
        GridError: the grid file has errors; nothing was started or made.
        SurroundingsError: the folder, the disk or the cluster does not allow it.
    """
    grid = read_grid(path, name=name, sets=options.sets, only=options.only)
    ledger = Ledger(results_dir / grid.name)
    if options.html is not None:
        require_writable(options.html, PAGES, ledger.paths.folder)
    ledger.record()  # one that cannot be read ends the run before anything is changed
    donors = open_donors(options.reuse, ledger.paths.folder)
    missing = {trial.trial_id for trial in grid.selected} - ledger.committed()
    missing -= reusable(missing, donors, keep_state=grid.keep_state).donors.keys()
    if missing:
        check_request(grid.resources, options, len(missing))
        if options.private and options.cpus is None and (notice := quota_notice()):
            say(notice)
    remove_left_overs()
    THIS_PROCESS.leave = lambda code: _leave_unlocked(ledger.paths.lock, code)
    with ledger.open_for_writing() as writer:
        run = Run(grid, ledger, writer, options, THIS_PROCESS, donors)
        try:
            run.train()
        except RaysweepError as error:
            run.exit_code = error.exit_code
            raise
        finally:
            run.record_end()
    run.report_end()
    return run.exit_code


@dataclass
class Run:
    """One call of the command on one results folder, under its lock."""

    grid: Grid
    ledger: Ledger
    writer: Writer
    options: RunOptions
    signals: Signals
    donors: Sequence[Ledger] = ()
    """Other sweeps, from which trials are taken."""
    exit_code: int = 1
    """What the command will exit with; until it has ended in order, that of a defect."""
    state: RunState = field(init=False)
    page: LivePage | None = None
    _display: Display | None = None
    _over: bool = False
    """Whether the end of the run is recorded."""

    def __post_init__(self) -> None:
        """Find out what is missing, and be ready to leave."""
        self.state = self._new_state(RuntimeEstimate(()))
        self.signals.leave = self.leave
        if self.options.html is not None:
            self.page = LivePage(self.ledger.paths.folder, self.options.html, lambda: self.state.version)

    def _new_state(self, estimate: RuntimeEstimate) -> RunState:
        committed = self.writer.committed
        planned = {settings.trial_id: settings for settings in self.grid.selected}
        missing = {trial_id: s for trial_id, s in planned.items() if trial_id not in committed}
        options = self.options
        return RunState(
            self.grid.name,
            planned,
            missing,
            estimate,
            retries=options.retries,
            trial_timeout=options.trial_timeout,
            saved=lambda settings: self.writer.saved.states.epochs(settings),
            keep_state=self.grid.keep_state,
        )

    def train(self) -> None:
        """Train what is missing; sets `exit_code`."""
        with ExitStack() as stack:
            cores = 0 if self.donors else self._cores()
            driver = self._start(stack) if cores else None  # while it starts, the ledger is read
            self._verify_committed()
            put_copies(self.ledger.paths, self.grid.networks)
            options = (*self.grid.options, *(f"--reuse {folder}" for folder in self.options.reuse))
            self.writer.begin_run(self.grid.name, self.grid.content, run_environment(), options)
            self._take()
            if self._cores() > cores:  # damaged files are missing, too: start a larger cluster
                stack.close()
                check_request(self.grid.resources, self.options, len(self.state.missing))
                driver = self._start(stack)
            if driver is not None:
                self._train_with(driver)
            elif not self.state.missing:
                say(f"{self.grid.name}: {count(len(self.state.planned), 'trial')} done, nothing to train")
        self.signals.stop_waiting()
        self.exit_code = self.signals.exit_code if self.signals.pending else int(bool(self.state.missing))

    def _cores(self) -> int:
        """Count the cores that the missing trials can use; for an existing cluster, 1 if there are any."""
        wanted = math.ceil(len(self.state.missing) * self.grid.resources.cpu)
        return min(wanted, self.options.cpus or local_cpus()) if self.options.private else min(wanted, 1)

    def _start(self, stack: ExitStack) -> Driver:
        """Start a driver and its cluster."""
        log = stack.enter_context(self.writer.open_log())
        resources, options = self.grid.resources, self.options
        cpus = self._cores() if options.private else options.cpus
        cluster = ClusterRequest(
            options.cluster_address, options.trust_cluster, cpus, resources.cpu, resources.gpu
        )
        return stack.enter_context(Driver(self.signals, log, cluster))

    def _verify_committed(self) -> None:
        """Read every committed file; what is damaged is missing again, the others give the estimate."""
        paths = self.ledger.paths
        for damage in self.writer.check():
            again = damage.trial_id in self.state.planned
            then = "its trial is missing again" if again else "its trial is not one of this run"
            say(f"{damage.path}: {damage.what}; set aside in {paths.damaged}, {then}")
        if self.ledger.record() is None and paths.record.exists():
            say(f"{paths.record}: not valid; set aside in {paths.damaged}, and written anew")
        for change in grid_changes(self.grid, self.ledger, self.writer.committed):
            say(change)
        self.state = self._new_state(RuntimeEstimate(self.ledger.timings()))
        damaged: list[Damage] = []
        self.writer.saved.find(made_here(self.grid.resources) if self.options.private else None, damaged)
        for damage in damaged:
            say(f"{damage.path}: {damage.what}; set aside in {paths.damaged}, not used")
        for difference, number in self.writer.saved.states.unusable(self.state.missing.values()).items():
            states = "1 saved state is" if number == 1 else f"{number} saved states are"
            say(f"{paths.folder}: {states} not used: {difference}")

    def _take(self) -> None:
        """Take the missing trials that other sweeps have; only the others are trained."""
        if not (self.donors and self.state.missing):
            return
        found = reusable(self.state.missing, self.donors, keep_state=self.grid.keep_state)
        taken = take(self.writer, found, keep_state=self.grid.keep_state)
        folders = [donor.paths.folder for donor in self.donors]
        for words in reused_trials(folders, taken.counts, {**found.refused, **taken.refused}, "taken"):
            say(words)
        self.state = self._new_state(RuntimeEstimate(self.ledger.timings()))

    def _train_with(self, driver: Driver) -> None:
        """Train round after round, until nothing is missing that has an attempt left."""
        try:
            self._display = display_on(self.state.snapshot, plain=self.options.plain)
            with self._display:
                rounds = Rounds(
                    driver,
                    self.state,
                    self.writer,
                    self._display,
                    self.signals,
                    self.grid.keep_state,
                    self.grid.networks,
                    self.page,
                )
                rounds.train(private=self.options.private)
        except Interrupted:
            return
        except Refused:
            raise
        except ClusterError as error:
            log = self.ledger.paths.log
            raise ClusterError(f"{error}; see {log}\n{self._progress()}") from error
        finally:
            self._display = None

    def record_end(self) -> None:
        """Record how the run ended; after this, only messages remain."""
        self.writer.end_run(self.exit_code)
        self._over = True

    def leave(self, exit_code: int) -> None:
        """Exit at once: the terminal restored, the ledger as it is; the keeper ends the driver."""
        if (display := self._display) is not None:
            briefly(lambda: display.__exit__())
            briefly(self._show_cursor)  # the display may have been about to hide it
        briefly(lambda: say(f"Interrupted: {self._progress()}"))
        if not self._over:
            briefly(lambda: self.writer.end_run(exit_code))
        briefly(lambda: release(self.ledger.paths.lock))  # not before: this process may still commit
        os._exit(exit_code)

    def _show_cursor(self) -> None:
        if os.isatty(1) and not self.options.plain:
            os.write(1, b"\x1b[?25h")

    def report_end(self) -> None:
        """Say how the run ended, after its report if it was not interrupted."""
        if self.exit_code > 128:
            if self.page is not None:
                self.page.finish(wait=False)
            with blocked():  # once, and Python, as it ends, would let another signal decide the exit code
                say(f"Interrupted: {self._progress()}")
                os._exit(self.exit_code)
        from raysweep.analysis.aggregate import analyse
        from raysweep.report.sweep_report import report_view

        done = self.writer.committed
        try:
            show(report_view(analyse(self.ledger)))
        except RaysweepError as error:  # somebody moved the folder, or changed what is in it
            self.exit_code = self.exit_code or error.exit_code
            say(f"The report cannot be shown: {error}")
        if self.state.missing:
            say(self._what_failed())
        if later := {one.trial_id for one in self.grid.trials} - self.state.planned.keys() - done:
            say(f"Left out by --only and not done: {count(len(later), 'trial')} of the grid")
        if self.page is not None:
            if problem := self.page.finish(wait=True):
                self.exit_code = self.exit_code or StorageError.exit_code
            say(problem or f"Page: {self.options.html}")

    def _progress(self) -> str:
        # The state does not know yet what was committed a moment ago.
        done, total = len(self.state.planned.keys() & self.writer.committed), len(self.state.planned)
        return (
            f"{done} of {total} trials are done and safe in {self.ledger.paths.folder}.\n"
            f"Continue with: {resume_command()}"
        )

    def _what_failed(self) -> str:
        first = next(iter(self.state.missing))
        return (
            f"{count(len(self.state.missing), 'trial')} failed. Read why with: "
            f"{command()} show {shlex.quote(str(self.ledger.paths.folder))} {first}\n"
            f"Log of Ray and TensorFlow: {self.ledger.paths.log}\n"
            f"Try again with: {resume_command()}"
        )


def _leave_unlocked(lock: Path, exit_code: int) -> NoReturn:
    """Exit before a run has begun, though its folder may be locked already."""
    release(lock)
    leave_before_run(exit_code)
