"""Sentences on trials that are taken from other results folders."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from raysweep.text import count

MAX_NAMED: Final = 10
"""Files that are named because they are not taken; the others are counted."""


def reused_trials(
    folders: Sequence[Path], counts: Mapping[Path, int], refused: Mapping[str, Path], verb: str
) -> Iterator[str]:
    """Say how many trials other folders give, and what is not taken.

    Args:
        folders: the other folders.
        counts: number of trials that each folder gives.
        refused: what is wrong with files that are not taken, and whose folder it is.
        verb: such as `will be taken`.
    """
    for folder in folders:
        if number := counts.get(folder, 0):
            yield f"{count(number, 'trial')} {verb} from {folder}."
        elif folder in refused.values():
            yield f"No trial {verb} from {folder}."
        else:
            yield f"No trial {verb} from {folder}: it has none that is still missing here."
    yield from (f"{what}; not taken" for what in [*refused][:MAX_NAMED])
    if len(refused) > MAX_NAMED:
        yield f"{count(len(refused) - MAX_NAMED, 'more file')} not taken; `raysweep verify` lists damage"
