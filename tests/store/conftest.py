"""A ledger, empty and with four trials."""

from pathlib import Path

import pytest

from raysweep.store.ledger import Ledger
from tests.ledgers import encoded


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "results" / "lengths")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.open_for_writing() as writer:
        for seed in range(3):
            writer.commit(encoded(seed))
        writer.commit(encoded(3, diverged=True))
    return ledger
