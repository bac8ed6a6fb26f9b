"""The commands that make something of results: a figure, files for other tools, the same trial again."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from raysweep.cli.arguments import Folder, Trial
from raysweep.cli.completion import one_of
from raysweep.cli.output import ledger_of, output, print_view
from raysweep.cli.paths import user_path


def plot(
    sweep: Folder,
    file: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File: .svg, .png or .pdf.",
            show_default=False,
            parser=user_path,
        ),
    ],
    figure: Annotated[
        str,
        typer.Option(
            metavar="FIGURE",
            help="heatmap, curves, positions or slips.",
            autocompletion=one_of("heatmap", "curves", "positions", "slips"),
        ),
    ] = "heatmap",
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="Of heatmap: exact_match, position_accuracy, epochs_to_reach, loss; "
            "of curves: exact_match, loss, accuracy. Default: exact_match.",
            autocompletion=one_of("exact_match", "position_accuracy", "epochs_to_reach", "loss", "accuracy"),
        ),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="SETTING", help="Setting of the rows; default: len, if it varies.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="SETTING", help="Setting of the columns or colours; default: mem."),
    ] = None,
    reach: Annotated[
        float,
        typer.Option(metavar="LEVEL", min=0, max=1, help="Exact-match that epochs_to_reach refers to."),
    ] = 0.99,
    width: Annotated[
        float, typer.Option(metavar="MM", min=40, max=400, help="Width on paper, in millimetres.")
    ] = 85,
) -> None:
    """Draw a figure for a paper or a talk.

    Any other setting that varies separates panels; letters have 7.5 points, on paper of that width.
    """
    from raysweep.plotting import Plot
    from raysweep.plotting import plot as draw
    from raysweep.text import clean_text

    draw(ledger_of(sweep), Plot(figure, metric, rows, columns, reach, width), file)
    with output():
        print(clean_text(f"{file}: {file.stat().st_size / 1e3:,.0f} kB"))


def export(
    sweep: Folder,
    tensorboard: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="TensorBoard's log folder: one run a trial, in a folder of its id.",
            show_default=False,
            parser=user_path,
        ),
    ],
) -> None:
    """Write scalars and hyperparameters for TensorBoard.

    Exporting again renews what has changed.
    """
    from raysweep.tensorboard import export_runs
    from raysweep.text import clean_text, count

    done = export_runs(ledger_of(sweep), tensorboard)
    with output():
        print(
            clean_text(f"{tensorboard}: {count(done.written, 'run')} written, {done.unchanged:,} unchanged")
        )


def reproduce(
    sweep: Folder,
    trial: Trial,
    networks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Python file that defines the trial's network, if not built in.",
            parser=user_path,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.keras",
            help="New file for the trained Keras network, if its predictions are equal.",
            parser=user_path,
        ),
    ] = None,
) -> None:
    """Train one trial again, without Ray, and compare every byte.

    Compares its predictions and its curve; exits with 1 if they differ, and says where and what may be why.
    """
    if os.environ.get("PYTHONHASHSEED") != "0":  # as workers have it; only a new Python takes it up
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    from raysweep.report.reproduction_report import TrialProgress, reproduction_view
    from raysweep.reproduction import reproduce as train_again
    from raysweep.run.terminal import SHOW_CURSOR, restored

    ledger = ledger_of(sweep)
    trial_id = ledger.find_trial(trial)
    with os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace") as screen:
        console = Console(file=screen)  # its own: the import of TensorFlow is kept quiet
        with restored(screen.fileno(), SHOW_CURSOR), TrialProgress(trial_id, console) as progress:
            found = train_again(ledger, trial_id, networks=networks, model=model, show=progress.show)
    print_view(reproduction_view(found))
    raise SystemExit(1 if found.differences else 0)
