"""What every test rests on."""

from hypothesis import settings

# No test is timed: the machine may be busy, and the first use of a library takes a while.
settings.register_profile("raysweep", deadline=None, derandomize=True)
settings.load_profile("raysweep")
