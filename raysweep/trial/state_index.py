"""Saved training states: which of them a trial can go on from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from raysweep.trial.settings import TrialSettings
from raysweep.trial.training_state import MadeWith, StateHeader


class StateIndex:
    """Headers of the checkpoints and states of a results folder; each is read when a worker needs it.

    Args:
        headers: the states that exist, by the name of their file.
        here: what the trials will be trained with; None if a worker decides what it can use.
    """

    def __init__(self, headers: Mapping[str, StateHeader], here: MadeWith | None = None) -> None:
        """Index the states by the beginning that their trials share with others."""
        self.here = here
        self._by_beginning: dict[str, dict[str, StateHeader]] = defaultdict(dict)
        for name, header in headers.items():
            self.add(name, header)

    def add(self, name: str, header: StateHeader) -> None:
        """Add the state in a file, in place of the file's earlier one."""
        self._by_beginning[header.settings.beginning][name] = header

    def discard(self, name: str, settings: TrialSettings) -> None:
        """Forget a file that is gone or damaged."""
        self._by_beginning[settings.beginning].pop(name, None)

    def has_own(self, settings: TrialSettings) -> bool:
        """Return whether there is a state that the trial itself made, be it usable or not."""
        return any(header.settings == settings for _, header in self._related(settings))

    def usable(self, settings: TrialSettings) -> list[tuple[str, StateHeader]]:
        """Return the states that a trial can go on from, by the name of their file, the latest first."""
        found = [(name, one) for name, one in self._related(settings) if not self._difference(one)]
        return sorted(found, key=lambda named: named[1].epoch, reverse=True)

    def epochs(self, settings: TrialSettings) -> int:
        """Return the epochs of the latest state that a trial can go on from; 0 if there is none."""
        return max((header.epoch for _, header in self.usable(settings)), default=0)

    def unusable(self, trials: Iterable[TrialSettings]) -> Counter[str]:
        """Count the states that these trials cannot go on from, by what they were made with."""
        related = {name: one for settings in trials for name, one in self._related(settings)}
        return Counter(filter(None, map(self._difference, related.values())))

    def _related(self, settings: TrialSettings) -> Iterator[tuple[str, StateHeader]]:
        # Most sweeps keep no states, and a beginning takes as long to make as an id.
        if self._by_beginning and settings.beginning in self._by_beginning:
            for name, header in self._by_beginning[settings.beginning].items():
                if header.epoch <= settings.epochs:
                    yield name, header

    def _difference(self, header: StateHeader) -> str:
        return "" if self.here is None else header.made_with.difference(self.here)
