"""A trial named by the beginning of its id."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from raysweep.errors import UsageError
from raysweep.text import clean_text, setting
from raysweep.trial.options import flattened
from raysweep.trial.settings import TrialSettings

SettingsOf: TypeAlias = Callable[[Sequence[str]], Mapping[str, TrialSettings]]

_SHOWN_CANDIDATES: Final = 10


def completed(prefix: str, known: Sequence[str], folder: Path, settings_of: SettingsOf) -> str:
    """Complete a prefix of a trial's id.

    Args:
        prefix: the beginning of an id.
        known: ids of trials, at least one, ascending.
        folder: the results folder, for messages.
        settings_of: returns the settings of some trials by id, as far as they are known.

    Raises:
        UsageError: no trial matches, or more than one; the message lists candidates.
    """
    found = _with_prefix(prefix, known)
    if prefix in known or len(found) == 1:
        return prefix if prefix in known else found[0]
    shown = clean_text(prefix)
    if found:
        raise UsageError(
            f"{shown}: {len(found)} trials match; give a longer prefix:\n{_listed(found, settings_of)}"
        )
    near = next(near for end in range(len(prefix), -1, -1) if (near := _with_prefix(prefix[:end], known)))
    raise UsageError(f"{shown}: no trial in {folder} matches; the closest are:\n{_listed(near, settings_of)}")


def _with_prefix(prefix: str, trial_ids: Iterable[str]) -> list[str]:
    return [trial_id for trial_id in trial_ids if trial_id.startswith(prefix)]


def _listed(trial_ids: list[str], settings_of: SettingsOf) -> str:
    shown = trial_ids[:_SHOWN_CANDIDATES]
    apart = _told_apart(shown, settings_of)
    lines = [f"  {trial_id}{apart.get(trial_id, '')}" for trial_id in shown]
    if len(trial_ids) > _SHOWN_CANDIDATES:
        lines.append(f"  and {len(trial_ids) - _SHOWN_CANDIDATES:,} more")
    return "\n".join(lines)


def _told_apart(trial_ids: Sequence[str], settings_of: SettingsOf) -> dict[str, str]:
    """Say what trials differ in whose ids differ in their checksum only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for trial_id in trial_ids:
        alike[trial_id.rpartition("-")[0]].append(trial_id)
    several = [ids for ids in alike.values() if len(ids) > 1]
    known = settings_of([trial_id for ids in several for trial_id in ids])
    found = {}
    for ids in several:
        flat = {one: flattened(known[one].model_dump()) for one in ids if one in known}
        names = dict.fromkeys(name for values in flat.values() for name in values)
        differ = [name for name in names if len({str(values.get(name)) for values in flat.values()}) > 1]
        for one, values in flat.items():
            words = [setting(name, values[name]) for name in differ if values.get(name) is not None]
            found[one] = f"  {', '.join(words)}" if words else ""
    return found
