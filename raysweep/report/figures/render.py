"""Rendering of a figure to SVG, PNG or PDF, without network, to a given width."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

import vl_convert

from raysweep.report.figures.look import MM, PRINT, Chart, Look

Format = Literal["svg", "png", "pdf"]

PPI: Final = 600
"""Pixels per inch of a PNG."""

_SIZE: Final = re.compile(r'width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"')
_GROUND: Final = re.compile(r'^(<svg[^>]*>)<rect width="[\d.]+" height="[\d.]+"')
_NAME: Final = re.compile(r"\b(gradient_|clip)\d+")
_ROUNDS: Final = 4


def rendered(draw: Callable[[Look], Chart], form: Format, look: Look = PRINT) -> bytes:
    """Draw a figure that is exactly as wide as its look says.

    Labels have widths of their own, so the figure is drawn, measured, and drawn again.

    Args:
        draw: draws the figure with a look.
        form: format of the file.
        look: size, letters and theme; a point of a look is a point on paper.
    """
    given, svg, before = look, "", 0.0
    for _ in range(_ROUNDS):
        svg = vl_convert.vegalite_to_svg(draw(given).to_dict(), allowed_base_urls=[])
        excess = _size(svg)[0] - look.width
        if -2 <= excess <= 0 or (excess == before and excess < 0):  # as wide as it may be, or as it can be
            break
        before = excess
        given = replace(given, width=given.width - excess - 0.5)
    drawn, tall = _size(svg)
    # What cannot be drawn as narrow as wanted becomes smaller, letters too, rather than cut.
    wide = max(drawn, look.width)
    box = f'viewBox="0 0 {wide:g} {tall:g}"'
    width, height = look.width, tall * look.width / wide
    svg = _GROUND.sub(rf'\1<rect width="{wide:g}" height="{tall:g}"', _renumbered(svg), count=1)
    if form == "svg":
        return _SIZE.sub(_sized(width / MM, height / MM, "mm", box), svg, count=1).encode() + b"\n"
    svg = _SIZE.sub(_sized(width, height, "", box), svg, count=1)
    return bytes(vl_convert.svg_to_pdf(svg) if form == "pdf" else vl_convert.svg_to_png(svg, ppi=PPI))


def _sized(width: float, height: float, unit: str, box: str) -> str:
    return f'width="{width:.7g}{unit}" height="{height:.7g}{unit}" {box}'


def _renumbered(svg: str) -> str:
    """Count names of gradients and clips anew; Vega counts them through in a process."""
    numbers: dict[str, str] = {}
    return _NAME.sub(lambda one: numbers.setdefault(one[0], f"{one[1]}{len(numbers)}"), svg)


def _size(svg: str) -> tuple[float, float]:
    """Return width and height, which vl-convert writes first."""
    found = _SIZE.search(svg)
    if found is None:
        raise ValueError("the SVG does not begin with its size")
    return float(found[1]), float(found[2])
