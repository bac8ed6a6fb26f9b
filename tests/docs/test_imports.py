"""What the command and the package need: nothing heavy for reading, nothing undeclared."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

PROBE = """
import sys
from raysweep.cli import main
sys.argv[0] = "raysweep"
try:
    main()
finally:
    heavy = {"tensorflow", "keras", "ray", "altair", "vl_convert"}
    print("loaded:", *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""

PARTS_OF_PYDANTIC = {"pydantic_core", "annotated_types"}
"""Which its documentation has people import, and which it pins itself."""

GRID = "name: lengths\ngrid: {arch: echo, len: [2, 3], mem: 4}\ndefaults: {eval_sequences: 2}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "lengths.yaml").write_text(GRID, encoding="utf-8")
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4]}, defaults={"eval_sequences": 2})
    write_sweep(folder / "results" / "lengths", content, synthetic_results(trials_of(content)))
    return folder


@pytest.mark.e2e
@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "run --help",
        "plot --help",
        "plan lengths.yaml",
        "report results/lengths",
        "report results/lengths --json",
        "show results/lengths echo-len2",
        "verify results/lengths",
        "run lengths.yaml",  # of which nothing is missing
    ],
)
def test_a_command_that_trains_nothing_loads_neither_tensorflow_nor_ray_nor_altair(
    folder: Path, command: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].strip() == "loaded:"


def test_every_package_that_is_imported_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    known = {normal(re.split(r"[\[<>=!~ ]", requirement)[0]) for requirement in declared}
    providers = packages_distributions()
    for module in imported(ROOT / "raysweep") - {"raysweep", *PARTS_OF_PYDANTIC, *sys.stdlib_module_names}:
        assert {normal(name) for name in providers[module]} & known, f"{module} is not declared"


def imported(package: Path) -> set[str]:
    """The top-level modules that a package's files import anywhere."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
