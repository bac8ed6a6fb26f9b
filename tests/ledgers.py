"""Trials to commit, and what lies in a results folder; for the tests of the ledger."""

from pathlib import Path

import numpy as np

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
