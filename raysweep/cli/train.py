"""The commands that take a grid: run and plan."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raysweep.cli.arguments import Cpus, GridFile, Name, ResultsDir
from raysweep.cli.completion import complete_sweep
from raysweep.cli.output import print_view
from raysweep.cli.paths import user_path
from raysweep.machine import local_cpus, local_gpus, quota_notice
from raysweep.text import count

if TYPE_CHECKING:
    from raysweep.grid import Grid
    from raysweep.store.ledger import Ledger

Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUES",
        help="Override the grid file: epochs=2000, mem=16,50, len=2..4, seq2seq.epochs=300; repeatable.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="KEY=VALUES",
        help="Train only the trials with these values now: arch=echo, len=2..4; repeatable.",
    ),
]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(
        "--reuse",
        metavar="SWEEP",
        help="Results folder whose trials are verified and copied, not trained again; repeatable.",
        parser=user_path,
        autocompletion=complete_sweep,
    ),
]


def run(
    grid: GridFile,
    results_dir: ResultsDir = Path("results"),
    name: Name = None,
    sets: Sets = None,
    only: Only = None,
    reuse: Reuse = None,
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
        Path | None,
        typer.Option(metavar="FILE", help="Keep the report up to date as a page in FILE.", parser=user_path),
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
        sets=tuple(sets or ()),
        only=tuple(only or ()),
        reuse=tuple(reuse or ()),
    )
    raise SystemExit(run_sweep(grid, results_dir, name, options))


def plan(
    grid: GridFile,
    results_dir: ResultsDir = Path("results"),
    name: Name = None,
    sets: Sets = None,
    only: Only = None,
    reuse: Reuse = None,
    cpus: Cpus = None,
) -> None:
    """Show which trials would run, and how long the run may take.

    Counts the trials that are done; starts nothing.
    """
    from raysweep.analysis.forecast import forecast
    from raysweep.analysis.grid_change import grid_changes
    from raysweep.grid import read_grid
    from raysweep.report.plan_report import plan_view
    from raysweep.run.reused_trials import reused_trials
    from raysweep.store.ledger import Ledger
    from raysweep.store.reuse import open_donors, reusable
    from raysweep.trial.cost import RuntimeEstimate
    from raysweep.trial.training_state import made_here

    asked = read_grid(grid, name=name, sets=sets or (), only=only or ())
    ledger = Ledger(results_dir / asked.name)
    donors = open_donors(reuse or (), ledger.paths.folder)
    done = ledger.committed_with_expected_sizes()
    changes = grid_changes(asked, ledger, done)
    wanted = [one.trial_id for one in asked.selected if one.trial_id not in done]
    found = reusable(wanted, donors, keep_state=asked.keep_state)
    ahead = forecast(
        asked,
        done,
        RuntimeEstimate([*ledger.timings(), *found.timings()]),
        ledger.states(made_here(asked.resources)),
        found.donors,
    )
    limits = [notice] if ahead.missing and cpus is None and (notice := quota_notice()) else []
    folders = [donor.paths.folder for donor in donors]
    reused = reused_trials(folders, found.counts, found.refused, "will be verified and taken")
    remarks = [
        *changes,
        *_what_happened(asked, ledger, done),
        *(reused if ahead.missing or ahead.reused else ()),
        *limits,
    ]
    print_view(plan_view(asked, ahead, cpus or local_cpus(), local_gpus(), remarks))


def _what_happened(grid: "Grid", ledger: "Ledger", done: set[str]) -> Iterator[str]:
    """Say which of the missing trials were finished or failed before."""
    missing = {trial.trial_id for trial in grid.trials} - done
    if damaged := ledger.committed() & missing:
        again = "it is trained again" if len(damaged) == 1 else "they are trained again"
        yield (
            f"Files of {count(len(damaged), 'finished trial')} are damaged or lost: {again}; "
            f"raysweep verify {shlex.quote(str(ledger.paths.folder))} names the files."
        )
    if failed := ledger.failures().keys() & missing:
        yield f"{count(len(failed), 'trial')} to train failed last time; `raysweep show` says why."
