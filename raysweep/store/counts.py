"""Counts of a committed trial, for reports: whole numbers, never means.

A trial's row carries its counts, so that a report on 10,000 trials opens 10,000 small files and no others.
The counts are taken from the arrays that are written as predictions, and equal counts by SQL over the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.trial.result import Status, TrialResult

SETTING_NAMES: Final = tuple(TrialSettings.model_fields)


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """Settings, outcome and counts of one committed trial."""

    settings: Mapping[str, Any]
    """Every setting by name, the seed included."""
    status: "Status"
    loss: float
    """Loss of the last epoch; if the trial diverged, possibly NaN or infinite."""
    accuracy: float
    """Accuracy of the last epoch, 0 to 1."""
    seconds: float
    """Tracing, training and evaluation."""
    exact_by_sequence: tuple[int, ...]
    """(eval_sequences,): windows of each sequence that are right at every position; () if diverged."""
    right: tuple[int, ...]
    """(n_out,): windows that are right at each position, first position first; () if diverged."""

    @property
    def windows(self) -> int:
        """Evaluated windows; 0 if the trial diverged."""
        return len(self.exact_by_sequence) * int(self.settings["windows"])

    @property
    def exact(self) -> int:
        """Windows that are right at every position."""
        return sum(self.exact_by_sequence)

    @classmethod
    def of(cls, result: "TrialResult") -> Self:
        """Count the predictions of a trained trial."""
        exact: tuple[int, ...] = ()
        right: tuple[int, ...] = ()
        if (predictions := result.predictions) is not None:
            hits = predictions.exact.reshape(result.settings.eval_sequences, result.settings.windows)
            exact = tuple(hits.sum(axis=1).tolist())
            right = tuple((predictions.predicted == predictions.expected).sum(axis=0).tolist())
        seconds = result.trace_s + result.train_s + result.eval_s
        settings = result.settings.model_dump()
        return cls(settings, result.status, result.loss, result.accuracy, seconds, exact, right)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild counts from the JSON of their `dataclasses.asdict`.

        Raises:
            ValueError: the content is not valid; for a missing key or wrong type, KeyError or TypeError.
        """
        if content["status"] not in ("done", "diverged"):
            raise ValueError("invalid status")
        exact, right = (tuple(map(int, content[name])) for name in ("exact_by_sequence", "right"))
        loss, accuracy, seconds = (float(content[name]) for name in ("loss", "accuracy", "seconds"))
        settings = TrialSettings(**content["settings"]).model_dump()
        done = content["status"] == "done"
        if (len(exact), len(right)) != ((settings["eval_sequences"], settings["len"]) if done else (0, 0)):
            raise ValueError("the counts do not match the settings")
        return cls(settings, content["status"], loss, accuracy, seconds, exact, right)
