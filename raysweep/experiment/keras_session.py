"""A Keras of its own for one network: names, settings and random numbers, nothing of which stays behind.

A user's function names layers and draws random numbers through Keras' global state. In a session that state
is fresh and follows from the trial's seed; afterwards everything is as the user left it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from raysweep.experiment.backend import import_keras

EPSILON: Final = 1e-7
"""Keras' default, whatever the user's keras.json says."""


class KerasSession:
    """Keras' global state for one network of one seed; `use` enters it, once or many times."""

    def __init__(self, seed: int) -> None:
        """Prepare a fresh state, as `keras.utils.set_random_seed` leaves it."""
        self._keras = import_keras()
        self._seed = seed
        self._state: Any = None

    @contextmanager
    def use(self) -> Iterator[None]:
        """Make the session's state the global one within the block."""
        before = _state()
        try:
            with _configuration(self._keras):
                if self._state is None:
                    self._begin()
                else:
                    _restore(self._state)
                yield
        finally:
            self._state = _state()
            _restore(before)

    def _begin(self) -> None:
        self._keras.utils.clear_session(free_memory=False)
        self._keras.utils.set_random_seed(self._seed)
        global_seed_generator()


def global_seed_generator() -> Any:
    """Return the generator from which layers draw that have none of their own.

    It is made when it is first asked for: while a graph is traced, that would be too late.
    """
    from keras.src.random import seed_generator

    return seed_generator.global_seed_generator()


def _state() -> tuple[Any, ...]:
    """Return the global state of Keras, Python, NumPy and TensorFlow."""
    from keras.src.backend.common import global_state

    eager = context.context()
    return (
        (global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER),
        random.getstate(),
        np.random.get_state(),  # noqa: NPY002  # a user's function may draw from it
        (eager._seed, getattr(eager, "_rng", None)),
        (tf.config.functions_run_eagerly(), dict(eager._optimizer_experimental_options)),
    )


def _restore(state: tuple[Any, ...]) -> None:
    from keras.src.backend.common import global_state

    trackers, of_python, of_numpy, of_tensorflow, (eagerly, optimizer) = state
    global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER = trackers
    random.setstate(of_python)
    np.random.set_state(of_numpy)  # noqa: NPY002
    eager = context.context()
    eager._seed, eager._rng = of_tensorflow
    tf.config.run_functions_eagerly(eagerly)
    eager._optimizer_experimental_options = dict(optimizer)  # the public function only adds to them
    eager._thread_local_data.function_call_options = None  # made of them


def set_usual_types(keras: Any) -> None:
    """Set what keras.json, or a networks file, may have changed."""
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format("channels_last")


@contextmanager
def _configuration(keras: Any) -> Iterator[None]:
    """Set the usual types within the block."""
    config = keras.config
    before = config.floatx(), config.epsilon(), config.image_data_format()
    set_usual_types(keras)
    try:
        yield
    finally:
        config.set_floatx(before[0])
        config.set_epsilon(before[1])
        config.set_image_data_format(before[2])
