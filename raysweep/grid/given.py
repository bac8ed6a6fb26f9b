"""Settings on the command line, as `KEY=VALUES`: of `--set` and of `--only`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from raysweep.grid.keys import shown_key
from raysweep.grid.nodes import Node, Problem, shown
from raysweep.grid.yaml_file import parse_values

OptionName = Literal["--set", "--only"]

_EXAMPLES: Final[dict[OptionName, str]] = {"--set": "--set epochs=2000", "--only": "--only arch=seq2seq"}


@dataclass(frozen=True, slots=True)
class Given:
    """One such option."""

    option: OptionName
    text: str
    """As written: `mem=16,50`."""
    line: int
    """Line of all its nodes, which is negative."""

    @property
    def key(self) -> str:
        """What comes before the first `=`: a setting, an option of a network, or `seq2seq.epochs`."""
        return self.text.partition("=")[0].strip()

    @property
    def place(self) -> str:
        """The option and its key, for messages."""
        return f"{self.option} {shown_key(self.key)}" if self.key else self.option

    def problem(self, message: str) -> Problem:
        """Return a problem of this option."""
        return Problem(self.line, shown_key(self.key) if self.key else "", message)

    def __str__(self) -> str:
        """Return the option as it is written on the command line."""
        return f"{self.option} {self.text}"

    def read(self, problems: list[Problem]) -> Node | None:
        """Read the values: one, a range, a list or values between commas; None if they are not valid."""
        _, sign, values = self.text.partition("=")
        if not (self.key and sign and values.strip()):
            message = f"found {shown(self.text)}; write a key and a value, such as {_EXAMPLES[self.option]}"
            problems.append(self.problem(message))
            return None
        node = parse_values(values.strip(), self.line)
        if isinstance(node, Problem):
            problems.append(self.problem(node.message))
            return None
        return node


@dataclass(frozen=True)
class GivenOptions:
    """All such options of a command, in its order."""

    sets: tuple[Given, ...]
    only: tuple[Given, ...]

    @classmethod
    def of(cls, sets: Sequence[str], only: Sequence[str]) -> "GivenOptions":
        """Return the options of a command, each with a line of its own."""
        return cls(
            tuple(Given("--set", text, -number) for number, text in enumerate(sets, 1)),
            tuple(Given("--only", text, -number) for number, text in enumerate(only, len(sets) + 1)),
        )

    @property
    def places(self) -> list[str]:
        """Place of each line, for messages."""
        return [one.place for one in (*self.sets, *self.only)]

    def read(self, problems: list[Problem]) -> "ReadOptions":
        """Read the values of all options; a key may be given once."""
        return ReadOptions(dict(_read(self.sets, problems)), dict(_read(self.only, problems)))


@dataclass(frozen=True)
class ReadOptions:
    """Values of the options, by option."""

    sets: dict[Given, Node]
    only: dict[Given, Node]


def _read(given: Sequence[Given], problems: list[Problem]) -> Iterator[tuple[Given, Node]]:
    seen: set[str] = set()
    for one in given:
        node = one.read(problems)
        if node is not None and one.key in seen:
            remedy = "keep one of the two" if one.option == "--set" else f"write --only {one.key}=A,B"
            problems.append(one.problem(f"given twice; {remedy}"))
        elif node is not None:
            yield one, node
        seen.add(one.key)
