"""Changes of a results folder, noticed without reading it."""

from collections.abc import Iterator

from raysweep.store.paths import Paths


def mark(paths: Paths) -> tuple[object, ...]:
    """Return a value that is another one whenever a trial was committed or failed, or a run began or ended.

    Files appear in a folder by being renamed, which changes the folder's time.
    """
    return tuple(_marks(paths))


def _marks(paths: Paths) -> Iterator[object]:
    for path in (paths.trials, paths.failures, paths.record):
        try:
            status = path.stat()
        except OSError:
            yield None
        else:
            yield status.st_ino, status.st_mtime_ns, status.st_size
