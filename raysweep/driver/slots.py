"""The slots of a shared cluster, as its nodes join and leave while a round runs.

A node that joins gets trials within some seconds, and no trial is begun for a node that has left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.search import BasicVariantGenerator

from raysweep.driver.cluster import Cluster
from raysweep.driver.link import Link
from raysweep.protocol import Slots

RECOUNT_S: Final = 5.0
"""Seconds between two counts of the nodes."""


@dataclass
class SlotsCallback(Callback):
    """Lets Tune run as many trials at a time as the cluster has slots, and reports changes."""

    link: Link
    cluster: Cluster
    search: BasicVariantGenerator
    clock: Callable[[], float] = time.monotonic
    _counted: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what the cluster had a moment ago."""
        self._counted = self.clock()

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Pickle as an empty callback: Tune pickles it, and nobody reads that back."""
        return Callback, ()

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Count the slots again if it is time."""
        if self.clock() - self._counted < RECOUNT_S:
            return
        if follow(self.cluster, self.link):
            self.search.max_concurrent = self.cluster.slots
        self._counted = self.clock()


def follow(cluster: Cluster, link: Link) -> bool:
    """Count a cluster's slots anew, report them if they changed, and return whether they did."""
    if changed := cluster.recount():
        link.send(Slots(slots=cluster.slots))
    return changed
