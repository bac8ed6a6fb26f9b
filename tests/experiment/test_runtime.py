import subprocess
import sys

SCRIPT = """
from raysweep.experiment import configure_threads
import tensorflow as tf
configure_threads(2)
tf.zeros(1)
configure_threads(1)  # too late, and no error
threads = tf.config.threading
print(threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads())
"""


def test_threads_are_given_once_for_each_process() -> None:
    # A process of its own, because TensorFlow takes its threads once.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "1"]


def test_functions_around_the_compiled_loop_keep_their_executor_and_optimiser() -> None:
    import tensorflow as tf

    from raysweep.experiment.runtime import lean_execution

    before = tf.config.optimizer.get_experimental_options()
    with lean_execution():
        assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] is True
    assert tf.config.optimizer.get_experimental_options() == before
