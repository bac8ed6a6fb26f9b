"""Head starts: epochs that a trial need not train, because a shorter one's state has them.

Trials that differ only in `epochs` share their beginning. Where states are kept, they are trained one after
the other, each from the state of the one before. This only plans; `store.saved_states` reads the states.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from raysweep.trial.settings import TrialSettings

WORTH_WAITING: Final = 0.1
"""Share of a trial's epochs for which it waits for a shorter one: another round costs seconds, too."""


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
    if not keep_state:
        return {settings.trial_id: HeadStart(saved(settings)) for settings in missing}
    found: dict[str, HeadStart] = {}
    related: dict[str, list[TrialSettings]] = defaultdict(list)
    for settings in missing:
        related[settings.beginning].append(settings)
    for trials in related.values():
        before: TrialSettings | None = None
        for settings in sorted(trials, key=lambda settings: settings.epochs):
            start = HeadStart(saved(settings))
            if before is not None and _is_worth(before.epochs - start.epochs, settings):
                start = HeadStart(before.epochs, before.trial_id)
            found[settings.trial_id] = start
            before = settings
    return found


def _is_worth(epochs: int, settings: TrialSettings) -> bool:
    return epochs >= WORTH_WAITING * settings.epochs


def in_rounds(trial_ids: Iterable[str], starts: Mapping[str, HeadStart]) -> list[list[str]]:
    """Sort trials into rounds: each waits for none, or for one of the round before."""
    rounds: list[list[str]] = []
    round_of: dict[str, int] = {}
    for trial_id in trial_ids:
        waiting = [trial_id]
        while waiting[-1] not in round_of and (start := starts.get(waiting[-1])) and start.waits_for:
            waiting.append(start.waits_for)
        first = round_of.get(waiting[-1], 0)
        for number, one in enumerate(reversed(waiting), start=first):
            round_of[one] = number
        rounds.extend([] for _ in range(round_of[trial_id] + 1 - len(rounds)))
        rounds[round_of[trial_id]].append(trial_id)
    return rounds
