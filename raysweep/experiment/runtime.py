"""TensorFlow's configuration in this process: threads, determinism, GPU memory, executor, logging."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


def configure_threads(cpus: int) -> None:
    """Set TensorFlow's number of threads, make it deterministic, and let it allocate GPU memory as needed.

    Call this once per process, before the first operation; later calls change nothing. Another number of
    threads may change the last bits of a large network.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cpus)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # TensorFlow runs already, with other values
        return
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel(logging.ERROR)


@contextmanager
def lean_execution() -> Iterator[None]:
    """Run TensorFlow functions with less overhead for small trials; nothing outside the block is changed.

    The graph optimiser, a third of the tracing time, is off: it would fold a deliberate transpose back into
    every product that uses the result. The single-threaded executor halves the time between operations, but
    cannot wait for a GPU.
    """
    options = tf.config.optimizer.get_experimental_options()
    executor = "" if tf.config.list_physical_devices("GPU") else "SINGLE_THREADED_EXECUTOR"
    tf.config.optimizer.set_experimental_options({**options, "disable_meta_optimizer": True})
    try:
        with tf.experimental.function_executor_type(executor):
            yield
    finally:
        tf.config.optimizer.set_experimental_options(options)
