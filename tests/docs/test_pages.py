"""The other documents: their links lead somewhere, their tables are those of the code."""

import re
import runpy
from pathlib import Path

import pytest

from raysweep.analysis.aggregate import analyse
from raysweep.report.sweep_report import report_view
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.ledger import Ledger
from raysweep.store.paths import Paths
from raysweep.trial.settings import TrialSettings
from tests.docs.pages import PAGES, ROOT, commands, names, rows, section
from tests.sweeps import drawn, planned, synthetic_results, trials_of, write_sweep

FILES = ROOT / "docs" / "files.md"
REFERENCE = ROOT / "results" / "reference"
LONGER = ROOT / "results" / "longer"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    if missing == ["docs/report.svg"] and not REFERENCE.is_dir():
        pytest.skip("results/reference is not trained yet")
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"`make (\w+)", text)) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b((?:docs|grids|tests|raysweep|benchmarks)/[\w/]+\.(?:py|yaml|md))", text)
    assert not [name for name in named if not (ROOT / name).exists()]


def columns_of(heading: str) -> list[str]:
    return [name for cells in rows(section(FILES, heading)) for name in names(cells[0])]


def test_the_columns_are_those_of_the_tables() -> None:
    settings = ["trial_id", *TrialSettings.model_fields]
    assert columns_of("The tables") == settings
    for heading, schema in (
        ("`trials`: one row", TRIALS),
        ("`predictions`: one row per evaluated window", PREDICTIONS),
        ("`curves`: one row per point of the learning curve", CURVES),
    ):
        assert set(columns_of(heading)) == set(schema.names) - set(settings)


def test_every_file_and_folder_of_a_run_is_described() -> None:
    text = FILES.read_text(encoding="utf-8")
    paths = Paths(Path("results/lengths"))
    for one in (paths.record, paths.lock, paths.log):
        assert f"\n  {one.name}\n" in text
        assert f"`{one.name}`" in text
    for folder in paths.subfolders:
        assert f"\n  {folder.name}/" in text
        assert f"`{folder.name}/" in text


def test_a_deleted_row_makes_its_trial_missing(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4]})
    ledger = write_sweep(tmp_path / "sweep", content, synthetic_results(trials_of(content)))
    first, second = sorted(ledger.committed())
    ledger.paths.table("trials", first).unlink()
    assert ledger.committed_with_expected_sizes() == {second}
    with ledger.open_for_writing():
        assert not ledger.paths.table("predictions", first).exists()
        assert not ledger.paths.table("curves", first).exists()
    assert not ledger.verify().damage


def test_the_picture_is_the_report_of_the_longest_grid() -> None:
    picture = runpy.run_path(str(ROOT / "docs" / "picture.py"))["picture"]
    drawn_before = (ROOT / "docs" / "report.svg").read_text(encoding="utf-8")
    assert drawn_before == picture(LONGER), "out of date: run docs/picture.py"


def test_the_page_on_longer_sequences_shows_what_the_report_shows() -> None:
    page = (ROOT / "docs" / "longer.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- longer-report: begin -->\n```\n")[2].partition("```\n")[0]
    report = drawn(report_view(analyse(Ledger(LONGER))))
    lines = [line for line in report.splitlines() if not line.startswith("  each cell:")]
    maps = "\n".join(line.rstrip() for line in lines)
    assert len(shown.splitlines()) > 15
    assert shown.rstrip("\n") in maps


def test_the_tables_of_architectures_are_those_of_the_results() -> None:
    tables = runpy.run_path(str(ROOT / "docs" / "architectures.py"))["tables"]
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- networks: begin -->\n")[2].partition("<!-- networks: end -->")[0]
    assert shown == tables(ROOT / "results" / "networks"), "out of date: run docs/architectures.py"


def test_the_table_of_budgets_is_that_of_the_results() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "budgets.py"))["table"]
    page = (ROOT / "docs" / "longer.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- budgets: begin -->\n")[2].partition("<!-- budgets: end -->")[0]
    assert shown == table(LONGER), "out of date: run docs/budgets.py"


def test_the_table_of_published_figures_has_ours_beside_them(tmp_path: Path) -> None:
    for name in ("notebook", "tutorial"):
        write_published(tmp_path, name)
    published = runpy.run_path(str(ROOT / "docs" / "published.py"))
    table = rows(published["table"](tmp_path))
    assert len(table) == 2 * len(published["PUBLISHED"])
    ours = table[1]  # the notebook's echo, seeds 0 and 1
    assert ours[1] == "2 seeds"
    assert ours[2] == "1.50 (1.00–2.00)"
    assert all(re.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\)", cell) for cell in ours[2:])


def write_published(folder: Path, name: str) -> None:
    """Two replicates of a published grid, with losses 1 and 2."""
    from raysweep.grid import read_grid
    from tests.sweeps import result_with

    grid = read_grid(ROOT / "grids" / f"{name}.yaml")
    small = [one.model_copy(update={"eval_sequences": 1}) for one in grid.trials if one.seed < 2]
    results = [result_with(one, [[1] * one.n_out] * one.windows, loss=1.0 + one.seed) for one in small]
    write_sweep(folder / name, None, results)


def test_the_scripts_that_pages_run_exist() -> None:
    scripts = [c[1] for page in PAGES for c in commands(page) if c[0] == "python"]
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)
