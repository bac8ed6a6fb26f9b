"""Errors in what users wrote: told from ours, and with the user's file and line."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import tensorflow as tf

from raysweep.errors import NetworkError, RaysweepError

PASSING: Final = (
    MemoryError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)
"""Errors that another attempt may not meet."""


@contextmanager
def in_user_code(file: str, doing: str) -> Iterator[None]:
    """Translate what a user's code raises.

    Args:
        file: the networks file, whose lines the message names.
        doing: what failed, such as "the function failed".

    Raises:
        NetworkError: the code raised an error that another attempt would meet again. The message is one line;
            the cause is kept.
    """
    try:
        yield
    except (RaysweepError, *PASSING):
        raise
    except SystemExit as error:
        raise NetworkError(f"{_place(file, error)}: {doing}: it calls exit; remove that") from error
    except Exception as error:  # user's code raises anything
        what = f"{type(error).__name__}: {_first_line(_text(error))}"
        raise NetworkError(f"{_place(file, error)}: {doing}: {what}") from error


def _place(file: str, error: BaseException) -> str:
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
    if isinstance(error, tf.errors.OpError):  # while the graph runs: TensorFlow quotes where it was made
        lines += map(int, re.findall(rf'File "{re.escape(file)}", line (\d+)', str(error)))
    return f"{file}:{lines[-1]}" if lines else file


def _text(error: Exception) -> str:
    try:
        return str(error).strip() or type(error).__name__
    except Exception:  # noqa: BLE001  # of a user's exception, which has a method of its own
        return type(error).__name__


def _first_line(text: str) -> str:
    r"""Return the line of a message that says what is wrong; TensorFlow quotes a graph's origin before it.

    >>> _first_line("Graph execution error:\n\nDetected at node Assert\n  File 'a.py'\n\ntoo large")
    'too large'
    """
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", text).splitlines() if line.strip()]
    while len(lines) > 1 and (
        lines[0].startswith("Exception encountered when") or lines[0].endswith("encountered:")
    ):
        del lines[0]  # Keras' own words, before the user's
    if not lines[0].startswith("Graph execution error"):
        return lines[0]
    noise = ("Graph execution error", "Detected at node", "File ", "[[", "{{", "<stack", "During handling")
    said = [line for line in lines if not line.startswith(noise)]
    return said[-1] if said else lines[0]
