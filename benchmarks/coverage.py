"""Coverage of the report's intervals: the share of simulated cells whose interval contains the true share.

    python -m benchmarks coverage

The true share of each seed is drawn from a beta distribution around the share over all seeds. Given the seed,
its evaluation sequences are independent; the windows of a sequence form blocks, and a block is right or wrong
as a whole, independently of the others. The correlation is that of two windows of one seed in different
sequences. If there is one seed, the true share is that of the seed itself, on all sequences.
"""

from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.table import Figures, print_table
from raysweep.analysis.interval import TAIL, Hits, Over, interval_of

SEQUENCES: Final = 50
"""Evaluation sequences of each seed; the default of a grid file."""

BLOCKS: Final = (4, 1)
"""Blocks of a sequence: the fewest that the reference's sequences are worth, and the fewest possible."""

CORRELATIONS: Final = (0.0, 0.03, 0.1, 0.3)
SEEDS: Final = (2, 3, 5, 10)
SHARES: Final = (0.5, 0.8, 0.95, 0.99, 1.0)

REPLICATIONS: Final = 10_000
"""Simulated cells of each case; the standard error of a coverage of 0.95 is 0.002."""


def measure() -> Figures:
    """Simulate every case; print a table per number of blocks, and return the coverages."""
    return {f"{blocks} blocks a sequence": _of_blocks(blocks) for blocks in BLOCKS}


def _of_blocks(blocks: int) -> Figures:
    found = {
        (correlation, seeds): [
            coverage(share, correlation, seeds, blocks) for share in (*SHARES, edge(seeds))
        ]
        for correlation, seeds in [(0.0, 1), *product(CORRELATIONS, SEEDS)]
    }
    rows = [
        [f"{correlation:g}" if seeds > 1 else "", str(seeds), *(f"{one:.3f}" for one in coverages)]
        for (correlation, seeds), coverages in found.items()
    ]
    title = f"coverage by true share, {SEQUENCES} sequences a seed, blocks of a sequence: {blocks}"
    print_table(title, ["correlation", "seeds", *map(str, SHARES), "edge"], rows)
    return {f"correlation {case[0]:g}, seeds {case[1]}": coverages for case, coverages in found.items()}


def edge(seeds: int) -> float:
    """Return the true share just below the interval of a cell that has every window right.

    If seeds differ much, the coverage is lowest there, because cells with every window right miss it.
    """
    return TAIL ** (1 / (seeds * SEQUENCES)) - 1e-6


def coverage(
    share: float, correlation: float, seeds: int, blocks: int, replications: int = REPLICATIONS
) -> float:
    """Simulate cells, and return the share of those whose interval contains the true share.

    Args:
        share: true share over all seeds; of the one seed, if `seeds` is 1.
        correlation: correlation of two windows of one seed in different sequences; 0 if `seeds` is 1.
        seeds: seeds of a cell.
        blocks: independent blocks of a sequence.
        replications: simulated cells.
    """
    rng = np.random.default_rng([round(1e6 * share), round(1e6 * correlation), seeds, blocks])
    over: Over = "seeds" if seeds > 1 else "sequences"
    clusters, windows = (seeds, SEQUENCES * blocks) if seeds > 1 else (SEQUENCES, blocks)
    shares = np.full((replications, clusters), share)
    if correlation and 0 < share < 1:
        both = (1 - correlation) / correlation  # the sum of the beta distribution's parameters
        shares = rng.beta(share * both, (1 - share) * both, shares.shape)
    hits = rng.binomial(windows, shares)
    return _covered(hits, share, Hits(0, 0, clusters, windows, seeds * SEQUENCES, over))


def _covered(hits: npt.NDArray[np.int64], share: float, empty: Hits) -> float:
    """Return the share of simulated cells whose interval contains the true share.

    Args:
        hits: right windows of each cluster, (cells, clusters).
        share: the true share.
        empty: hits of a cell with as many clusters and windows, but with no window right.
    """
    sums = np.stack([hits.sum(axis=1), (hits * hits).sum(axis=1)], axis=1)
    distinct, times = np.unique(sums, axis=0, return_counts=True)
    intervals = [
        interval_of(replace(empty, total=total, squares=squares)) for total, squares in distinct.tolist()
    ]
    contains = [one is not None and one.low <= share <= one.high for one in intervals]
    return float(times[contains].sum() / len(hits))


if __name__ == "__main__":
    measure()
