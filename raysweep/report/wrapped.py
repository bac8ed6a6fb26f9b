"""Indented paragraph that wraps at the console's width, but never between a name and its number."""

import textwrap

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from raysweep.text import TOGETHER


class Wrapped:
    """Paragraph with its first line indented by `first` columns and every other line by `rest`.

    >>> narrow = Console(width=15, color_system=None)
    >>> narrow.print(Wrapped(f"MEM{TOGETHER}50, MEM{TOGETHER}150", 2, 4))
      MEM 50,
        MEM 150
    """

    def __init__(self, text: str, first: int, rest: int) -> None:
        """Keep the text, which must be clean already."""
        self._text = text
        self._first = first
        self._rest = rest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Break the text into lines."""
        lines = textwrap.wrap(
            self._text,
            options.max_width,
            initial_indent=" " * self._first,
            subsequent_indent=" " * self._rest,
            break_on_hyphens=False,
        )
        yield from (Text(line.replace(TOGETHER, " ")) for line in lines)
