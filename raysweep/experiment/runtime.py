"""How TensorFlow runs in this process: threads, determinism, memory of a GPU, and what it prints."""

import logging

import tensorflow as tf


def configure_threads(cpus: int) -> None:
    """Give TensorFlow this many threads, make it deterministic, and let it take a GPU's memory as needed.

    Call it once for each process, before the first operation: afterwards TensorFlow has its threads, and
    this changes nothing.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(cpus)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # already initialised, with other values
        return
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel(logging.ERROR)
