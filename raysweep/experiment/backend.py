"""Keras on TensorFlow, whatever KERAS_BACKEND or the user's keras.json say."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from raysweep.errors import UsageError


@contextmanager
def keras_on_tensorflow() -> Iterator[None]:
    """Let Keras choose TensorFlow where it is imported for the first time; the environment is restored.

    TensorFlow imports a part of Keras, too, and with it the choice.
    """
    asked = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if asked is not None:
            os.environ["KERAS_BACKEND"] = asked


def import_keras() -> Any:
    """Import Keras.

    Raises:
        UsageError: Keras, or TensorFlow with a part of it, was imported before for another backend.
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
        f"Keras was imported with the backend {name!r}, and raysweep's models are TensorFlow's; "
        "set KERAS_BACKEND=tensorflow before the first import of keras or tensorflow"
    )
