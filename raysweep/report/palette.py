"""Colours for shares: one perceptually even scale, the same on light and dark terminals."""

from functools import cache
from typing import Final

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.style import Style

_VIRIDIS: Final = (
    (0x44, 0x01, 0x54),
    (0x48, 0x28, 0x78),
    (0x3E, 0x49, 0x89),
    (0x31, 0x68, 0x8E),
    (0x26, 0x82, 0x8E),
    (0x1F, 0x9E, 0x89),
    (0x35, 0xB7, 0x79),
    (0x6E, 0xCE, 0x58),
    (0xB5, 0xDE, 0x2B),
    (0xFD, 0xE7, 0x25),
)
"""Ten even stops of viridis (S. van der Walt and N. Smith, 2015; CC0), dark to bright."""

_EQUAL_CONTRAST: Final = 0.179
"""Relative luminance of a background on which black and white text have equal contrast (WCAG 2.2)."""


def shows_scale(console: Console) -> bool:
    """Return whether a console has enough colours for the scale; sixteen would show false steps."""
    return console.color_system in ("256", "truecolor")


@cache
def heat_style(percent: int) -> Style:
    """Return the background of a share in percent (0 dark, 100 bright), with a readable text colour."""
    background = _background(percent)
    return Style(color=Color.from_triplet(_ink(background)), bgcolor=Color.from_triplet(background))


def heat_ink(percent: float) -> str:
    """Return the colour of readable text on the scale at a percentage.

    >>> heat_ink(0), heat_ink(100)
    ('#ffffff', '#000000')
    """
    return _ink(_background(percent)).hex


def _background(percent: float) -> ColorTriplet:
    at = percent / 100 * (len(_VIRIDIS) - 1)
    below = min(int(at), len(_VIRIDIS) - 2)
    return ColorTriplet(
        *(
            round(low + (high - low) * (at - below))
            for low, high in zip(_VIRIDIS[below], _VIRIDIS[below + 1], strict=True)
        )
    )


def _ink(background: ColorTriplet) -> ColorTriplet:
    """Return black or white, whichever has more contrast."""
    return ColorTriplet(0, 0, 0) if _luminance(background) > _EQUAL_CONTRAST else ColorTriplet(255, 255, 255)


def _luminance(color: ColorTriplet) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2, from sRGB).

    >>> round(_luminance(ColorTriplet(255, 255, 255)), 6), _luminance(ColorTriplet(0, 0, 0))
    (1.0, 0.0)
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
