"""The command that lists and copies the example grids."""

from pathlib import Path
from typing import Annotated

import typer

from raysweep.cli.output import output, print_view
from raysweep.machine import local_cpus, local_gpus


def _complete_name(incomplete: str) -> list[str]:
    from raysweep.grid.examples import example_files

    return [name for name in example_files() if name.startswith(incomplete)]


def grids(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Example to copy into the current folder; without it, all are listed.",
            show_default=False,
            autocompletion=_complete_name,
        ),
    ] = None,
) -> None:
    """List the example grids, or copy one here.

    Copies the networks file that it names, too; never overwrites a file that differs.
    """
    from raysweep.examples import copy_example, examples
    from raysweep.report.examples_table import examples_view

    if name is None:
        cpus = local_cpus()
        print_view(examples_view(examples(cpus, local_gpus()), cpus))
        return
    files = copy_example(name, Path())
    with output():
        for one in files:
            print(f"{one.path}: {'copied' if one.new else 'here already, the same'}")
        print(f"See what it trains, and for how long: raysweep plan {files[0].path}")
