"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

GridFile = Annotated[Path, typer.Argument(metavar="GRID", help="Grid file (YAML).", show_default=False)]
Folder = Annotated[
    Path, typer.Argument(metavar="SWEEP", help="Results folder of a sweep.", show_default=False)
]
Trial = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL", help="Id of a trial, or any unique prefix of the id.", show_default=False
    ),
]
ResultsDir = Annotated[Path, typer.Option(metavar="DIR", help="Folder that holds the results folders.")]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the sweep, instead of the grid file's.")
]
Cpus = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Number of cores to use; on a cluster, the maximum."),
]
