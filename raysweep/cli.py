"""The command line: arguments, printing, exit codes.

Ray and TensorFlow are imported only where trials are missing, Arrow only where tables are read, so that help,
plans and reports come at once.
"""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, RenderableType

from raysweep.errors import GridError, RaysweepError, StorageError, UsageError
from raysweep.machine import local_cpus, local_gpus

if TYPE_CHECKING:
    from raysweep.store.ledger import Ledger

app = typer.Typer(
    name="raysweep",
    help="Train a grid of stateful Keras LSTM networks on all cores, and see which of them learned what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GridFile = Annotated[Path, typer.Argument(metavar="GRID", help="Grid file (YAML).", show_default=False)]
Folder = Annotated[
    Path, typer.Argument(metavar="SWEEP", help="Results folder of a sweep.", show_default=False)
]
ResultsDir = Annotated[Path, typer.Option(metavar="DIR", help="Folder that holds the sweeps' folders.")]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the sweep, instead of the grid file's.")
]
Cpus = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Cores to use: of this machine, or at most of the cluster."),
]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"raysweep {version('raysweep')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train a grid of stateful Keras LSTM networks on all cores, and see which of them learned what."""


@app.command()
def run(
    grid: GridFile,
    results_dir: ResultsDir = Path("results"),
    name: Name = None,
    cpus: Cpus = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An existing Ray cluster; default: a private one.")
    ] = None,
    trust_cluster: Annotated[
        bool, typer.Option("--trust-cluster", help="Join a cluster on other machines without a token.")
    ] = False,
    retries: Annotated[
        int, typer.Option(metavar="N", min=0, help="How often a failed trial is tried again.")
    ] = 2,
    trial_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=1,
            help="Seconds an attempt may take; default: 20 times its estimate, 15 min or more.",
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="One line a finished trial, no live display.")
    ] = False,
) -> None:
    """Train what is missing; show the run live, then the report.

    Running again continues: it trains what is missing and nothing else.
    """
    from raysweep.run.command import run_sweep
    from raysweep.run.request import RunOptions

    options = RunOptions(
        cpus=cpus,
        address=address,
        trust_cluster=trust_cluster,
        retries=retries,
        trial_timeout=trial_timeout,
        plain=plain,
    )
    raise SystemExit(run_sweep(grid, results_dir, name, options))


@app.command()
def plan(
    grid: GridFile, results_dir: ResultsDir = Path("results"), name: Name = None, cpus: Cpus = None
) -> None:
    """Show what would run, and how long it may take.

    Says what is done already; starts nothing.
    """
    from raysweep.grid import read_grid
    from raysweep.report.plan_report import plan_view
    from raysweep.store.ledger import Ledger
    from raysweep.store.timings import measured
    from raysweep.trial.cost import RuntimeEstimate

    asked = read_grid(grid, name=name)
    ledger = Ledger(results_dir / asked.name)
    cores = cpus or local_cpus()
    _print(
        plan_view(
            asked,
            ledger.committed_with_expected_sizes(),
            RuntimeEstimate(measured(ledger)),
            cores,
            local_gpus(),
        )
    )


@app.command()
def report(
    sweep: Folder,
    mem: Annotated[
        int | None,
        typer.Option(metavar="MEM", help="MEM whose position accuracy is shown; default: the largest."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every number, as one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every number, one row a cell.")] = False,
) -> None:
    """Show what each network can learn.

    Exact-match, accuracy per position, findings; works in the middle of a run.
    """
    from raysweep.analysis.aggregate import analyse
    from raysweep.analysis.export import report_csv, report_json
    from raysweep.report.sweep_report import PLAN_UNKNOWN, report_view

    if as_json and as_csv:
        raise UsageError("--json and --csv: choose one of them")
    analysis = analyse(_ledger(sweep))
    if as_json or as_csv:
        if not analysis.plan_known:
            print(PLAN_UNKNOWN, file=sys.stderr)
        with _output():
            sys.stdout.write(report_json(analysis) if as_json else report_csv(analysis))
    else:
        _print(report_view(analysis, mem=mem))


@app.command()
def show(
    sweep: Folder,
    trial: Annotated[
        str,
        typer.Argument(
            metavar="TRIAL", help="A trial's id, or any unique beginning of one.", show_default=False
        ),
    ],
) -> None:
    """Show one trial as the notebook did.

    Settings, layers, learning curve, and what was expected and predicted.
    """
    from raysweep.report.trial_report import find_trial, trial_view

    ledger = _ledger(sweep)
    _print(trial_view(ledger, find_trial(ledger, trial)))


@app.command()
def verify(sweep: Folder) -> None:
    """Check every file against its checksum.

    Lists the damage and exits with 1 where there is any.
    """
    from raysweep.text import clean_text

    verdict = _ledger(sweep).verify()
    with _output():
        for damage in verdict.damage:
            print(clean_text(f"{damage.path}: {damage.what}").replace("\n", " "))
        print(clean_text(f"{sweep}: {verdict.trials} trials, {len(verdict.damage)} damaged files"))
    raise SystemExit(1 if verdict.damage else 0)


def main() -> None:
    """Run the command line; every error of `raysweep.errors` becomes its message and its exit code."""
    _prepare_streams()
    try:
        app(prog_name="raysweep")
    except RaysweepError as error:
        _complain(error)
        sys.exit(error.exit_code)


def _prepare_streams() -> None:
    """Give Python the streams that were closed, and let it print to any encoding."""
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _complain(error: RaysweepError) -> None:
    from raysweep.text import clean_text

    message = str(error)
    if isinstance(error, GridError):
        count = len(error.problems)
        message += f"\n{count} {'error' if count == 1 else 'errors'}, nothing was started"
    print(clean_text(message), file=sys.stderr)


def _ledger(folder: Path) -> "Ledger":
    """Open a sweep's results for reading.

    Raises:
        UsageError: there is no such folder.
    """
    from raysweep.store.ledger import Ledger

    if not folder.is_dir():
        raise UsageError(f"{folder}: no such results folder; `raysweep run GRID` makes one in `results`")
    return Ledger(folder)


def _print(renderable: RenderableType) -> None:
    """Print for people."""
    with _output():
        Console().print(renderable)


@contextmanager
def _output() -> Iterator[None]:
    """Print within; a closed pipe ends the command without a word, as it ends other Unix commands.

    Raises:
        StorageError: standard output is a file, and its disk is full.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer would fail again
        raise StorageError(f"the output cannot be written: {error.strerror or error}") from error
