"""Errors in what users wrote: told from ours, and with the user's file and line."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from raysweep.errors import NetworkError, RaysweepError

PASSING = (MemoryError, tf.errors.ResourceExhaustedError)
"""Errors that another attempt may not meet."""


@contextmanager
def in_user_code(file: str, doing: str) -> Iterator[None]:
    """Translate what a user's code raises.

    Args:
        file: the networks file, whose lines the message names.
        doing: what failed, such as "the function failed".

    Raises:
        NetworkError: the code raised an error that another attempt would meet again; the cause is kept.
    """
    try:
        yield
    except (RaysweepError, *PASSING):
        raise
    except Exception as error:  # user's code raises anything
        lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == file]
        place = f"{file}:{lines[-1]}" if lines else file
        said = str(error).strip() or type(error).__name__
        raise NetworkError(f"{place}: {doing}: {type(error).__name__}: {said}") from error
    except SystemExit as error:
        raise NetworkError(f"{file}: {doing}: it calls exit; remove that") from error
