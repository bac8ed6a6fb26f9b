"""The command line: arguments, printing, exit codes.

No command imports Ray in its own process, and only `reproduce` TensorFlow: both live in the driver process,
which `run` starts if trials are missing. Arrow is imported only for tables. So help, plans and reports appear
at once.
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
    help="Train a grid of stateful Keras LSTM networks on all cores, and report what each of them learned.",
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
    """Train a grid of stateful Keras LSTM networks on all cores, and report what each of them learned."""


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
        int, typer.Option(metavar="N", min=0, help="How often a failed trial is retried.")
    ] = 2,
    trial_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=1,
            help="Time limit of an attempt in seconds; default: 20 times the estimate, at least 15 min.",
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print one line per finished trial, no live display.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the report up to date as a page in FILE.")
    ] = None,
) -> None:
    """Train the missing trials; show the run live, then the report.

    Run the same command again to resume: only missing trials are trained.
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
        html=html,
    )
    raise SystemExit(run_sweep(grid, results_dir, name, options))


@app.command()
def plan(
    grid: GridFile, results_dir: ResultsDir = Path("results"), name: Name = None, cpus: Cpus = None
) -> None:
    """Show which trials would run, and how long the run may take.

    Counts the trials that are done; starts nothing.
    """
    from raysweep.analysis.forecast import forecast
    from raysweep.analysis.network_versions import network_changes
    from raysweep.grid import read_grid
    from raysweep.report.plan_report import plan_view
    from raysweep.store.ledger import Ledger
    from raysweep.trial.cost import RuntimeEstimate
    from raysweep.trial.training_state import made_here

    asked = read_grid(grid, name=name)
    ledger = Ledger(results_dir / asked.name)
    done = ledger.committed_with_expected_sizes()
    changes = network_changes(asked, ledger, done)
    ahead = forecast(
        asked,
        done,
        RuntimeEstimate(ledger.timings()),
        ledger.states(made_here(asked.resources)),
    )
    _print(plan_view(asked, ahead, cpus or local_cpus(), local_gpus(), changes))


@app.command()
def report(
    sweep: Folder,
    mem: Annotated[
        int | None,
        typer.Option(metavar="MEM", help="MEM whose position accuracy is shown; default: the largest."),
    ] = None,
    reach: Annotated[
        float,
        typer.Option(metavar="LEVEL", min=0, max=1, help="Exact-match at which a length counts as learned."),
    ] = 0.99,
    as_json: Annotated[bool, typer.Option("--json", help="Every number, as one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every number, as CSV, one row per cell.")] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Renew the report on the terminal until the sweep is done, or Ctrl-C."),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page for a browser to FILE: complete in itself."),
    ] = None,
) -> None:
    """Show what each network can learn.

    Shows exact-match, accuracy per position and findings; works in the middle of a run.
    """
    from raysweep.analysis.aggregate import analyse
    from raysweep.analysis.export import report_csv, report_json
    from raysweep.report.sweep_report import PLAN_UNKNOWN, report_view

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; choose one")
    if html is not None:
        if as_json or as_csv or watch or mem is not None:
            raise UsageError("--html excludes --json, --csv, --watch and --mem; the page has every MEM")
        _write_page(_ledger(sweep), html, reach)
        return
    if watch:
        from raysweep.watching import watch_report

        if as_json or as_csv:
            raise UsageError("--watch shows the report for people; leave out --json or --csv, or --watch")
        with _output():
            watch_report(_ledger(sweep), lambda analysis: report_view(analysis, mem=mem, reach=reach))
        return
    analysis = analyse(_ledger(sweep))
    if as_json or as_csv:
        if not analysis.plan_known:
            print(PLAN_UNKNOWN, file=sys.stderr)
        with _output():
            sys.stdout.write(report_json(analysis, reach) if as_json else report_csv(analysis, reach))
    else:
        _print(report_view(analysis, mem=mem, reach=reach))


def _write_page(ledger: "Ledger", file: Path, reach: float) -> None:
    """Write the report as a page."""
    from raysweep.store.output_files import require_writable, write_output
    from raysweep.text import clean_text

    require_writable(file)
    from raysweep.report.page.page import report_page  # and Altair, which takes a second

    data = report_page(ledger, reach).encode()
    write_output(file, data)
    with _output():
        print(clean_text(f"{file}: {len(data) / 1e6:.1f} MB, for any browser"))


@app.command()
def show(sweep: Folder, trial: Trial) -> None:
    """Show one trial as the notebook did.

    Shows settings, layers, learning curve, expected and predicted integers.
    """
    from raysweep.report.trial_report import trial_view

    ledger = _ledger(sweep)
    _print(trial_view(ledger, ledger.find_trial(trial)))


