"""What the tests of faults share."""

import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sandbox import Sandbox


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
