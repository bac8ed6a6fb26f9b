"""The data: random integers from stateless streams, and windows cut from the integers.

Three domains draw random numbers: the initial weights, the training and the evaluation. Every draw is a
pure function of its key, so that any epoch's data can be drawn without the earlier epochs::

    key = (domain << 32 | seed, index)      index: number of the weight, epoch or sequence

A seed is below 2^31, so the first halves of two domains never meet, and no key of one domain equals one
of another. The generator is Philox 4x32-10 by name (Salmon et al., 2011), because TensorFlow's automatic
choice differs between devices: the key's first half is Philox's key, its second half the upper half of
Philox's counter, whose lower half counts within the draw.
"""

from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from raysweep.trial.result import Ints
from raysweep.trial.settings import TrialSettings

PHILOX: Final = tf.random.Algorithm.PHILOX.value


class Domain(IntEnum):
    """Purpose of random numbers; no two domains share a key."""

    INITIAL_WEIGHTS = 1
    TRAINING = 2
    EVALUATION = 3


def stream(domain: Domain, seed: int) -> int:
    """Return the first half of the keys of one domain and seed; `(stream, index)` is a key.

    >>> stream(Domain.TRAINING, 0) == 2 << 32
    True
    """
    return int(domain) << 32 | seed


def generator(stream: Any, index: Any) -> dict[str, Any]:
    """Return the arguments that make TensorFlow's raw stateless operations draw from one key.

    Args:
        stream: from `stream`; int, or () uint64 in a graph.
        index: the key's second half; int, or () uint64 in a graph.
    """
    return {"key": [stream], "counter": [0, index], "alg": PHILOX}


def draw_integers(stream: Any, index: Any, length: int, values: Any) -> Any:
    """Draw one sequence of integers, uniform over 0 to `values - 1`; works eagerly and in a graph.

    Args:
        stream: from `stream`; int, or () uint64 in a graph.
        index: number of the epoch or of the evaluation sequence; int, or () uint64 in a graph.
        length: integers to draw.
        values: number of distinct integers; int, or () int32 in a graph.

    Returns:
        (length,) int32 tensor.
    """
    return tf.raw_ops.StatelessRandomUniformIntV2(
        shape=[length], **generator(stream, index), minval=0, maxval=values
    )


def sequence_length(settings: TrialSettings) -> int:
    """Return the number of integers in one sequence, enough for all its overlapping windows."""
    return settings.windows + settings.n_in - 1


def training_sequence(settings: TrialSettings, epoch: int) -> Ints:
    """Return the (windows + n_in - 1,) integers that an epoch, counted from 1, trains on."""
    return _sequence(settings, Domain.TRAINING, epoch)


def evaluation_sequence(settings: TrialSettings, sequence: int) -> Ints:
    """Return the (windows + n_in - 1,) integers of a held-out sequence, counted from 0."""
    return _sequence(settings, Domain.EVALUATION, sequence)


def _sequence(settings: TrialSettings, domain: Domain, index: int) -> Ints:
    drawn = draw_integers(stream(domain, settings.seed), index, sequence_length(settings), settings.values)
    return np.asarray(drawn, np.int32)


def windows_of(sequence: npt.ArrayLike, n_in: int) -> Ints:
    """Cut every window of `n_in` integers; the first `n_out` columns of a window are its target.

    Args:
        sequence: (..., windows + n_in - 1), one sequence or many.
        n_in: input timesteps.

    Returns:
        (..., windows, n_in): window i is ``sequence[i : i + n_in]``.

    >>> windows_of([7, 8, 9, 5], n_in=3).tolist()
    [[7, 8, 9], [8, 9, 5]]
    """
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(sequence, np.int32), n_in, axis=-1)
    return np.ascontiguousarray(windows)
