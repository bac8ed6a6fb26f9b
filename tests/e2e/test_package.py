"""The package as it is published: built, checked, installed into empty environments, and used there.

Nothing of the clone can be imported there: an environment has the installed package, and a path to the
dependencies' folder, whose own `.pth` files (such as that of an editable install) are not read.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from sysconfig import get_path

import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = get_path("purelib")

pytestmark = pytest.mark.e2e


def done(*command: object, cwd: Path, timeout: float = 240) -> str:
    """Run a command of a user that has no Python settings; return what it prints."""
    env = {key: os.environ[key] for key in ("HOME", "LANG", "PATH") if key in os.environ}
    ran = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=env | {"COLUMNS": "100", "SOURCE_DATE_EPOCH": "1580601600"},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def built(source: Path, folder: Path, target: str) -> Path:
    """Build a wheel or an sdist with the installed hatchling; no network, no isolation."""
    done(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (path,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def wheel_of_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return built(source, tmp_path_factory.mktemp("again"), "wheel")


def test_what_is_published_passes_the_check_of_the_index(wheel: Path, sdist: Path) -> None:
    done(Path(sys.executable).parent / "twine", "check", "--strict", wheel, sdist, cwd=wheel.parent)


def test_the_wheel_has_the_code_the_pages_parts_and_the_examples(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith("raysweep-")}
    code = {f"{path.relative_to(ROOT)}" for path in (ROOT / "raysweep").rglob("*.py")}
    others = {f"raysweep/report/page/{name}" for name in ("page.js", "styles.css", "template.html")}
    examples = {f"raysweep/grids/{p.name}" for p in (ROOT / "grids").iterdir() if p.is_file()}
    assert names == {*code, *others, *examples, "raysweep/py.typed"}


def test_the_sdist_builds_the_same_wheel(wheel: Path, wheel_of_sdist: Path) -> None:
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(wheel_of_sdist) as other:
        assert {n: one.read(n) for n in one.namelist()} == {n: other.read(n) for n in other.namelist()}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.package
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["wheel", "wheel_of_sdist"])
def test_an_installed_package_needs_nothing_of_the_clone(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    python = environment_with(request.getfixturevalue(kind), tmp_path / "env")
    command, folder = python.parent / "raysweep", tmp_path / "work"
    folder.mkdir()
    where = done(python, "-c", "import raysweep; print(raysweep.__file__)", cwd=folder)
    assert where.startswith(str(tmp_path / "env"))
    assert str(ROOT / "raysweep") not in done(python, "-c", "import sys; print(sys.path)", cwd=folder)
    assert "quick" in done(command, "grids", cwd=folder)
    assert done(command, "grids", "networks", cwd=folder).startswith(
        "networks.yaml: copied\nnetworks.py: copied"
    )
    done(command, "plan", "networks.yaml", cwd=folder)
    done(command, "grids", "quick", cwd=folder)
    report = done(command, "run", "quick.yaml", "--cpus", 2, cwd=folder, timeout=600)
    assert "quick · 8 of 8 trials" in report
    assert "quick · 8 of 8 trials" in done(command, "report", "results/quick", cwd=folder)
    done(command, "report", "results/quick", "--html", "quick.html", cwd=folder)
    done(command, "plot", "results/quick", "-o", "quick.pdf", cwd=folder)
    assert (folder / "quick.pdf").read_bytes().startswith(b"%PDF")
    assert (
        done(command, "verify", "results/quick", cwd=folder) == "results/quick: 8 trials, 0 damaged files\n"
    )
    shutil.rmtree(tmp_path / "env")


def environment_with(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel alone and the dependencies on its path; return its Python."""
    done(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    done(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder.parent)
    packages = Path(
        done(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    (packages / "dependencies.pth").write_text(f"{DEPENDENCIES}\n")
    return python
