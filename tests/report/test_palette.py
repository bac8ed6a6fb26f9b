"""The colours of shares: even steps from dark to bright, and text that can be read on each."""

import pytest
from rich.color import Color
from rich.color_triplet import ColorTriplet

from raysweep.report.palette import heat_style


def luminance(color: Color | None) -> float:
    """Relative luminance of WCAG 2.2."""
    assert color is not None
    triplet = color.triplet
    assert triplet is not None
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in triplet.normalized]
    return float(sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def lightness(percent: int) -> float:
    """CIE L* of the background, 0 to 100."""
    return 116 * luminance(heat_style(percent).bgcolor) ** (1 / 3) - 16


def test_the_ends_are_those_of_viridis() -> None:
    ends = [heat_style(percent).bgcolor for percent in (0, 100)]
    assert [end and end.triplet for end in ends] == [ColorTriplet(68, 1, 84), ColorTriplet(253, 231, 37)]


def test_lightness_grows_evenly() -> None:
    steps = [lightness(percent + 10) - lightness(percent) for percent in range(0, 100, 10)]
    assert sum(steps) == pytest.approx(76, abs=2)
    assert all(5.5 < step < 9.5 for step in steps)


@pytest.mark.parametrize("percent", range(101))
def test_text_stands_out_from_its_background(percent: int) -> None:
    style = heat_style(percent)
    dark, bright = sorted([luminance(style.color), luminance(style.bgcolor)])
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
