"""The driver: starts or joins a cluster, trains rounds of trials, and reports what comes back.

Its arguments are the descriptor of its connection to the command, and the cluster that it is to use. Its
current folder is the run's temporary folder, which the keeper removes after it has killed what is left: every
way out is `Link.leave`.
"""

import logging
import socket
import sys
from pathlib import Path

from raysweep.driver.cluster import ClusterFailure, open_cluster
from raysweep.driver.link import Link
from raysweep.driver.variables import ClusterRequest
from raysweep.errors import RaysweepError
from raysweep.protocol import Connection, Ready, Train, Unusable


def main() -> None:
    """Do what the command asks for, until it asks for no more."""
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    link = Link(Connection(end))
    try:
        cluster = open_cluster(ClusterRequest.from_argument(sys.argv[2]), Path.cwd(), link.lost)
    except RaysweepError as error:
        if error.__cause__ is not None:
            logging.getLogger(__name__).error("The cluster cannot be used", exc_info=error.__cause__)
        link.leave(Unusable(reason=str(error), logged=isinstance(error, ClusterFailure)))
    link.send(Ready(slots=cluster.slots))
    # Half a second of import, while the cluster's workers start, too.
    from raysweep.driver.tune_round import train_round

    while isinstance(request := link.next_request(), Train):
        link.send(train_round(request, cluster, link))
    cluster.leave()
    link.leave()


if __name__ == "__main__":
    main()
