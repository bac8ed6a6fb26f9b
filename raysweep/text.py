"""Numbers and durations formatted for people, and untrusted text made safe to print on a terminal."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from math import ceil, floor
from typing import Any, Final

TOGETHER: Final = "\N{NO-BREAK SPACE}"
"""A space at which no line may break; printed as a plain space."""

LONGEST_VALUE: Final = 40
"""Characters of a setting's value that are shown."""

ROUNDING: Final = 2e-5
"""Error of binary fractions, in hundredths: 0.29 is stored a little low, 0.83 in four bytes as 0.82999998."""


def share(value: float) -> str:
    """Format a share to two places, rounded down: 0.99 means at least 0.99, and 1.00 means all.

    >>> share(0.987), share(0.29), share(0.82999998), share(1.0)
    ('0.98', '0.29', '0.83', '1.00')
    """
    return f"{floor(100 * value + ROUNDING) / 100:.2f}"


def interval_ends(low: float, high: float) -> str:
    """Format an interval's ends to two places, outwards: no interval is shown too narrow.

    >>> interval_ends(0.9289, 1.0), interval_ends(0.0, 0.061), interval_ends(0.29, 0.8301)
    ('.92–1', '.00–.07', '.29–.84')
    """
    down, up = floor(100 * low + ROUNDING), ceil(100 * high - ROUNDING)
    return "–".join("1" if hundredths == 100 else f".{hundredths:02}" for hundredths in (down, up))


def cores_and_gpus(cores: float, gpus: float) -> str:
    """Name a machine's or a trial's resources.

    >>> cores_and_gpus(1, 0), cores_and_gpus(2, 0.25), cores_and_gpus(8, 1)
    ('1 core and 0 GPUs', '2 cores and 0.25 GPUs', '8 cores and 1 GPU')
    """
    return f"{cores:g} {'core' if cores == 1 else 'cores'} and {gpus:g} {'GPU' if gpus == 1 else 'GPUs'}"


def number(value: float) -> str:
    """Format a number that may be a median of whole numbers.

    >>> number(14250), number(2875.0), number(12.5)
    ('14,250', '2,875', '12.5')
    """
    return f"{value:,.1f}".removesuffix(".0")


def level(share: float) -> str:
    """Format a level that a user chose, in full.

    >>> level(0.99), level(1.0), level(0.9999999)
    ('0.99', '1', '0.9999999')
    """
    return str(share).removesuffix(".0")


def count(number: float, noun: str) -> str:
    """Format a number with its noun.

    >>> count(1, "seed"), count(5000, "epoch")
    ('1 seed', '5,000 epochs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def ranges(numbers: Iterable[int], to: str = "–") -> str:
    """Format whole numbers in ascending order; three or more in a row become a range.

    >>> ranges([2, 3, 4, 7, 9, 10]), ranges([300, 16, 5, 4, 3], to="..")
    ('2–4, 7, 9, 10', '3..5, 16, 300')
    """
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}{to}{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)


def setting(name: str, value: Any) -> str:
    """Format one setting for a reader.

    >>> setting("epochs", 20000), setting("learning_rate", 0.01)
    ('20,000 epochs', 'learning_rate 0.01')
    """
    if name == "epochs":
        return count(value, "epoch")
    return f"{name} {value:,}" if type(value) is int else f"{name} {plain(value)}"


def plain(value: Any) -> str:
    """Format a setting's value on one line; a text may be a user's.

    >>> plain(0.01), plain(True), plain("two" + chr(10) + "lines"), plain(50 * "x")
    ('0.01', 'true', 'two lines…edc8', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…77cf')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return one_line(value, LONGEST_VALUE) if isinstance(value, str) else str(value)


def one_line(text: str, longest: int) -> str:
    """Fit a text into one line; what is changed or shortened ends with a mark of the whole text.

    >>> one_line("tanh", 20), one_line("", 20), one_line(30 * "x", 20)
    ('tanh', '""', 'xxxxxxxxxxxxxxx…666a')
    """
    line = " ".join(clean_text(text).split())
    if line == text and len(line) <= longest:
        return line or '""'
    mark = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:4]
    return f"{line[: longest - 5]}…{mark}"


def duration(seconds: float, *, rough: bool = False) -> str:
    """Format a duration in its two largest units; if `rough`, round to 10 s, 1 min or 10 min first.

    >>> [duration(s) for s in (0.4, 9.96, 42, 470, 3720, 200_000)]
    ['< 1 s', '10 s', '42 s', '7 min 50 s', '1 h 2 min', '2 d 7 h']
    >>> [duration(s, rough=True) for s in (42, 250, 5000)]
    ['40 s', '4 min', '1 h 20 min']
    """
    if rough:
        unit = 10 if seconds < 90 else 60 if seconds < 3600 else 600
        seconds = max(1, round(seconds / unit)) * unit
    remaining = round(seconds)
    if remaining < 1:
        return "< 1 s"
    parts = []
    for size, unit_name in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, remaining = divmod(remaining, size)
        if number:
            parts.append(f"{number} {unit_name}")
        elif parts:
            break
    return " ".join(parts[:2])


def bar(shares: Sequence[float]) -> str:
    """Draw a bar for each share, one character high.

    >>> bar([0.0, 0.31, 0.86, 0.95, 1.0])
    '▁▃▇██'
    """
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(value * 8))] for value in shares)


def clean_text(text: str) -> str:
    r"""Replace characters that control a terminal or reorder a line with a visible mark.

    These are the C0 and C1 controls (ESC among them), every invisible format character, which includes
    the bidirectional controls, and lone surrogates (Unicode categories Cc, Cf, Cs). Tabs and line ends
    are kept; line and paragraph separators become line ends.

    >>> clean_text("host\x1b[31m-a\u202eb\nnext")
    'host�[31m-a�b\nnext'
    >>> clean_text("one\r\ntwo\u2028three")
    'one\ntwo\nthree'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_clean(character) for character in text.replace("\r\n", "\n"))


def _clean(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):
        return "\n"
    return "\N{REPLACEMENT CHARACTER}" if category in ("Cc", "Cf", "Cs") else character
