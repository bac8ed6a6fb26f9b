"""The intervals of `raysweep compare` in simulated pairs of cells: false flags, found differences, coverage.

    python -m benchmarks.differences

Cells are drawn as for `benchmarks.coverage`: the true share of each seed from a beta distribution, then the
right blocks of each sequence. Both cells of a pair have the same seeds, but independent draws, so that
pairing gains nothing and its full cost is seen. Three intervals are compared:

- shown: what `raysweep compare` shows if both cells have the same seeds
- MOVER: from the intervals of the report, as `raysweep compare` shows if the cells have different seeds
- Student: Student's t over the paired differences alone

If there is one seed, the shown interval is MOVER's, and there is no third.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.coverage import SEQUENCES
from benchmarks.table import Figures, print_table
from raysweep.analysis.aggregate import Cell
from raysweep.analysis.beta import t_quantile
from raysweep.analysis.difference import difference
from raysweep.analysis.evaluations import pooled
from raysweep.analysis.interval import TAIL
from raysweep.store.counts import TrialCounts
from raysweep.trial.outcome import Evaluation

SEEDS: Final = (1, 2, 3, 5)
CORRELATIONS: Final = (0.0, 0.03, 0.1)
BLOCKS: Final = (4, 20)
SHARES: Final = (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)
PLANTED: Final = ((0.5, 0.6), (0.5, 0.7), (0.5, 0.9), (0.8, 0.95), (0.0, 0.1), (0.99, 1.0))
REPLICATIONS: Final = 1000
METHODS: Final = ("shown", "MOVER", "Student")

Interval = tuple[float, float]
Hits = npt.NDArray[np.int64]


def measure() -> Figures:
    """Simulate every case; print a table each for no difference and for planted ones."""
    cases = [(b, c, s) for b in BLOCKS for c in CORRELATIONS for s in SEEDS if s > 1 or c < 0.1]
    figures: dict[str, dict[str, list[float]]] = {"no difference": {}, "planted": {}}
    rows: dict[str, list[list[str]]] = {"no difference": [], "planted": []}
    for blocks, correlation, seeds in cases:
        same = [simulated(p, p, correlation, seeds, blocks) for p in SHARES]
        flags = [np.array([one[name][0] for one in same]) for name in METHODS]
        head = [str(blocks), f"{correlation:g}", str(seeds)]
        rows["no difference"].append([*head, *(f"{f.mean():.3f} ({f.max():.3f})" for f in flags)])
        apart = [simulated(p, q, correlation, seeds, blocks) for p, q in PLANTED]
        found = [" ".join(f"{one[name][0]:.2f}" for name in METHODS) for one in apart]
        covered = [min(one[name][1] for one in (*same, *apart)) for name in METHODS]
        rows["planted"].append([*head, *found, " ".join(f"{one:.2f}" for one in covered)])
        key = f"{blocks} blocks, correlation {correlation:g}, seeds {seeds}"
        figures["no difference"][key] = [float(f.mean()) for f in flags]
        figures["planted"][key] = [one["shown"][0] for one in apart]
    case = ["blocks", "correlation", "seeds"]
    print_table(
        "flagged without a difference: mean over shares (highest)", [*case, *METHODS], rows["no difference"]
    )
    heads = [f"{p:g} → {q:g}" for p, q in PLANTED]
    print_table(
        f"found, and lowest coverage: {', '.join(METHODS)}", [*case, *heads, "coverage"], rows["planted"]
    )
    return figures


def simulated(
    share_a: float,
    share_b: float,
    correlation: float,
    seeds: int,
    blocks: int,
    replications: int = REPLICATIONS,
) -> dict[str, tuple[float, float]]:
    """Return the share of flagged pairs, and of intervals that contain the true difference, by method.

    Args:
        share_a: true share of A over all seeds.
        share_b: true share of B over all seeds.
        correlation: correlation of two windows of one seed in different sequences.
        seeds: seeds of both cells.
        blocks: independent blocks of a sequence.
        replications: simulated pairs.
    """
    rng = np.random.default_rng([round(1e6 * x) for x in (share_a, share_b, correlation)] + [seeds, blocks])
    true = share_b - share_a
    hits = [_drawn(rng, share, correlation, (replications, seeds), blocks) for share in (share_a, share_b)]
    found = [_intervals(a, b, blocks) for a, b in zip(*hits, strict=True)]
    return {
        name: (
            sum(not one[name][0] <= 0 <= one[name][1] for one in found) / replications,
            sum(one[name][0] <= true <= one[name][1] for one in found) / replications,
        )
        for name in METHODS
    }


def _drawn(
    rng: np.random.Generator, share: float, correlation: float, shape: tuple[int, int], blocks: int
) -> Hits:
    """Return the right blocks of each sequence, (cells, seeds, sequences)."""
    shares = np.full(shape, share)
    if correlation and 0 < share < 1:
        both = (1 - correlation) / correlation
        shares = rng.beta(share * both, (1 - share) * both, shape)
    return rng.binomial(blocks, np.repeat(shares[..., None], SEQUENCES, axis=2))


def _intervals(a: Hits, b: Hits, blocks: int) -> dict[str, Interval]:
    seeds = range(len(a))
    cell_a, cell_b = cell_of(a, blocks, seeds), cell_of(b, blocks, seeds)
    other_seeds = cell_of(b, blocks, [100 + seed for seed in seeds])
    found = {"shown": difference(cell_a, cell_b), "MOVER": difference(cell_a, other_seeds)}
    ends = {name: (one.low, one.high) for name, one in found.items() if one}
    return ends | {"Student": _student(a, b, blocks) or ends["MOVER"]}


def _student(a: Hits, b: Hits, blocks: int) -> Interval | None:
    """Return Student's interval for the mean of paired differences; None if it has no width."""
    k = len(a)
    differences = (b - a).sum(axis=1) / (SEQUENCES * blocks)
    if k < 2 or np.ptp(differences) == 0:
        return None
    half = t_quantile(1 - TAIL, k - 1) * float(differences.std(ddof=1)) / sqrt(k)
    return float(differences.mean()) - half, float(differences.mean()) + half


def cell_of(hits: Hits, windows: int, seeds: Sequence[int]) -> Cell:
    """Make a cell of its right windows by seed and sequence.

    Args:
        hits: (seeds, sequences).
        windows: windows of a sequence.
        seeds: numbers of the seeds.
    """
    sequences = hits.shape[1]
    settings = {"eval_sequences": sequences, "windows": windows}
    fields: list[dict[str, Any]] = [
        {"settings": settings | {"seed": seed}, "exact_by_sequence": of_seed}
        for seed, of_seed in zip(seeds, hits.tolist(), strict=True)
    ]
    counts = [TrialCounts.model_construct(**one) for one in fields]  # the fields that are read here
    evaluations = [Evaluation(1, sum(one), sum(n * n for n in one), ()) for one in hits.tolist()]
    last = pooled(evaluations, settings)
    return Cell(
        settings=settings,
        planned=True,
        seeds=tuple(seeds),
        diverged=(),
        failed=(),
        missing=(),
        unplanned=(),
        windows=sequences * windows * len(seeds),
        exact_match=last.exact_match,
        interval=last.interval,
        position_accuracy=(),
        loss=None,
        accuracy=None,
        counts=tuple(counts),
    )


if __name__ == "__main__":
    measure()
