"""Networks of users: a function of a Python file that returns a Keras model.

The file is parsed here, never executed. An architecture of a user's own is identified by its function's name
and the SHA-256 of the file's text; the function's options are settings of its trials.
"""

import ast
import hashlib
import inspect
import linecache
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from raysweep.errors import UsageError
from raysweep.trial.network_options import NAME, NAME_RULE, STANDARD, NetworkProblem, Option, options_of

__all__ = [
    "LARGEST_FILE",
    "SOURCE",
    "STANDARD",
    "Network",
    "NetworkFileError",
    "NetworkProblem",
    "NetworkSource",
    "Option",
    "network_of",
    "source_of",
]

LARGEST_FILE: Final = 2**20
"""Bytes of a networks file."""

SOURCE: Final = "__raysweep_source__"
"""Global name that holds the source in a module that raysweep executed from memory."""


class NetworkFileError(UsageError):
    """A networks file, or a function in it, is not what a network must be."""

    def __init__(self, file: str, problems: list[NetworkProblem]) -> None:
        """Keep the problems, in the order of the file."""
        self.problems = sorted(problems)
        lines = [
            ": ".join(part for part in (f"{file}:{one.line}", one.name, one.message) if part)
            for one in self.problems
        ]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Network:
    """An architecture of a user's own."""

    arch: str
    """Name of the function."""
    sha256: str
    """Of the file's text."""
    options: Mapping[str, Option]
    """Default of each option, in the order of the function's parameters."""
    line: int = 0
    """Line of the function in its file."""


@dataclass(frozen=True)
class NetworkSource:
    """Text of a networks file."""

    file: str
    """Path of the file, for messages and tracebacks."""
    text: str
    """Without byte-order mark; lines end with LF."""

    @classmethod
    def of(cls, file: str, data: bytes) -> "NetworkSource":
        """Take a file's bytes.

        Raises:
            UnicodeDecodeError: they are not UTF-8.
        """
        return cls(file, data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the text, in UTF-8; the identity of every network in the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def functions(self) -> dict[str, int]:
        """Functions that may be networks, with their lines; of several definitions of a name the last.

        Raises:
            NetworkFileError: the text is not valid Python.
        """
        return {name: function.lineno for name, function in self._functions.items()}

    def network(self, arch: str, reserved: Collection[str]) -> Network:
        """Return the network of a function.

        Args:
            arch: name of the function.
            reserved: names that no option may have.

        Raises:
            NetworkFileError: there is no such function, or it cannot be a network.
        """
        problems = list(self._relative_imports)
        function = self._functions.get(arch)
        if function is None:
            problems.append(self._missing(arch))
            raise NetworkFileError(self.file, problems)
        if not NAME.fullmatch(arch):
            problems.append(NetworkProblem(function.lineno, arch, NAME_RULE))
        options = dict(options_of(function, self.text, reserved, problems))
        if problems:
            raise NetworkFileError(self.file, problems)
        return Network(arch, self.sha256, options, function.lineno)

    @cached_property
    def _module(self) -> ast.Module:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of an escape sequence, say: Python shows them when it runs
                module = ast.parse(self.text, self.file)
                compile(module, self.file, "exec", dont_inherit=True)  # `return` outside of a function, say
                return module
        except SyntaxError as error:
            problem = NetworkProblem(error.lineno or 1, "", f"not valid Python: {error.msg}; correct it")
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes; too many brackets
            problem = NetworkProblem(1, "", f"not valid Python: {str(error) or type(error).__name__}")
        raise NetworkFileError(self.file, [problem])

    @cached_property
    def _functions(self) -> dict[str, ast.FunctionDef]:
        return {
            one.name: one
            for one in self._module.body
            if isinstance(one, ast.FunctionDef) and not one.decorator_list
        }

    def defines(self, name: str) -> bool:
        """Return whether the top level of the file defines a function or a class of a name.

        Raises:
            NetworkFileError: the text is not valid Python.
        """
        return name in self._definitions

    @cached_property
    def _definitions(self) -> dict[str, ast.stmt]:
        return {
            one.name: one
            for one in self._module.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }

    @cached_property
    def _relative_imports(self) -> list[NetworkProblem]:
        message = "a networks file can import installed packages only; move what it needs into it"
        return [
            NetworkProblem(node.lineno, f"from {'.' * node.level}{node.module or ''} import …", message)
            for node in ast.walk(self._module)
            if isinstance(node, ast.ImportFrom) and node.level
        ]

    @cached_property
    def imports(self) -> dict[str, int]:
        """Top-level names of the modules that the file imports, with their lines."""
        found: dict[str, int] = {}
        for node in ast.walk(self._module):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], getattr(node, "lineno", 1))
        return found

    def _missing(self, arch: str) -> NetworkProblem:
        """Say why there is no function of a name."""
        if node := self._definitions.get(arch):
            kind = "a class" if isinstance(node, ast.ClassDef) else "a decorated or asynchronous function"
            message = f"found {kind}; write a plain function (def {arch}) that returns the model"
            return NetworkProblem(node.lineno, arch, message)
        there = ", ".join(self._functions) or "none"
        return NetworkProblem(1, arch, f"no such function at the top level of the file; it has {there}")


def network_of(function: Callable[..., Any], reserved: Collection[str]) -> Network:
    """Return the network of a Python function, from the text of the file that defines it.

    Args:
        function: a plain function, of a file or of a notebook's cell.
        reserved: names that no option may have.

    Raises:
        NetworkFileError: the function cannot be a network.
        UsageError: its source is not known.
    """
    return source_of(function).network(function.__name__, reserved)


def source_of(function: Callable[..., Any]) -> NetworkSource:
    """Return the text of the file, or of the notebook's cell, that defines a function.

    Raises:
        UsageError: the source is not known.
    """
    if not inspect.isfunction(function):
        raise UsageError(f"found {type(function).__name__}; give the function that returns the model")
    file = function.__code__.co_filename
    if isinstance(source := function.__globals__.get(SOURCE), NetworkSource):
        return source
    try:
        return NetworkSource.of(file, Path(file).read_bytes())
    except OSError:  # a notebook's cell, or a module executed from memory
        text = "".join(linecache.getlines(file))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 text; save it as UTF-8") from error
    if not text:
        raise UsageError(f"the source of {function.__name__} is not known; define it in a file or a notebook")
    return NetworkSource(file, text)
