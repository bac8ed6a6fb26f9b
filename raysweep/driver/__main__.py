"""The driver: starts or joins a cluster, trains rounds of trials, and reports what comes back.

Its only argument is the descriptor of its connection to the command. Its current folder is the run's
temporary folder, which the keeper removes after it has killed what is left: every way out is `Link.leave`.
"""

import logging
import socket
import sys
from pathlib import Path

from raysweep.driver.link import Link
from raysweep.errors import RaysweepError
from raysweep.protocol import Connection, Ready, StartCluster, Train, Unusable


def main() -> None:
    """Do what the command asks for, until it asks for no more."""
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    link = Link(Connection(end))
    request = link.next_request()
    if not isinstance(request, StartCluster):
        raise TypeError(f"the first request is to start the cluster, not {request}")
    # Seconds of import: the connection is read meanwhile.
    from raysweep.driver.cluster import ClusterFailure, open_cluster
    from raysweep.driver.rounds import train_round

    try:
        cluster = open_cluster(request, Path.cwd(), link.lost)
    except RaysweepError as error:
        if error.__cause__ is not None:
            logging.getLogger(__name__).error("The cluster cannot be used", exc_info=error.__cause__)
        link.leave(Unusable(reason=str(error), logged=isinstance(error, ClusterFailure)))
    link.send(Ready(slots=cluster.slots))
    while isinstance(request := link.next_request(), Train):
        link.send(train_round(request.trials, cluster, link))
    link.leave()


if __name__ == "__main__":
    main()
