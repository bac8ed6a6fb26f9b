"""What this machine has for trials to run on."""

import os
from pathlib import Path


def local_cpus() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def local_gpus() -> int:
    """Count the GPUs that the driver shows."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
