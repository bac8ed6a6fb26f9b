"""Things to do before a run leaves at once: each gets a moment, and none may hold it up."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

LEAVE_S: Final = 0.5
"""Seconds that each thing to do before leaving at once may take."""


def briefly(action: Callable[[], object]) -> None:
    """Do something before leaving, unless it takes long or fails.

    In a thread: the lock of the display may be held by the thread that the signal came to, and whoever
    should read what is printed may have stopped reading.
    """

    def act() -> None:
        with suppress(Exception):
            action()

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout=LEAVE_S)
