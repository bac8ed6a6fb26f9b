"""Patches of Tune: two slow ways that it takes for every trial or actor, replaced by quick ones.

Both are private to Tune: it has no option for them. Without these patches all is right, and slower.
"""

from typing import Any

from ray.tune import registry
from ray.tune.execution import class_cache


def apply_patches() -> None:
    """Patch Tune in this process."""
    _use_workers_as_they_are()
    _look_up_here()


def _use_workers_as_they_are() -> None:
    """Let Tune's actors run in the workers that Ray has started already.

    Tune wants some variables set for its actors, for which Ray starts other processes, and each of them twice
    in a row. Those that matter here, every worker has from its cluster or its job; see `driver.variables`.
    """
    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


def _look_up_here() -> None:
    """Let Tune find the class of its trials in this process.

    It asks Ray's control store for it several times for each trial, waits for each answer and unpickles it:
    a quarter of the time of a sweep of small trials.
    """
    if not isinstance(registry._global_registry, _Registry):
        registry._global_registry = _Registry()


class _Registry(registry._Registry):
    """Keeps what this process registered, too."""

    def __init__(self) -> None:
        """Begin with nothing registered."""
        super().__init__()
        self._known: dict[tuple[str, str], Any] = {}

    def register(self, category: str, key: str, value: Any) -> None:
        """Register a value, in the control store and here."""
        super().register(category, key, value)
        self._known[category, key] = value

    def contains(self, category: str, key: str) -> Any:
        """Return whether a value is registered."""
        return (category, key) in self._known or super().contains(category, key)  # type: ignore[no-untyped-call]  # Ray's

    def get(self, category: str, key: str) -> Any:
        """Return a registered value."""
        if (category, key) in self._known:
            return self._known[category, key]
        return super().get(category, key)  # type: ignore[no-untyped-call]  # Ray's
