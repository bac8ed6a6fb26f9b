"""Trials to commit, and what lies in a results folder; for the tests of the ledger."""

from pathlib import Path

import numpy as np

from raysweep.errors import ResultsError
from raysweep.store import checksum
from raysweep.store.encoding import EncodedTrial, encode
from raysweep.store.ledger import Ledger
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings


def encoded(seed: int = 0, *, diverged: bool = False) -> EncodedTrial:
    settings = synthetic_settings(seed=seed)
    return encode(synthetic_result(settings, np.random.default_rng(seed), diverged=diverged), PROVENANCE)


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def damage_of(ledger: Ledger) -> dict[str, str]:
    return {str(one.path.relative_to(ledger.paths.folder)): one.what for one in ledger.verify().damage}


def checkpoint_of(ledger: Ledger, trial_id: str) -> bytes | None:
    """The bytes of a trial's checkpoint; None if there is none that is whole."""
    path = ledger.paths.checkpoint(trial_id)
    try:
        return checksum.strip(path.read_bytes()) if path.exists() else None
    except ResultsError:
        return None
