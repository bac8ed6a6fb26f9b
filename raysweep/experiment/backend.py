"""Keras on TensorFlow, whatever KERAS_BACKEND or the user's keras.json say."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from raysweep.errors import UsageError


@contextmanager
def keras_on_tensorflow() -> Iterator[None]:
    """Make the first import of Keras choose TensorFlow; afterwards the environment is restored.

    Importing TensorFlow imports a part of Keras, too, which fixes the choice.
    """
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if before is not None:
            os.environ["KERAS_BACKEND"] = before


def import_keras() -> Any:
    """Import Keras with TensorFlow as its backend.

    Raises:
        UsageError: Keras, or the part that TensorFlow imports, was imported before with another backend.
    """
    try:
        with keras_on_tensorflow():
            keras = importlib.import_module("keras")
    except ImportError as error:  # of the other backend
        raise _other_backend(error.name or str(error)) from error
    if (backend := keras.backend.backend()) != "tensorflow":
        raise _other_backend(backend)
    return keras


def _other_backend(name: str) -> UsageError:
    return UsageError(
        f"Keras was imported with the backend {name!r}, but raysweep's models need TensorFlow; "
        "set KERAS_BACKEND=tensorflow before the first import of keras or tensorflow"
    )
