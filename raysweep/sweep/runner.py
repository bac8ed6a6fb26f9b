"""The loop of rounds: give the missing trials to Tune, commit what comes back, until nothing is missing.

Retrying is resuming. A worker's death, a controller that gave up and a new command all take the same path:
what is not in the ledger is missing, and what is missing is given to a fresh Tuner. Tune's own experiment
state is never read back.
"""

import logging
import platform
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from raysweep.cost import longest_first
from raysweep.errors import ClusterError
from raysweep.grid import Grid
from raysweep.results.ledger import Writer
from raysweep.results.live import Display
from raysweep.results.record import FailureKind
from raysweep.results.scoreboard import Scoreboard
from raysweep.settings import TrialSettings
from raysweep.sweep.cluster import Cluster
from raysweep.sweep.deadlines import Deadlines
from raysweep.sweep.interrupts import Interrupts
from raysweep.sweep.progress import Progress, plain_text

if TYPE_CHECKING:
    import ray

    from raysweep.sweep.worker import Assignment

ROUND: Final = 5000
"""Trials of one round: Tune keeps 60 kB of every trial that it has seen, and a new round costs seconds."""

FRUITLESS: Final = 2
"""Rounds in a row without any worker after which the cluster counts as lost."""

READS_BACK: Final = "ray.tune.analysis.experiment_analysis"
"""Tune's logger that warns, at the end of each round, of result files that it was told not to write."""

logger = logging.getLogger(__name__)


def train_missing(
    grid: Grid,
    cluster: Cluster,
    writer: Writer,
    board: Scoreboard,
    display: Display,
    interrupts: Interrupts,
    retries: int,
    trial_timeout: float | None,
) -> None:
    """Train until nothing is missing, or nothing that is missing has an attempt left.

    Raises:
        StorageError: the results cannot be written any more.
        ClusterError: a round made no progress at all.
    """
    from raysweep.sweep.detours import leave_out_detours

    leave_out_detours()
    logging.getLogger(READS_BACK).setLevel(logging.ERROR)
    board.slots = cluster.slots
    host = platform.node() if cluster.private else ""
    with ThreadPoolExecutor(1, "commit") as disk:
        deadlines = Deadlines(board, trial_timeout, private=cluster.private)
        progress = Progress(writer, disk, board, display, retries, deadlines, interrupts, host)
        _train(grid, cluster, progress)


def _train(grid: Grid, cluster: Cluster, progress: Progress) -> None:
    """Give Tune round after round; see `train_missing`."""
    board, interrupts = progress.board, progress.interrupts
    while not interrupts.pending and (
        missing := [s for s in board.to_do.values() if not progress.exhausted(s.trial_id)]
    ):
        before = (board.committed, sum(progress.attempts.values()))
        reason = _round(longest_first(missing, board.pace)[:ROUND], grid, cluster, progress)
        if reason and progress.fatal is None and not interrupts.pending:
            _blame(progress, reason)
        if progress.fatal is not None:
            raise progress.fatal
        if interrupts.pending:
            return
        if progress.fruitless >= FRUITLESS:
            raise ClusterError(f"no worker came up in {FRUITLESS} rounds; the log of the run may say why")
        board.running.clear()
        if (board.committed, sum(progress.attempts.values())) == before:
            raise ClusterError(f"Ray Tune made no progress: {reason or 'it ended without a result'}")


def _round(trials: Sequence[TrialSettings], grid: Grid, cluster: Cluster, progress: Progress) -> str:
    """Give trials to a fresh Tuner and wait for its end; say why it ended early, or nothing."""
    from ray import tune
    from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner
    from ray.tune.search import BasicVariantGenerator

    from raysweep.sweep.in_order import InOrder
    from raysweep.sweep.progress import StopWhen
    from raysweep.sweep.worker import Worker

    interrupts = progress.interrupts

    def asked_to_stop() -> bool:
        interrupts.training = interrupts.training or bool(progress.hosts)
        progress.board.stopping = interrupts.pending
        return interrupts.pending or progress.fatal is not None or progress.start_over

    worker = tune.with_parameters(
        Worker,
        assignments={s.trial_id: _assign(s, grid, progress) for s in trials},
        checkpoints=_checkpoints(trials, progress.writer),
    )
    tuner = Tuner(
        tune.with_resources(worker, {"cpu": grid.resources.cpu, "gpu": grid.resources.gpu}),
        param_space={"trial": None},  # each point says it
        tune_config=TuneConfig(
            # Points, as `grid_search` copies the whole list for each of its values: 70 s for 2,000 trials.
            search_alg=BasicVariantGenerator(
                points_to_evaluate=[{"trial": s.trial_id} for s in trials],
                # Exactly the slots: for each trial beyond them Tune would ask Ray for an actor in vain.
                max_concurrent=cluster.slots,
            ),
            scheduler=InOrder(),
            num_samples=len(trials),
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.config["trial"],
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=RunConfig(
            name="round",
            storage_path=str(cluster.scratch / "tune"),
            verbose=0,
            callbacks=[progress],
            stop=StopWhen(asked_to_stop),
            failure_config=FailureConfig(max_failures=0),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    try:
        tuner.fit()
    except Exception as error:
        logger.exception("Tune's controller gave up; what is missing goes to a new round")
        return str(error) or type(error).__name__
    finally:
        progress.settle()
    return ""


def _assign(settings: TrialSettings, grid: Grid, progress: Progress) -> "Assignment":
    """Say what a worker is to train."""
    from raysweep.sweep.worker import Assignment

    attempt = progress.attempts.get(settings.trial_id, 0) + 1
    return Assignment(settings, attempt, cpus=max(int(grid.resources.cpu), 1))


def _checkpoints(trials: Sequence[TrialSettings], writer: Writer) -> "dict[str, ray.ObjectRef[bytes]]":
    """Put what earlier attempts saved where workers of every host can get it, by trial id."""
    import ray

    saved = ((settings.trial_id, writer.checkpoint(settings.trial_id)) for settings in trials)
    return {trial_id: ray.put(checkpoint) for trial_id, checkpoint in saved if checkpoint is not None}


def _blame(progress: Progress, reason: str) -> None:
    """Count a failed attempt where the controller gave up: of the trial that it names, or of all that ran.

    An end by Ray's memory monitor comes this way: for Tune it is no failure of a trial, and its message
    says which actors were ended.
    """
    running = list(progress.board.running)
    named = [trial_id for trial_id in running if progress.actors.get(trial_id, "?") in reason]
    memory = "low on memory" in reason
    kind: FailureKind = "memory" if memory else "worker lost"
    message = "Ray's memory monitor ended its process" if memory else "Tune's controller gave up"
    for trial_id in named or running:
        progress.fail(trial_id, kind, message, plain_text(reason))
