"""Kept training states: which of them a trial can go on from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import MadeWith, StateHeader


class States:
    """Headers of the states of a results folder; a state itself is read when a worker needs it.

    Args:
        headers: the states that exist.
        here: what the trials will be trained with; None if a worker decides what it can use.
    """

    def __init__(self, headers: Iterable[StateHeader] = (), here: MadeWith | None = None) -> None:
        """Index the states by the beginning that their trials share with others."""
        self.here = here
        self._by_beginning: dict[str, dict[str, StateHeader]] = defaultdict(dict)
        for header in headers:
            self.add(header)

    def add(self, header: StateHeader) -> None:
        """Add a state, or replace the trial's earlier one."""
        self._by_beginning[header.settings.beginning][header.settings.trial_id] = header

    def discard(self, header: StateHeader) -> None:
        """Forget a state that turned out to be damaged."""
        self._by_beginning[header.settings.beginning].pop(header.settings.trial_id, None)

    def usable(self, settings: TrialSettings) -> list[StateHeader]:
        """Return the states that a trial can go on from, the latest first."""
        found = [one for one in self._related(settings) if not self._difference(one)]
        return sorted(found, key=lambda header: header.epoch, reverse=True)

    def epochs(self, settings: TrialSettings) -> int:
        """Return the epochs of the latest state that a trial can go on from; 0 if there is none."""
        return max((header.epoch for header in self.usable(settings)), default=0)

    def unusable(self, trials: Iterable[TrialSettings]) -> Counter[str]:
        """Count the states that these trials cannot go on from, by what they were made with."""
        related = {one.settings.trial_id: one for settings in trials for one in self._related(settings)}
        return Counter(filter(None, map(self._difference, related.values())))

    def _related(self, settings: TrialSettings) -> Iterator[StateHeader]:
        if settings.beginning in self._by_beginning:
            for header in self._by_beginning[settings.beginning].values():
                if header.epoch <= settings.epochs:
                    yield header

    def _difference(self, header: StateHeader) -> str:
        return "" if self.here is None else header.made_with.difference(self.here)
