"""What a report counts of a trial: status and evaluations; no NumPy, which a report must not import."""

from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from raysweep.trial.result import Predictions

Status = Literal["done", "diverged"]


class Evaluation(NamedTuple):
    """Counts of the held-out windows that a network had right after one epoch: whole numbers, no shares."""

    epoch: int
    """Epochs trained."""
    exact: int
    """Windows that are right at every position, over all evaluation sequences."""
    exact_squares: int
    """Sum over the evaluation sequences of the square of each one's exact windows; for the variance."""
    right: tuple[int, ...]
    """(n_out,): windows that are right at each position, first position first."""

    @classmethod
    def of(cls, epoch: int, hits: "npt.NDArray[np.bool_]") -> Self:
        """Count hits of shape (eval_sequences, windows, n_out)."""
        exact = hits.all(axis=2).sum(axis=1).tolist()
        right = hits.sum(axis=(0, 1)).tolist()
        return cls(epoch, sum(exact), sum(count * count for count in exact), tuple(right))


Counts = tuple[tuple[int, int], ...]
"""Pairs of a value and how often it occurs, by value."""


class Slips(NamedTuple):
    """What the wrong positions of a trained network say, counted over the windows of its last evaluation.

    If the integer that is said occurs several times in the window, the nearest occurrence counts, and of two
    as near the earlier.
    """

    answer: Counts
    """Distances, in positions, to another integer of the answer; −1: the one before."""
    window: Counts
    """Distances to an integer of the window that is behind the answer."""
    none: int
    """Wrong positions that say no integer of the window."""

    @classmethod
    def of(cls, predictions: "Predictions") -> Self:
        """Count the slips of predictions."""
        import numpy as np

        expected, predicted = predictions.expected, predictions.predicted
        n_in, n_out = predictions.input.shape[1], expected.shape[1]
        windows = np.concatenate([expected, predictions.input[:, n_out:]], axis=1)
        answer, window = [0] * (2 * n_in), [0] * (2 * n_in)
        none = 0
        for position in range(n_out):
            wrong = predicted[:, position] != expected[:, position]
            said, rows = predicted[wrong, position], windows[wrong]
            for other in sorted(range(n_in), key=lambda other: (abs(other - position), other)):
                hit = rows[:, other] == said
                (answer if other < n_out else window)[other - position] += int(np.count_nonzero(hit))
                said, rows = said[~hit], rows[~hit]
            none += len(said)
        return cls(_counts(answer, n_in), _counts(window, n_in), none)


def _counts(by_distance: list[int], n_in: int) -> Counts:
    """Return the distances that occur; negative ones are counted from the end of the list."""
    return tuple((d, by_distance[d]) for d in range(-n_in, n_in) if by_distance[d])
