"""Result of a trained trial: plain arrays and numbers, the same with and without Ray or files.

`experiment` makes results and `store.encoding` writes them; neither depends on the other.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from raysweep.architectures.interface import LayerWeight
from raysweep.trial.outcome import Evaluation, Status
from raysweep.trial.settings import TrialSettings

Ints: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Learning curve: one point for every `curve_every` epochs; the last point may cover fewer.

    A diverged trial's curve ends with the first epoch whose loss is not finite. Loss and accuracy are of the
    training; `exact_match` and `position_accuracy` are held-out, at the points that were evaluated.
    """

    epoch: Ints
    """(points,): the last epoch of each point, counted from 1."""
    loss: Doubles
    """(points,): mean over the point's epochs of the epoch's mean loss."""
    accuracy: Doubles
    """(points,): mean over the point's epochs of the accuracy per position, 0 to 1."""
    exact_match: Doubles
    """(points,): share of held-out windows right at every position after `epoch`; NaN if not evaluated."""
    position_accuracy: Doubles
    """(points, n_out): share of held-out windows right at each position; NaN if not evaluated."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of the trained network on held-out sequences; one row per window, sequence by sequence."""

    sequence_index: Ints
    """(rows,): index of the evaluation sequence, from 0."""
    window_index: Ints
    """(rows,): index of the window within its sequence, from 0."""
    input: Ints
    """(rows, n_in)"""
    expected: Ints
    """(rows, n_out)"""
    predicted: Ints
    """(rows, n_out): argmax of the softmax at each position."""
    confidence: Floats
    """(rows, n_out): the softmax value of each predicted symbol."""

    @property
    def exact(self) -> npt.NDArray[np.bool_]:
        """Mask of the windows that are right at every position, (rows,)."""
        return np.asarray((self.predicted == self.expected).all(axis=1))

    @property
    def position_accuracy(self) -> Doubles:
        """Share of windows that are right at each position, first position first, (n_out,)."""
        return np.asarray((self.predicted == self.expected).mean(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """Result of one finished trial. Times and device vary from run to run; the rest is reproducible."""

    settings: TrialSettings
    status: Status
    """`done`, or `diverged`: a loss (which ends training) or a final output became NaN or infinite."""
    loss: float
    """Last epoch's categorical cross-entropy, mean over batches; if diverged, possibly NaN or infinite."""
    accuracy: float
    """Last epoch's accuracy per position, mean over its batches, 0 to 1."""
    curve: Curve
    evaluations: tuple[Evaluation, ...]
    """Every held-out evaluation, in order; the last is of `predictions`, unless the training diverged."""
    predictions: Predictions | None
    """None if the training diverged."""
    layers: tuple[LayerWeight, ...]
    updates: int
    """Adam updates made; fewer than the settings' if the training diverged."""
    inherited_epochs: int
    """Epochs that a shorter trial had trained, from whose state this one went on; no seconds count them."""
    trace_s: float
    """Seconds spent tracing compiled steps for this trial."""
    train_s: float
    """Seconds of training, tracing and evaluation not included."""
    eval_s: float
    """Seconds of evaluation, during training and after it, tracing not included."""
    device: str
    """`cpu` or `gpu`."""
    deterministic: bool = True
    """False if training the same network again gave other bytes; only of users' networks."""

    def __repr__(self) -> str:
        """Say which trial it is, and what came of it."""
        exact = "" if self.predictions is None else f", exact-match {self.predictions.exact.mean():.3f}"
        return f"<TrialResult {self.settings.trial_id}: {self.status}, loss {self.loss:.4g}{exact}>"
