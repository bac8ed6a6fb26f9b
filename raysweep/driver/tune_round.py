"""One round: trials go to a fresh Tuner, and what comes back goes to the command.

Tune's own experiment state is never read back: what is missing afterwards goes into another round.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner
from ray.tune.search import BasicVariantGenerator

from raysweep.driver.callback import ReportingCallback, StopWhen
from raysweep.driver.cluster import Cluster
from raysweep.driver.deadlines import Deadlines
from raysweep.driver.failure_causes import blamed
from raysweep.driver.link import Link
from raysweep.driver.scheduler import TrialScheduler
from raysweep.driver.slots import SlotsCallback, follow
from raysweep.driver.tune_patches import apply_patches
from raysweep.driver.worker import Task, Worker
from raysweep.protocol import Assignment, RoundEnded, Train
from raysweep.trial.resources import Resources

TUNE_ANALYSIS_LOGGER: Final = "ray.tune.analysis.experiment_analysis"
"""Tune's logger that warns, at the end of each round, of result files that it was told not to write."""

logger = logging.getLogger(__name__)


def train_round(asked: Train, cluster: Cluster, link: Link) -> RoundEnded:
    """Train trials, reporting what comes back, and return how the round ended."""
    apply_patches()
    logging.getLogger(TUNE_ANALYSIS_LOGGER).setLevel(logging.ERROR)
    assignments = {trial.settings.trial_id: trial for trial in asked.trials}
    timeouts = {trial_id: trial.timeout_s for trial_id, trial in assignments.items()}
    callback = ReportingCallback(link, cluster, Deadlines(timeouts, private=cluster.private))
    tasks = _tasks(asked, cluster.resources)
    tuner = _tuner(assignments, tasks, cluster, link, callback)
    reason = ""
    try:
        tuner.fit()
    except Exception as error:
        logger.exception("Tune's controller gave up; what is missing goes into another round")
        reason = str(error) or type(error).__name__
        for trial_id, failure in blamed(reason, callback.running).items():
            callback.fail(trial_id, failure)
    return RoundEnded(reason=reason, no_worker=callback.no_worker)


def _tasks(asked: Train, resources: Resources) -> dict[str, Task]:
    networks = {source.sha256: source for source in asked.networks}
    return {
        one.settings.trial_id: Task(
            one.settings,
            one.attempt,
            resources.threads,
            one.keep_state,
            networks.get(one.settings.network or ""),
        )
        for one in asked.trials
    }


def _tuner(
    assignments: Mapping[str, Assignment],
    tasks: Mapping[str, Task],
    cluster: Cluster,
    link: Link,
    callback: ReportingCallback,
) -> Tuner:
    resources = cluster.resources
    worker = tune.with_parameters(Worker, tasks=tasks)
    saved = {trial_id for trial_id, one in assignments.items() if one.has_state}
    follow(cluster, link)
    # Points, as `grid_search` copies the whole list for each of its values: 70 s for 2,000 trials.
    points = [{"trial": trial_id} for trial_id in assignments]
    # Exactly the slots: for each trial beyond them Tune would ask Ray for an actor in vain.
    search = BasicVariantGenerator(points, max_concurrent=cluster.slots)
    return Tuner(
        tune.with_resources(worker, {"cpu": resources.cpu, "gpu": resources.gpu}),
        param_space={"trial": None},  # set by the points above
        tune_config=TuneConfig(
            search_alg=search,
            scheduler=TrialScheduler(link, cluster, saved),
            num_samples=len(assignments),
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.config["trial"],
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=RunConfig(
            name="round",
            storage_path=str(Path.cwd() / "tune"),
            verbose=0,
            callbacks=[callback, SlotsCallback(link, cluster, search)],
            stop=StopWhen(lambda: callback.no_worker),
            failure_config=FailureConfig(max_failures=0),
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
        ),
    )
