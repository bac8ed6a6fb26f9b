"""Text from files, exceptions and host names, made safe to print on a terminal."""

import unicodedata


def clean_text(text: str) -> str:
    r"""Replace what could steer a terminal or reorder a line by a visible mark; keep tabs and line ends.

    Removed are the C0 and C1 controls (ESC among them) and every invisible format character, which
    covers the bidirectional controls (Unicode categories Cc, Cf, and lone surrogates, Cs). Line and
    paragraph separators become line ends.

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
