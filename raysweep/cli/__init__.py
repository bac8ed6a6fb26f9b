"""The command line: arguments, printing, exit codes.

No command imports Ray in its own process, and only `reproduce` TensorFlow: both live in the driver process,
which `run` starts if trials are missing. Arrow is imported only for tables. So help, plans and reports appear
at once.
"""

import io
import os
import sys
from typing import Annotated

import typer

from raysweep.cli.grids import grids
from raysweep.cli.make import export, plot, reproduce
from raysweep.cli.read import compare, report, show, verify
from raysweep.cli.train import plan, run
from raysweep.errors import GridError, RaysweepError

app = typer.Typer(
    name="raysweep",
    help="Train a grid of stateful Keras LSTM networks on all cores, and report what each of them learned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMPLETE = "_RAYSWEEP_COMPLETE"
"""Variable in which a shell's completion says which shell it is."""


def _version(asked: bool) -> None:
    if asked:
        from raysweep.machine import package_versions

        print(f"raysweep {package_versions().get('raysweep', 'not installed')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train a grid of stateful Keras LSTM networks on all cores, and report what each of them learned."""


for command in (run, plan, report, show, verify, compare, plot, reproduce, export, grids):
    app.command()(command)


def main() -> None:
    """Run the command line; for a `RaysweepError`, print the message and exit with the error's code."""
    _prepare_streams()
    try:
        app(prog_name="raysweep")
    except RaysweepError as error:
        if COMPLETE in os.environ:  # a shell is asking while somebody types
            sys.exit(0)
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
