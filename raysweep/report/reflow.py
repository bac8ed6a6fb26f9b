"""Live display that stays correct when the terminal becomes narrower.

A narrower terminal wraps the lines that are already on it, so the first line moves further up than rich
assumes; rich counts the lines as drawn.
"""

from collections.abc import Sequence
from math import ceil

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import ControlType, Segment


def draws_in_place(console: Console) -> bool:
    """Return whether a console is a terminal on which the cursor can move.

    FORCE_COLOR and its like ask rich for colours where no terminal is, and let rich take that for one.
    """
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


class ReflowedRender(LiveRender):
    """`LiveRender` that finds its first line by the rows that its lines occupy now."""

    def __init__(self, console: Console, renderable: RenderableType) -> None:
        """Draw a renderable on a terminal whose width may change."""
        super().__init__(renderable)
        self._console = console
        self._widths: Sequence[int] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the renderable, and keep the terminal's last two lines free.

        One is for the cursor and an echoed `^C`, which would start a new row at the end of a full line. The
        other is for rich, which moves the cursor there before it erases everything.
        """
        lines = console.render_lines(self.renderable, options, pad=False)[: max(options.size.height - 2, 0)]
        self._widths = [Segment.get_line_length(line) for line in lines]
        self._shape = Segment.get_shape(lines)
        for line in lines:
            yield from line
            yield Segment.line()

    def position_cursor(self) -> Control:
        """Move the cursor to the first line, and erase the drawing."""
        return self._up(self._rows) if self._widths else Control()

    def restore_cursor(self) -> Control:
        """Move the cursor from one line further down to the first line, and erase the drawing."""
        return self._up(self._rows + 1) if self._widths else Control()

    @property
    def _rows(self) -> int:
        width = max(self._console.width, 1)
        return sum(max(ceil(length / width), 1) for length in self._widths)

    def _up(self, rows: int) -> Control:
        lines = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * rows
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *lines)


class ReflowedLive(Live):
    """`rich.live.Live` for one renderable on a terminal whose width may change."""

    def __init__(self, renderable: RenderableType, console: Console, *, refresh_per_second: float) -> None:
        """Redraw a renderable on a terminal."""
        super().__init__(
            renderable,
            console=console,
            refresh_per_second=refresh_per_second,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        # rich has no public way to replace a live display's renderer.
        self._live_render = ReflowedRender(console, renderable)
