"""A process that outlives the command, and clears up after it if it was killed or left at once.

Ray's own processes notice the end of a killed command too, but some only after two timeouts of half a
minute. The guard reads from a pipe that only the command holds open: its end, however it came, ends the pipe.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raysweep.sweep.interrupts import SIGNALS
from raysweep.sweep.scratch import clear


@contextmanager
def guarded(scratch: Path) -> Iterator[Path]:
    """Let a guard clear a temporary folder if this process cannot."""
    command = [sys.executable, "-P", "-m", "raysweep.sweep.guard", str(scratch)]
    quiet = subprocess.DEVNULL
    # In a session of its own, no signal from the terminal, or to the command's group, comes to it; one to
    # every process waits, blocked as here, until it ignores them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield scratch
    finally:
        guard.communicate()


def main() -> None:
    """Wait for the end of the command, whatever signals come, then clear the folder that it names."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
