"""How TensorFlow runs in this process: threads, determinism, memory of a GPU, executor, what it prints."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


def configure_threads(cpus: int) -> None:
    """Give TensorFlow this many threads, make it deterministic, and let it take a GPU's memory as needed.

    Call it once for each process, before the first operation: afterwards TensorFlow has its threads, and
    this changes nothing. Another number of threads may change the last bits of a large network.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cpus)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # it runs already, with other values
        return
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel(logging.ERROR)


@contextmanager
def lean_execution() -> Iterator[None]:
    """Let TensorFlow run functions without what costs small trials their time; nothing outside is changed.

    The graph optimiser takes a third of a trace, and undoes what is written on purpose: it would fold a
    transpose back into every product that uses it. The executor of one thread spends half the time between
    operations; it cannot wait for a GPU.
    """
    options = tf.config.optimizer.get_experimental_options()
    executor = "" if tf.config.list_physical_devices("GPU") else "SINGLE_THREADED_EXECUTOR"
    tf.config.optimizer.set_experimental_options({**options, "disable_meta_optimizer": True})
    try:
        with tf.experimental.function_executor_type(executor):
            yield
    finally:
        tf.config.optimizer.set_experimental_options(options)
