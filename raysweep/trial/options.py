"""Options of users' networks as settings of a trial: values, their encoding, and what readers see of them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from raysweep.errors import UsageError
from raysweep.trial.network import Option

SHOWN_DIGITS: Final = 8
"""Digits of a network's SHA-256 that tell its versions apart on screens."""


def encoded_options(given: Any) -> Any:
    """Encode options by name as pairs of a name and a value's JSON, sorted by name.

    >>> encoded_options({"layers": 2, "attention": True})
    (('attention', 'true'), ('layers', '2'))
    """
    if isinstance(given, Mapping):
        # −0.0 is 0.0: they are equal, and may not become two settings.
        values = {name: value + 0.0 if type(value) is float else value for name, value in given.items()}
        return tuple((name, json.dumps(value, allow_nan=False)) for name, value in sorted(values.items()))
    return tuple(map(tuple, given))


def _check_options(options: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    for name, value in options:
        decoded = json.loads(value)
        if isinstance(decoded, str):
            decoded.encode()  # a lone surrogate is no text
        if not isinstance(decoded, bool | int | float | str):
            raise ValueError(f"{name} is {value[:50]}; an option is a number, a bool or a text")
    if list(dict(options)) != sorted(name for name, _ in options):
        raise ValueError("options are not sorted by name, or one is given twice")
    return options


Options = Annotated[
    tuple[tuple[str, str], ...], BeforeValidator(encoded_options), AfterValidator(_check_options)
]
"""Options of a user's network: pairs of a name and a value's JSON; made from a mapping of names to values."""


def option_of(name: str, value: Any, default: Option) -> Option:
    """Return an option's value in the type of its default.

    Raises:
        UsageError: the value is of another type.

    >>> option_of("rate", 1, default=0.5)
    1.0
    """
    if type(default) is float and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        kind, found = type(default).__name__, type(value).__name__
        raise UsageError(f"option {name}: found {value!r} ({found}); its default {default!r} is {kind}")
    return value


def flattened(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings for a reader: each option as a setting of its own, a network by its first digits.

    >>> given = {"arch": "gru", "len": 2, "network": "1f2e3d4c" + 56 * "0", "options": (("layers", "2"),)}
    >>> flattened(given)
    {'arch': 'gru', 'len': 2, 'layers': 2, 'network': '1f2e3d4c'}
    """
    flat = {name: value for name, value in settings.items() if name not in ("network", "options")}
    if network := settings.get("network"):
        flat |= {name: json.loads(value) for name, value in settings["options"]}
        flat["network"] = network[:SHOWN_DIGITS]
    return flat
