"""Execution of a networks file, from memory, as a module."""

import linecache
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from raysweep.errors import NetworkError
from raysweep.experiment.user_code import in_user_code
from raysweep.trial.network import SOURCE, NetworkSource


def load_network(source: NetworkSource, arch: str) -> Callable[..., Any]:
    """Execute a networks file, once in each process, and return one of its functions.

    The module is registered, so that what it defines can be found by name; tracebacks show its lines.

    Raises:
        NetworkError: the file raises an error, or gives the function's name to something else.
    """
    name = f"raysweep_networks_{source.sha256[:16]}"
    if (module := sys.modules.get(name)) is None:
        module = _executed(name, source)
    function: Any = getattr(module, arch, None)
    planned = source.functions[arch]
    if not isinstance(function, FunctionType) or function.__code__.co_firstlineno != planned:
        raise NetworkError(
            f"{source.file}:{planned}: {arch}: the file gives this name to something else, too; rename one"
        )
    return function


def _executed(name: str, source: NetworkSource) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = source.file
    setattr(module, SOURCE, source)
    # No time of change: `linecache` then never looks for the file.
    linecache.cache[source.file] = (
        len(source.text),
        None,
        source.text.splitlines(keepends=True),
        source.file,
    )
    sys.modules[name] = module
    try:
        with in_user_code(source.file, "the file cannot be executed"):
            exec(compile(source.text, source.file, "exec", dont_inherit=True), module.__dict__)
    except NetworkError:
        del sys.modules[name]
        raise
    return module
