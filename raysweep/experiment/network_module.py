"""Execution of a networks file, from memory, as a module."""

import linecache
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from raysweep.errors import NetworkError, UsageError
from raysweep.experiment.user_code import in_user_code
from raysweep.trial.network import SOURCE, NetworkSource, source_of
from raysweep.trial.settings import TrialSettings


@dataclass(frozen=True)
class SourcedNetwork:
    """A function of a networks file, which is executed anew for each trial: no trial sees another."""

    source: NetworkSource
    arch: str

    @property
    def file(self) -> str:
        """Path of the file, for messages and tracebacks."""
        return self.source.file

    def function(self) -> Callable[..., Any]:
        """Execute the file, and return the function.

        The module is registered, so that what it defines can be found by name; tracebacks show its lines.

        Raises:
            NetworkError: the file raises an error, or gives the function's name to something else.
        """
        function: Any = getattr(_executed(self.source), self.arch, None)
        planned = self.source.functions[self.arch]
        if not isinstance(function, FunctionType) or function.__code__.co_firstlineno != planned:
            raise NetworkError(
                f"{self.file}:{planned}: {self.arch}: the file uses this name for something else, too; "
                "rename one"
            )
        return function

    def require(self, settings: TrialSettings) -> None:
        """Check that settings are those of the network.

        Raises:
            UsageError: they are of another function, or of another version of its file.
        """
        _require(settings, self.arch, self.source)


@dataclass(frozen=True)
class GivenNetwork:
    """A function that a user passes in Python: what it finds in its module is the user's business."""

    given: Callable[..., Any]

    @property
    def file(self) -> str:
        """Path of the file, for messages and tracebacks."""
        return self.given.__code__.co_filename

    def function(self) -> Callable[..., Any]:
        """Return the function."""
        return self.given

    def require(self, settings: TrialSettings) -> None:
        """Check that settings are those of the function; see `SourcedNetwork.require`."""
        _require(settings, getattr(self.given, "__name__", ""), source_of(self.given))


NetworkFunction = Callable[..., Any] | SourcedNetwork
"""A user's function: takes options and some of `trial.network.STANDARD`, returns a Keras model."""


def as_network(network: NetworkFunction) -> SourcedNetwork | GivenNetwork:
    """Return what the experiment asks for a network's function."""
    return network if isinstance(network, SourcedNetwork) else GivenNetwork(network)


def _require(settings: TrialSettings, name: str, source: NetworkSource) -> None:
    if settings.arch != name:
        raise UsageError(f"the settings are of {settings.arch}, the function is {name}")
    if settings.network != source.sha256:
        raise UsageError(
            f"the settings are of another version of {source.file}; "
            f"make them anew, with TrialSettings.of_network({name}, …)"
        )


def _executed(source: NetworkSource) -> ModuleType:
    module = ModuleType(f"raysweep_networks_{source.sha256[:16]}")
    module.__file__ = source.file
    setattr(module, SOURCE, source)
    # No time of change: `linecache` then never looks for the file.
    lines = source.text.splitlines(keepends=True)
    linecache.cache[source.file] = len(source.text), None, lines, source.file
    sys.modules[module.__name__] = module
    with in_user_code(source.file, "the file cannot be executed"):
        exec(compile(source.text, source.file, "exec", dont_inherit=True), module.__dict__)
    return module