@app.command()
def verify(sweep: Folder) -> None:
    """Check every file against its checksum.

    Lists damaged files; exits with 1 if there are any.
    """
    from raysweep.text import clean_text, count

    verdict = _ledger(sweep).verify()
    with _output():
        for damage in verdict.damage:
            print(clean_text(f"{damage.path}: {damage.what}").replace("\n", " "))
        found = f"{count(verdict.trials, 'trial')}, {count(len(verdict.damage), 'damaged file')}"
        print(clean_text(f"{sweep}: {found}"))
    raise SystemExit(1 if verdict.damage else 0)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Results folder of a sweep.", show_default=False)],
    b: Annotated[
        Path, typer.Argument(metavar="B", help="Results folder of another sweep.", show_default=False)
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Compare only cells with this value, if a sweep has such cells."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every number, as one JSON object.")] = False,
) -> None:
    """Compare two sweeps, cell by cell: noise told from change.

    Matches cells by all settings but those that differ as a whole; shows how exact-match changes from A to B.
    """
    from raysweep.analysis.comparison import compare as compare_sweeps
    from raysweep.analysis.comparison import comparison_json
    from raysweep.analysis.matching import choices
    from raysweep.report.compare_report import compare_view

    found = compare_sweeps(_ledger(a), _ledger(b), choices(only or ()))
    if as_json:
        with _output():
            sys.stdout.write(comparison_json(found))
    else:
        _print(compare_view(found))


@app.command()
def reproduce(
    sweep: Folder,
    trial: Trial,
    networks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Python file that defines the trial's network, if not built in."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.keras", help="New file for the trained Keras network, if its predictions are equal."
        ),
    ] = None,
) -> None:
    """Train one trial again, without Ray, and compare every byte.

    Compares its predictions and its curve; exits with 1 if they differ, and says where and what may be why.
    """
    from raysweep.report.reproduction_report import TrialProgress, reproduction_view
    from raysweep.reproduction import reproduce as train_again
    from raysweep.run.terminal import SHOW_CURSOR, restored

    ledger = _ledger(sweep)
    trial_id = ledger.find_trial(trial)
    with os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace") as screen:
        console = Console(file=screen)  # its own: the import of TensorFlow is kept quiet
        with restored(screen.fileno(), SHOW_CURSOR), TrialProgress(trial_id, console) as progress:
            found = train_again(ledger, trial_id, networks=networks, model=model, show=progress.show)
    _print(reproduction_view(found))
    raise SystemExit(1 if found.differences else 0)


@app.command()
def plot(
    sweep: Folder,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File: .svg, .png or .pdf.", show_default=False),
    ],
    figure: Annotated[
        str, typer.Option(metavar="FIGURE", help="heatmap, curves, positions or slips.")
    ] = "heatmap",
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="Of heatmap: exact_match, position_accuracy, epochs_to_reach, loss; "
            "of curves: exact_match, loss, accuracy. Default: exact_match.",
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

    draw(_ledger(sweep), Plot(figure, metric, rows, columns, reach, width), output)


@app.command()
def export(
    sweep: Folder,
    tensorboard: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="TensorBoard's log folder: one run a trial, in a folder of its id.",
            show_default=False,
        ),
    ],
) -> None:
    """Write what is done for other tools: scalars and hyperparameters for TensorBoard.

    Exporting again renews what has changed.
    """
    from raysweep.tensorboard import export_runs
    from raysweep.text import clean_text, count

    done = export_runs(_ledger(sweep), tensorboard)
    with _output():
        print(
            clean_text(f"{tensorboard}: {count(done.written, 'run')} written, {done.unchanged:,} unchanged")
        )


def main() -> None:
    """Run the command line; for a `RaysweepError`, print the message and exit with the error's code."""
    _prepare_streams()
    try:
        app(prog_name="raysweep")
    except RaysweepError as error:
        _complain(error)
        sys.exit(error.exit_code)


def _prepare_streams() -> None:
    """Open standard streams that were closed, and replace characters that an encoding lacks."""
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

    if folder.is_file():
        raise UsageError(f"{folder}: a file; give the sweep's results folder, such as results/{folder.stem}")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such results folder; `raysweep run GRID` creates one in `results`")
    return Ledger(folder)


def _print(renderable: RenderableType) -> None:
    """Print for people."""
    with _output():
        Console().print(renderable)


@contextmanager
def _output() -> Iterator[None]:
    """Let the body print; a closed pipe ends the command silently, as it ends other Unix commands.

    Raises:
        StorageError: standard output is a file on a full disk.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # flushing the rest of the buffer would fail again
        raise StorageError(f"the output cannot be written: {error.strerror or error}") from error
