"""Where the texts of an SVG that vl-convert drew stand, so that overlaps and cuts are found without eyes."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from raysweep.report.figures.look import text_width

_SVG = "{http://www.w3.org/2000/svg}"
_STEP = re.compile(r"(translate|rotate|scale)\(([^)]*)\)")
_TOO_WIDE = 0.88
"""`text_width` is on the safe side; the least part of it that a text really takes."""


@dataclass(frozen=True)
class Text:
    """A text, its size, and the box that it fills, in points."""

    text: str
    size: float
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Text") -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0.5
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.5
        )


def texts(svg: str) -> list[Text]:
    """Every visible text of a figure."""
    return [*_below(ET.fromstring(svg), 0, 0, 0)]


def overlaps(svg: str) -> list[tuple[str, str]]:
    """Pairs of texts that overlap."""
    return [(a.text, b.text) for a, b in combinations(texts(svg), 2) if a.overlaps(b)]


def cut(svg: str) -> list[str]:
    """Texts that reach beyond the figure."""
    _, _, width, height = map(float, ET.fromstring(svg).attrib["viewBox"].split())
    return [
        one.text
        for one in texts(svg)
        if one.left < -0.5 or one.top < -0.5 or one.right > width + 0.5 or one.bottom > height + 0.5
    ]


def _below(node: ET.Element, x: float, y: float, turned: float) -> Iterator[Text]:
    for kind, given in _STEP.findall(node.get("transform", "")):
        numbers = [float(number) for number in re.split(r"[ ,]+", given)]
        if kind == "translate":
            right, down = numbers[0], numbers[1] if len(numbers) > 1 else 0
            right, down = {0: (right, down), 90: (-down, right), 270: (down, -right)}[round(turned % 360)]
            x, y = x + right, y + down
        elif kind == "rotate":
            turned += numbers[0]
    if node.tag == f"{_SVG}text" and node.get("opacity", "1") != "0":
        spans = node.findall(f"{_SVG}tspan")
        lines = [(node.text or "", 0.0)] if not spans else []
        down = 0.0
        for span in spans:
            down += float((span.get("dy") or "0").removesuffix("px") or 0)
            lines.append((span.text or "", down))
        for line, offset in lines:
            if line.strip():
                yield _box(node, line, x, y + offset, turned)
    for child in node:
        yield from _below(child, x, y, turned)


def _box(node: ET.Element, line: str, x: float, y: float, turned: float) -> Text:
    size = float(node.get("font-size", "11px").removesuffix("px"))
    width = text_width(line, size) * _TOO_WIDE
    start = {"middle": -width / 2, "end": -width}.get(node.get("text-anchor", "start"), 0.0)
    left, right, top, bottom = start, start + width, -0.72 * size, 0.0  # digits and capitals
    if turned % 360 == 0:
        return Text(line, size, x + left, y + top, x + right, y + bottom)
    if turned % 360 == 270:
        return Text(line, size, x + top, y - right, x + bottom, y - left)
    assert turned % 360 == 90
    return Text(line, size, x - bottom, y + left, x - top, y + right)
