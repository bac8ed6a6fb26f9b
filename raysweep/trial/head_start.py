"""Head starts: epochs that a trial need not train, because a shorter one's state has them.

Trials that differ only in `epochs` share their beginning. Where states are kept, they are trained one after
the other, each from the state of the one before.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from raysweep.trial.settings import TrialSettings


class HeadStart(NamedTuple):
    """What a trial goes on from."""

    epochs: int
    """Epochs that are trained already, or will be by then; 0: it begins."""
    waits_for: str | None = None
    """Id of the missing trial whose state it will go on from; None if it can start now."""


def head_starts(
    missing: Iterable[TrialSettings], saved: Callable[[TrialSettings], int], *, keep_state: bool
) -> dict[str, HeadStart]:
    """Return the head start of every missing trial, by id.

    Args:
        missing: trials to train.
        saved: returns the epochs of the latest state from which a trial can go on, 0 if there is none.
        keep_state: whether the missing trials will keep their states.
    """
    found: dict[str, HeadStart] = {}
    related: dict[str, list[TrialSettings]] = defaultdict(list)
    for settings in missing:
        related[settings.beginning].append(settings)
    for trials in related.values():
        before: TrialSettings | None = None
        for settings in sorted(trials, key=lambda settings: settings.epochs):
            start = HeadStart(saved(settings))
            if keep_state and before is not None and before.epochs > start.epochs:
                start = HeadStart(before.epochs, before.trial_id)
            found[settings.trial_id] = start
            before = settings
    return found


def in_rounds(trial_ids: Iterable[str], starts: Mapping[str, HeadStart]) -> list[list[str]]:
    """Sort trials into rounds: each waits for none, or for one of the round before."""
    rounds: list[list[str]] = []
    for trial_id in trial_ids:
        depth, start = 0, starts.get(trial_id)
        while start is not None and start.waits_for is not None:
            depth, start = depth + 1, starts.get(start.waits_for)
        rounds.extend([] for _ in range(depth + 1 - len(rounds)))
        rounds[depth].append(trial_id)
    return rounds
