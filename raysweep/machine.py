"""What this machine has for trials to run on."""

import os


def local_cpus() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))
