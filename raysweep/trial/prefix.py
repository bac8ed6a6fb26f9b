"""A trial named by the beginning of its id."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from raysweep.errors import UsageError
from raysweep.text import clean_text

_SHOWN_CANDIDATES: Final = 10


def completed(prefix: str, known: Sequence[str], folder: Path) -> str:
    """Complete a prefix of a trial's id.

    Args:
        prefix: the beginning of an id.
        known: ids of trials, at least one, ascending.
        folder: the results folder, for messages.

    Raises:
        UsageError: no trial matches, or more than one; the message lists candidates.
    """
    found = _with_prefix(prefix, known)
    if prefix in known or len(found) == 1:
        return prefix if prefix in known else found[0]
    shown = clean_text(prefix)
    if found:
        raise UsageError(f"{shown}: {len(found)} trials match; give a longer prefix:\n{_listed(found)}")
    near = next(near for end in range(len(prefix), -1, -1) if (near := _with_prefix(prefix[:end], known)))
    raise UsageError(f"{shown}: no trial in {folder} matches; the closest are:\n{_listed(near)}")


def _with_prefix(prefix: str, trial_ids: Iterable[str]) -> list[str]:
    return [trial_id for trial_id in trial_ids if trial_id.startswith(prefix)]


def _listed(trial_ids: list[str]) -> str:
    lines = [f"  {trial_id}" for trial_id in trial_ids[:_SHOWN_CANDIDATES]]
    if len(trial_ids) > _SHOWN_CANDIDATES:
        lines.append(f"  and {len(trial_ids) - _SHOWN_CANDIDATES:,} more")
    return "\n".join(lines)
