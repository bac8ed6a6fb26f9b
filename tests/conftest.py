"""What every test rests on."""

import signal

import pytest
from hypothesis import settings

# No test is timed: the machine may be busy, and the first use of a library takes a while.
settings.register_profile("raysweep", deadline=None, derandomize=True)
settings.load_profile("raysweep")

# Under nohup(1) SIGHUP is ignored, here and in every command that a test starts; raysweep rightly keeps that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what replays the random moments of a fault."""
    parser.addoption("--fault-seed", type=int, help="seed of the random moments of faults")
