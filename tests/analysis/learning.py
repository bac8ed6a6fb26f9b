"""Cells whose learning is written out: the right ones of 100 windows at each held-out evaluation."""

from collections.abc import Sequence
from typing import Any

from raysweep.analysis.aggregate import Cell
from raysweep.analysis.evaluations import pooled
from raysweep.store.counts import TrialCounts
from raysweep.trial.outcome import Evaluation, Slips
from raysweep.trial.settings import TrialSettings

EVERY = 100
"""Epochs between two evaluations."""


def _settings(evaluations: int, **settings: Any) -> TrialSettings:
    usual = {"arch": "seq2seq", "len": 1, "mem": 4, "seed": 0, "epochs": EVERY * evaluations}
    fixed = {"windows": 100, "batch_size": 100, "eval_sequences": 1, "eval_every": EVERY}
    return TrialSettings.model_validate({**usual, **fixed, **settings})


def learned(exact: Sequence[int], **settings: Any) -> TrialCounts:
    """Counts of a trial with so many of 100 windows right after 100, 200, … epochs.

    The trial lasts until the last evaluation, unless its epochs are given.
    """
    own = _settings(len(exact), **settings)
    epochs = [*range(EVERY, own.epochs, EVERY), own.epochs]
    return TrialCounts(
        settings=own.model_dump(),
        status="done",
        loss=1.0,
        accuracy=0.5,
        seconds=1.0,
        inherited_epochs=0,
        exact_by_sequence=(exact[-1],),
        evaluations=tuple(
            Evaluation(epoch, hits, hits * hits, (hits,) * own.len)
            for epoch, hits in zip(epochs, exact, strict=True)
        ),
        slips=Slips((), (), (100 - exact[-1]) * own.len),
    )


def cell_of_seeds(*exact: Sequence[int], diverged: int = 0, missing: int = 0, **settings: Any) -> Cell:
    """A cell with one seed for each learning curve, then diverged and missing ones."""
    counts = tuple(learned(curve, seed=seed, **settings) for seed, curve in enumerate(exact))
    own = _settings(len(exact[0]) if exact else 1, **settings).model_dump()
    last = pooled([one.evaluations[-1] for one in counts], own) if counts else None
    lost = range(len(exact), len(exact) + diverged)
    return Cell(
        settings={name: value for name, value in own.items() if name != "seed"},
        planned=True,
        seeds=tuple(range(len(exact))),
        diverged=tuple(lost),
        failed=(),
        missing=tuple(range(lost.stop, lost.stop + missing)),
        unplanned=(),
        windows=100 * len(exact),
        exact_match=last.exact_match if last else None,
        interval=last.interval if last else None,
        position_accuracy=last.position_accuracy if last else (),
        loss=None,
        accuracy=None,
        counts=counts,
    )
