"""What README.md shows is run; what it names exists."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

import raysweep
from raysweep.analysis.aggregate import analyse
from raysweep.architectures import BUILT_IN
from raysweep.errors import RaysweepError
from raysweep.grid import read_grid
from raysweep.store.ledger import Ledger
from raysweep.text import interval_ends
from raysweep.trial.settings import TrialSettings
from tests.command import RAYSWEEP
from tests.command import raysweep as run_raysweep
from tests.docs.pages import (
    README,
    ROOT,
    Block,
    blocks,
    commands,
    named_files,
    names,
    options_of,
    prose,
    rows,
    section,
)

REFERENCE = ROOT / "results" / "reference"
GRIDS = sorted((ROOT / "grids").glob("*.yaml"))

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="results/reference is not trained yet")

CHEAP = ("plan", "report", "show", "verify", "compare", "plot", "reproduce", "export", "grids")
"""Commands of raysweep that are run as they stand, in a folder of their own."""

NOT_RUN = {
    "make": "sets up and trains; its targets are looked up in the Makefile",
    "run": "trains for minutes, or on a cluster; tests/e2e runs it, here its options and files are looked up",
    "ray": "needs a cluster, and ends other people's; its options are looked up",
    "srun": "needs Slurm",
    "scontrol": "needs Slurm",
    "head": "reads what scontrol says",
    "export": "the shell's own",
    "umask": "the shell's own",
    ".": "the shell's own",
}
"""Why a command is not run."""


def raysweep_commands() -> list[tuple[str, ...]]:
    return [command for command in commands(README) if command[0] == "raysweep"]


SHOWN = [c for c in raysweep_commands() if c[1] in CHEAP and "--watch" not in c]
"""Those that need no terminal."""


@cache
def help_of(*command: str) -> str:
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize("block", blocks(README, "yaml"), ids=str)
def test_every_grid_shown_is_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(block.text, encoding="utf-8")
    for name, text in named_files(README).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert_count(block.text, len(read_grid(path).trials))


def assert_count(text: str, trials: int) -> None:
    """Where a comment multiplies the axes, its product is the number of trials."""
    if product := re.search(r"× \d+ = (\d+)", text):
        assert int(product[1]) == trials


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_grid_that_is_shipped_is_valid_and_described(path: Path) -> None:
    grid = read_grid(path)
    assert grid.name == path.stem
    assert_count(path.read_text(encoding="utf-8"), len(grid.trials))
    assert f"`{path.stem}`" in section(README, "Write a grid")


@needs_reference
@pytest.mark.e2e
def test_the_python_that_is_shown_runs(tmp_path: Path) -> None:
    lines = [""] * README.read_text(encoding="utf-8").count("\n")
    for block in blocks(README, "python"):
        shown = block.text.splitlines()
        lines[block.line - 1 : block.line - 1 + len(shown)] = shown
    script = tmp_path / "README.py"  # with README's line numbers
    script.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


@needs_reference
@pytest.mark.parametrize("block", blocks(README, "sql"), ids=str)
def test_the_sql_that_is_shown_finds_rows(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert duckdb.execute(block.text).fetchall()


@needs_reference
@pytest.mark.e2e
@pytest.mark.parametrize("command", SHOWN, ids=" ".join)
def test_the_commands_that_do_not_train_sweeps_run_as_they_stand(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("grids", "results"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = run_raysweep(*command[1:], cwd=tmp_path)
    if command[1] == "reproduce" and done.returncode == 1:  # trained on another processor: it must say that
        assert ": not reproduced, " in done.stdout
        assert "Not as in the trial's row:" in done.stdout
        return
    assert done.returncode == 0, done.stderr
    assert done.stdout or "-o" in command


def test_every_other_command_that_is_shown_has_a_reason_not_to_be_run() -> None:
    shown = {c[1] if c[0] == "raysweep" else c[0].partition("=")[0] for c in commands(README)}
    assert shown - {"first"} == {*NOT_RUN, *CHEAP}  # `first` is set to what scontrol says


def test_the_grids_and_targets_that_commands_name_exist() -> None:
    for command in commands(README):
        for word in command:
            if word.startswith("grids/"):
                assert (ROOT / word).is_file()
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {command[1] for command in commands(README) if command[0] == "make"} <= set(targets)


@pytest.mark.e2e
def test_the_options_of_raysweep_are_those_that_readme_names() -> None:
    offered = {command: help_of(str(RAYSWEEP), command) for command in ("run", *CHEAP)}
    for command in raysweep_commands():
        assert options_of(command) <= set(re.findall(r"--[a-z-]+", offered[command[1]])), command
    everywhere = {option for text in offered.values() for option in re.findall(r"--[a-z-]+", text)}
    shown = {option for command in raysweep_commands() for option in options_of(command)}
    spoken = set(re.findall(r"`[^`]*`", README.read_text(encoding="utf-8").replace("\n", " ")))
    spoken_of = {option for code in spoken for option in re.findall(r"--[a-z-]+", code)}
    comments = set(re.findall(r"--[a-z-]+", "".join(b.text for b in blocks(README, "sh"))))
    assert everywhere <= shown | spoken_of | comments


@pytest.mark.e2e
def test_every_option_that_a_message_names_exists() -> None:
    offered = "".join(help_of(str(RAYSWEEP), command) for command in ("run", *CHEAP))
    named = {
        option
        for path in (ROOT / "raysweep").rglob("*.py")
        for option in re.findall(r"[ (`](--[a-z-]+) ", path.read_text(encoding="utf-8"))
    }
    assert named <= set(re.findall(r"--[a-z-]+", offered))


@pytest.mark.e2e
def test_every_command_and_every_option_has_a_help_text() -> None:
    import typer

    from raysweep.cli import app

    group: Any = typer.main.get_command(app)
    assert group.help
    for name, command in group.commands.items():
        assert command.help, name
        assert f"raysweep {name}" in README.read_text(encoding="utf-8")
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.e2e
@pytest.mark.parametrize("command", [c for c in commands(README) if c[0] == "ray"], ids=" ".join)
def test_the_options_of_ray_exist(command: tuple[str, ...]) -> None:
    ray = Path(sys.executable).parent / "ray"
    subcommand = command[1:3] if command[1] == "job" else command[1:2]
    known = help_of(str(ray), *subcommand)
    if subcommand == ("symmetric-run",):  # it hands the rest on
        known += help_of(str(ray), "start")
    assert options_of(command) <= set(re.findall(r"--[a-z-]+", known))


def test_every_public_name_can_be_imported_and_is_documented() -> None:
    text = README.read_text(encoding="utf-8")
    for name in raysweep.__all__:
        assert getattr(raysweep, name).__doc__, name
        assert f"raysweep.{name}" in text or f"`{name}`" in text, name
    assert dir(raysweep) == sorted(raysweep.__all__)


def test_the_table_of_settings_is_what_the_program_assumes() -> None:
    table = {names(cells[0])[0]: cells[2:] for cells in rows(section(README, "Write a grid"))}
    of_own_networks = {"network", "options"}
    assert [*table] == [name for name in TrialSettings.model_fields if name not in of_own_networks]
    for column, arch in enumerate(BUILT_IN):
        assumed = TrialSettings(arch=arch, len=3, mem=1, seed=0).model_dump()
        for setting, cells in table.items():
            if cells[column].replace(".", "").isdigit():
                assert float(cells[column]) == assumed[setting], f"{setting} of {arch}"


def test_the_exit_codes_are_those_of_the_errors() -> None:
    shown = {int(code) for cells in rows(section(README, "The command")) for code in cells[0].split(", ")}
    assert {error.exit_code for error in errors(RaysweepError)} <= shown
    assert {128 + signum for signum in (1, 2, 15)} <= shown


def errors(kind: type[RaysweepError]) -> list[type[RaysweepError]]:
    return [kind, *(error for child in kind.__subclasses__() for error in errors(child))]


def test_readme_says_nothing_of_commands_that_do_not_exist() -> None:
    spoken = re.findall(r"`raysweep ([a-z]+)", prose(README))
    assert set(spoken) <= {"run", *CHEAP}


@needs_reference
def test_what_the_results_teach_is_what_they_say() -> None:
    """Each number and comparison of that paragraph, from the files."""
    sweep = raysweep.load(REFERENCE)
    exact = sweep.sql(
        "SELECT len, mem, arch, avg(exact::int) AS share FROM predictions GROUP BY ALL ORDER BY ALL"
    )
    share = {(arch, length, mem): value for length, mem, arch, value in exact.fetchall()}
    assert all(share["echo", length, mem] == 1 for length in range(2, 9) for mem in (50, 150, 300))
    assert all(0.95 < share["echo", length, 16] < 1 for length in range(2, 9))
    assert [int(100 * share["seq2seq", length, 300]) for length in (2, 4)] == [98, 64]
    assert all(share["seq2seq", length, 300] < 0.01 for length in (6, 7, 8))
    cells = {
        (cell.settings["len"], cell.settings["mem"]): cell
        for cell in analyse(Ledger(ROOT / "results" / "longer")).cells
    }
    assert [int(100 * (cells[length, 300].exact_match or 0)) for length in (4, 6, 8)] == [97, 91, 80]
    interval = cells[8, 300].interval
    assert interval is not None
    assert interval_ends(interval.low, interval.high) == ".72–.87"
    assert [one.exact_match for one in cells[8, 300].evaluations if one.epoch == 5000] == [0]
    for length in (2, 3, 4, 5):
        of = [cells[length, mem].exact_match or 0 for mem in (150, 300)]
        assert of[0] > of[1] - 0.01
    assert int(100 * (cells[8, 150].exact_match or 0)) == 2
    assert not any(
        cells[length, mem].epochs_to_reach(0.99).epochs for length in (5, 6, 7, 8) for mem in (150, 300)
    )
