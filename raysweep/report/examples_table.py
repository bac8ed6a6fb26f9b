"""List of the example grids as a rich renderable."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from raysweep.report.fitting import Fitting
from raysweep.text import count, duration


@dataclass(frozen=True, slots=True)
class Example:
    """One example, as it would run on this machine."""

    name: str
    about: str
    """First sentence of the file's first comment."""
    trials: int
    seconds: float | None
    """Assumed time of a run; None if no trial of it can run here."""


def examples_view(examples: Sequence[Example], cpus: int) -> RenderableType:
    """Lay out the examples, one row each.

    Args:
        examples: all examples.
        cpus: cores that the assumed times are for.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for one in examples:
        time = "not here" if one.seconds is None else duration(one.seconds, rough=True)
        table.add_row(one.name, count(one.trials, "trial"), time, one.about)
    remark = f"Times are assumed, on {count(cpus, 'core')}. `raysweep grids NAME` copies one here."
    return Group(Fitting(table), Text(), Text(remark))
