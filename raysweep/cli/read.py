"""The commands that read results: report, show, verify and compare."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raysweep.cli.arguments import Folder, Trial
from raysweep.cli.completion import complete_sweep
from raysweep.cli.output import ledger_of, output, print_view
from raysweep.cli.paths import user_path
from raysweep.errors import UsageError

if TYPE_CHECKING:
    from raysweep.store.ledger import Ledger


def report(
    sweep: Folder,
    mem: Annotated[
        int | None,
        typer.Option(metavar="MEM", help="MEM of the position accuracy; default: each network's largest."),
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
        typer.Option(
            metavar="FILE",
            help="Write a page for a browser to FILE: complete in itself.",
            parser=user_path,
        ),
    ] = None,
) -> None:
    """Show what each network can learn.

    Shows exact-match, accuracy per position and findings; works in the middle of a run.
    """
    from raysweep.analysis.aggregate import analyse
    from raysweep.analysis.export import report_csv, report_json
    from raysweep.report.sweep_report import PLAN_UNKNOWN, report_view
    from raysweep.store.lock import live_holder
    from raysweep.store.paths import Paths
    from raysweep.text import clean_text

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; choose one")
    if html is not None:
        if as_json or as_csv or watch or mem is not None:
            raise UsageError("--html excludes --json, --csv, --watch and --mem; the page has every MEM")
        _write_page(ledger_of(sweep), html, reach)
        return
    if watch:
        from raysweep.watching import watch_report

        if as_json or as_csv:
            raise UsageError("--watch shows the report for people; leave out --json or --csv, or --watch")
        with output():
            watch_report(ledger_of(sweep), lambda analysis: report_view(analysis, mem=mem, reach=reach))
        return
    analysis = analyse(ledger_of(sweep))
    if as_json or as_csv:
        if not analysis.plan_known:
            print(PLAN_UNKNOWN, file=sys.stderr)
        with output():
            sys.stdout.write(report_json(analysis, reach) if as_json else report_csv(analysis, reach))
    else:
        print_view(report_view(analysis, mem=mem, reach=reach))
        if holder := live_holder(Paths(sweep).lock):
            print(clean_text(f"A run is writing here: {holder}."), file=sys.stderr)


def _write_page(ledger: "Ledger", file: Path, reach: float) -> None:
    """Write the report as a page."""
    from raysweep.store.output_files import PAGES, require_writable, write_output
    from raysweep.text import clean_text

    require_writable(file, PAGES, ledger.paths.folder)
    from raysweep.report.page.page import report_page  # and Altair, which takes a second

    data = report_page(ledger, reach).encode()
    write_output(file, data)
    with output():
        print(clean_text(f"{file}: {len(data) / 1e6:.1f} MB, for any browser"))


def show(sweep: Folder, trial: Trial) -> None:
    """Show one trial as the notebook did.

    Shows settings, layers, learning curve, expected and predicted integers.
    """
    from raysweep.report.trial_report import trial_view

    ledger = ledger_of(sweep)
    print_view(trial_view(ledger, ledger.find_trial(trial)))


def verify(sweep: Folder) -> None:
    """Check every file against its checksum.

    Lists damaged files; exits with 1 if there are any.
    """
    from raysweep.text import clean_text, count

    verdict = ledger_of(sweep).verify()
    with output():
        for damage in verdict.damage:
            print(clean_text(f"{damage.path}: {damage.what}").replace("\n", " "))
        found = f"{count(verdict.trials, 'trial')}, {count(len(verdict.damage), 'damaged file')}"
        print(clean_text(f"{sweep}: {found}"))
    raise SystemExit(1 if verdict.damage else 0)


def compare(
    a: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="Results folder of a sweep.",
            show_default=False,
            parser=user_path,
            autocompletion=complete_sweep,
        ),
    ],
    b: Annotated[
        Path,
        typer.Argument(
            metavar="B",
            help="Results folder of another sweep.",
            show_default=False,
            parser=user_path,
            autocompletion=complete_sweep,
        ),
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

    found = compare_sweeps(ledger_of(a), ledger_of(b), choices(only or ()))
    if as_json:
        with output():
            sys.stdout.write(comparison_json(found))
    else:
        print_view(compare_view(found))
