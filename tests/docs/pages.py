"""The documents as data: fenced blocks, the commands in them, tables, links."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = ("sh", "bash")
_BETWEEN_COMMANDS = re.compile(r"[();|&]+|--")
_REDIRECTION = re.compile(r">\s*\S+")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    page: Path
    line: int
    """Of its first line of code, from 1."""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in some languages, or all."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match[1], match[2], page, text.count("\n", 0, match.start(2)) + 1)
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def named_files(page: Path) -> dict[str, str]:
    """The Python files that a page shows, by the name that a comment in their first line gives."""
    shown = [(re.match(r"# (\w+\.py)\b", block.text), block.text) for block in blocks(page, "python")]
    return {name[1]: text for name, text in shown if name}


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[tuple[str, ...]]:
    """Every command of a page's shell blocks, each as its words.

    One that is handed to another behind ``--``, or stands in parentheses, is a command of its own.
    """
    return [command for block in blocks(page, *_SHELL) for command in _commands(block.text)]


def _commands(script: str) -> Iterator[tuple[str, ...]]:
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.shlex(_REDIRECTION.sub("", line), posix=True, punctuation_chars=True)
        words.whitespace_split = True
        yield from _split(list(words))


def _split(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    command: list[str] = []
    for word in [*words, ";"]:
        if not _BETWEEN_COMMANDS.fullmatch(word):
            command.append(word)
        elif command:
            yield tuple(command)
            command = []


def options_of(command: Sequence[str]) -> set[str]:
    """The long options among a command's words, without their values."""
    return {word.partition("=")[0] for word in command if word.startswith("--")}


def rows(text: str) -> list[list[str]]:
    """The cells of every table row of a text, headings and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {i for i, cells in enumerate(table) if all(re.fullmatch(r"-+", cell) for cell in cells)}
    return [cells for i, cells in enumerate(table) if i not in rules and i + 1 not in rules]


def section(page: Path, heading: str) -> str:
    """What stands under a heading, to the next one of any level."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no heading {heading!r}"
    return found[1]


def names(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)
