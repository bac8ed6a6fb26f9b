"""What the tests of faults share."""

import os
import random
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.command import RAYSWEEP
from tests.faults.sandbox import NOBODY, Sandbox
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random moments; the seed is printed where the test fails, and `--fault-seed` replays it."""
    given = request.config.getoption("--fault-seed")
    seed = secrets.randbelow(2**31) if given is None else int(given)
    print(f"replay with: --fault-seed {seed}")  # noqa: T201  # pytest shows it where the test fails
    return random.Random(seed)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder that is only read."""
    axes = {"arch": ["echo", "seq2seq"], "len": [2, 8], "mem": [16, 300], "seed": [0, 1]}
    content = planned(axes, defaults={"eval_sequences": 5})
    results = synthetic_results(trials_of(content), lambda trial: 0.9 if trial.mem > 16 else 0.4)
    return write_sweep(tmp_path_factory.mktemp("made") / "lengths", content, results).paths.folder


@pytest.fixture
def nobody() -> list[object]:
    """A command line that makes its rest run as a user without any rights."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else, with setpriv(1)")
    line: list[object] = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    tried = subprocess.run([*map(str, line), RAYSWEEP, "--version"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("the environment's files are closed to other users")
    return line


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter and write to; those of pytest are closed."""
    with TemporaryDirectory(prefix="rs", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
