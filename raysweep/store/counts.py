"""Counts of a committed trial, for reports: whole numbers, never means.

A trial's row carries its counts, so that a report on 10,000 trials opens 10,000 small files and no others.
The counts are taken from the arrays that are written as predictions, and equal counts by SQL over the files.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from raysweep.trial.outcome import Evaluation, Slips, Status
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.trial.result import TrialResult

SETTING_NAMES: Final = tuple(TrialSettings.model_fields)


def _complete(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return TrialSettings(**settings).model_dump()


class TrialCounts(BaseModel):
    """Settings, outcome and counts of one committed trial.

    Raises:
        pydantic.ValidationError: the counts are not those of a trial.
    """

    # Losses may be NaN or infinite.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    settings: Annotated[Mapping[str, Any], AfterValidator(_complete)]
    """Every setting by name, the seed included."""
    status: Status
    loss: float
    """Loss of the last epoch; if the trial diverged, possibly NaN or infinite."""
    accuracy: float
    """Accuracy of the last epoch, 0 to 1."""
    deterministic: bool = True
    """False if training the network again gave other bytes."""
    inherited_epochs: int
    """Epochs that a shorter trial had trained, from whose state this one went on."""
    seconds: float
    """Tracing, training and evaluation, of the other epochs."""
    exact_by_sequence: tuple[int, ...]
    """(eval_sequences,): windows of each sequence that the trained network has right; () if diverged."""
    evaluations: tuple[Evaluation, ...]
    """Every held-out evaluation, in order; the last is of the trained network, unless the trial diverged."""
    slips: Slips | None
    """What the wrong positions of the trained network say; None if diverged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        done = self.status == "done"
        if len(self.exact_by_sequence) != (self.settings["eval_sequences"] if done else 0):
            raise ValueError("another number of sequences than in the settings")
        if any(len(one.right) != self.settings["len"] for one in self.evaluations):
            raise ValueError("another number of positions than in the settings")
        if done != (self.slips is not None):
            raise ValueError("slips of a diverged trial, or none of another")
        if self.slips is not None and _wrong(self.slips) != self._wrong:
            raise ValueError("another number of slips than of wrong positions")
        if done and (not self.evaluations or self.evaluations[-1].exact != self.exact):
            raise ValueError("the last evaluation is not that of the trained network")
        return self

    @property
    def _wrong(self) -> int:
        """Positions that the trained network has wrong."""
        return sum(self.windows - right for right in self.evaluations[-1].right) if self.evaluations else -1

    @property
    def windows(self) -> int:
        """Windows of one evaluation."""
        return int(self.settings["eval_sequences"] * self.settings["windows"])

    @property
    def exact(self) -> int:
        """Windows that the trained network has right at every position."""
        return sum(self.exact_by_sequence)

    @classmethod
    def of(cls, result: "TrialResult") -> Self:
        """Count the predictions of a trained trial."""
        settings = result.settings
        exact: tuple[int, ...] = ()
        slips: Slips | None = None
        if result.predictions is not None:
            slips = Slips.of(result.predictions)
            hits = result.predictions.exact.reshape(settings.eval_sequences, settings.windows)
            exact = tuple(hits.sum(axis=1).tolist())
        return cls(
            settings=settings.model_dump(),
            status=result.status,
            loss=result.loss,
            accuracy=result.accuracy,
            deterministic=result.deterministic,
            inherited_epochs=result.inherited_epochs,
            seconds=result.trace_s + result.train_s + result.eval_s,
            exact_by_sequence=exact,
            evaluations=result.evaluations,
            slips=slips,
        )


def _wrong(slips: Slips) -> int:
    return sum(count for _, count in (*slips.answer, *slips.window)) + slips.none
