"""A live display that stays right when the terminal is made narrower.

A terminal that becomes narrower wraps the lines that it shows, so the first line of what was drawn lies
further up than rich, which counts the lines as it drew them, would go.
"""

from collections.abc import Sequence
from math import ceil

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import ControlType, Segment


class ReflowedRender(LiveRender):
    """Draws like `LiveRender`, and finds its first line again by the rows that its lines take up now."""

    def __init__(self, console: Console, renderable: RenderableType) -> None:
        """Take the terminal, whose width may change, and what to draw."""
        super().__init__(renderable)
        self._console = console
        self._widths: Sequence[int] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw at most as many lines as the terminal has, but two.

        On the next one the cursor waits: what is typed, a `^C` above all, is echoed there, and at the end of
        a full line would begin another. The last one is where rich goes before it erases everything.
        """
        lines = console.render_lines(self.renderable, options, pad=False)[: max(options.size.height - 2, 0)]
        self._widths = [Segment.get_line_length(line) for line in lines]
        self._shape = Segment.get_shape(lines)
        for line in lines:
            yield from line
            yield Segment.line()

    def position_cursor(self) -> Control:
        """Go back to the first line, and erase what was drawn."""
        return self._up(self._rows) if self._widths else Control()

    def restore_cursor(self) -> Control:
        """Go back to the first line from one line further down, and erase what was drawn."""
        return self._up(self._rows + 1) if self._widths else Control()

    @property
    def _rows(self) -> int:
        width = max(self._console.width, 1)
        return sum(max(ceil(length / width), 1) for length in self._widths)

    def _up(self, rows: int) -> Control:
        lines = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * rows
        return Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *lines)


class ReflowedLive(Live):
    """`rich.live.Live` for one renderable, on a terminal that may change its width."""

    def __init__(self, renderable: RenderableType, console: Console, *, refresh_per_second: float) -> None:
        """Take what to draw, anew each time, and the terminal."""
        super().__init__(
            renderable,
            console=console,
            refresh_per_second=refresh_per_second,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        # rich has no public way to say how a live display finds back.
        self._live_render = ReflowedRender(console, renderable)
