"""Causes of failed attempts, each in one line and a traceback.

The timeouts are decided in `callback`, and results that are not of their trial in the command's `run.rounds`.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, cast

from ray import cloudpickle
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.tune import TuneError
from ray.tune.experiment import Trial

from raysweep.driver.cluster import Cluster
from raysweep.store.sweep_record import FailureKind
from raysweep.text import clean_text

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
"""What Ray colours its tracebacks with."""

logger = logging.getLogger(__name__)


class Cause(NamedTuple):
    """Why an attempt failed."""

    kind: FailureKind
    message: str
    """One line."""
    traceback: str
    """Of the worker, as text; empty where there is none."""
    hopeless: bool = False
    """Whether another attempt would fail, too."""


def cause_of(trial: Trial, cluster: Cluster) -> Cause:
    """Explain the failure that Tune has just recorded of a trial."""
    return explain(_error_of(trial), out_of_memory=cluster.private and cluster.oom_kills.happened())


def explain(error: Exception, *, out_of_memory: bool) -> Cause:
    """Say what kind of failure an error is.

    Args:
        error: as Ray raised it in the driver.
        out_of_memory: whether the kernel has ended processes of this machine's cluster for want of memory.
    """
    text = plain_text(str(error))
    if isinstance(error, RayActorError):
        if not isinstance(error, ActorDiedError):
            return Cause("worker_lost", "its host does not answer", text)
        if "node has died" in text:
            return Cause("worker_lost", "its host was lost", text)
        if out_of_memory:
            return Cause("memory", "the kernel ended its process: this container's memory is used up", text)
        return Cause("worker_lost", "its process died", text)
    original = error.cause if isinstance(error, RayTaskError) else error
    first_line = plain_text(str(original)).strip().partition("\n")[0]
    name = type(original).__name__
    return Cause("error", f"{name}: {first_line}" if first_line else name, text)


def blamed(reason: str, running: Mapping[str, str]) -> dict[str, Cause]:
    """Say whose attempts failed when Tune's controller gave up: those that it names, or all that ran.

    An end by Ray's memory monitor comes this way: for Tune it is no failure of a trial, and its message
    says which actors were ended.

    Args:
        reason: what the controller raised.
        running: Ray's id of each running trial's actor, by trial id.
    """
    named = [trial_id for trial_id, actor in running.items() if actor and actor in reason]
    if "low on memory" in reason:
        cause = Cause("memory", "Ray's memory monitor ended its process", plain_text(reason))
    else:
        cause = Cause("worker_lost", "Tune's controller gave up", plain_text(reason))
    return dict.fromkeys(named or running, cause)


def _error_of(trial: Trial) -> Exception:
    """Read the error that Tune has just written into this run's own temporary folder."""
    # `Trial.get_pickled_error` looks where it is copied to later.
    try:
        return cast("Exception", cloudpickle.loads(Path(trial.pickled_error_file or "").read_bytes()))
    except Exception:  # an exception class may do anything when it is unpickled
        logger.exception("the failure of %s cannot be read; its text follows", trial)
        text = Path(trial.error_file or "")
        return TuneError(text.read_text(errors="replace") if text.is_file() else "no reason was given")


def plain_text(text: str) -> str:
    """Take the colours out of a message of Ray's, and whatever else could steer a terminal."""
    return clean_text(_COLOURS.sub("", text))
