"""The sweep: the missing trials, scheduled by Ray Tune."""
