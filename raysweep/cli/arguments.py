"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from raysweep.cli.completion import complete_sweep, complete_trial
from raysweep.cli.paths import user_path

GridFile = Annotated[
    Path,
    typer.Argument(
        metavar="GRID",
        help="Grid file (YAML); - reads standard input.",
        show_default=False,
        parser=user_path,
    ),
]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="SWEEP",
        help="Results folder of a sweep.",
        show_default=False,
        parser=user_path,
        autocompletion=complete_sweep,
    ),
]
Trial = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="Id of a trial, or any unique prefix of the id.",
        show_default=False,
        autocompletion=complete_trial,
    ),
]
ResultsDir = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder that holds the results folders.", parser=user_path)
]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the sweep, instead of the grid file's.")
]
Cpus = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Number of cores to use; on a cluster, the maximum."),
]
