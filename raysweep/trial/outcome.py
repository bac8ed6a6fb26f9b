"""What a report counts of a trial: status and evaluations; no NumPy, which a report must not import."""

from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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
