"""Options of a run, and the checks that refuse it before anything is made or started."""

from dataclasses import dataclass
from pathlib import Path

from raysweep.driver.address import check_form, resolved
from raysweep.errors import ClusterError
from raysweep.machine import local_cpus, local_gpus, quota_notice
from raysweep.run.surroundings import require_limits
from raysweep.trial.resources import Resources


@dataclass(frozen=True)
class RunOptions:
    """Options of the command line."""

    cpus: int | None = None
    """Cores: of the private cluster, or a cap on what is used of an existing one."""
    address: str | None = None
    """An existing Ray cluster; None for a private one."""
    retries: int = 2
    """How often a failed trial is tried again."""
    trial_timeout: float | None = None
    """Seconds that an attempt may take; None for a deadline from the measured estimate."""
    plain: bool = False
    """One line for each finished trial, no live display."""
    trust_cluster: bool = False
    """Join an existing cluster even if it asks for no token."""
    html: Path | None = None
    """A page that is kept up to date."""
    sets: tuple[str, ...] = ()
    """Settings that override the grid file's."""
    only: tuple[str, ...] = ()
    """Settings whose trials alone are trained."""
    reuse: tuple[Path, ...] = ()
    """Results folders of other sweeps, from which trials are taken."""

    @property
    def cluster_address(self) -> str | None:
        """The address, with RAY_ADDRESS in place of `auto`."""
        return None if self.address is None else resolved(self.address)

    @property
    def private(self) -> bool:
        """Whether the run starts a cluster of its own."""
        return self.address is None


def check_request(resources: Resources, options: RunOptions, num_missing: int) -> None:
    """Refuse, before anything is made or started, what cannot work.

    Args:
        resources: of one trial.
        options: of the command line.
        num_missing: trials to train.

    Raises:
        ClusterError: this machine is too small, or the cluster is not to be trusted.
        SurroundingsError: a limit of this user's processes is too low.
        UsageError: the address has another form than that of an existing cluster.
    """
    if options.address is None:
        cpus = options.cpus or local_cpus()
        _check_machine(resources, cpus, "" if options.cpus else quota_notice())
        require_limits(min(resources.slots(cpus, local_gpus()), num_missing))
        return
    check_form(options.address)
    if not options.trust_cluster:
        from raysweep.driver.trust import check_trust

        check_trust(resolved(options.address))


def _check_machine(resources: Resources, cpus: int, notice: str) -> None:
    """Raise ClusterError if one trial needs more cores or GPUs than the run has."""
    if resources.cpu > cpus:
        raise ClusterError(
            f"resources.cpu: a trial asks for {resources.cpu:g} cores, this run has {cpus}; "
            f"use at most {cpus}, or --address of a larger cluster" + (f" ({notice})" if notice else "")
        )
    if resources.gpu > (gpus := local_gpus()):
        raise ClusterError(
            f"resources.gpu: a trial asks for {resources.gpu:g} GPUs, this machine has {gpus}; "
            "use gpu: 0, or --address of a cluster that has them"
        )
