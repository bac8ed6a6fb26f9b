"""Markup that no text can break out of: every text is escaped as it becomes part of an element."""

import html
import json
import math
from collections.abc import Iterable
from typing import Any

from raysweep.text import clean_text


class Html(str):
    """Finished markup; any other string is text, and `tag` escapes it."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a text as markup, without characters that control a terminal or reorder a line.

    >>> text('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    return value if isinstance(value, Html) else Html(html.escape(clean_text(str(value))))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element; None and False leave an attribute out, and an underscore stands for a hyphen.

    >>> tag("td", "a < b", class_="n", data_value=1)
    '<td class="n" data-value="1">a &lt; b</td>'
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{given}>{joined(children)}</{name}>")


def void(name: str, /, **attributes: object) -> Html:
    """Return an element without content, such as `input`."""
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def joined(parts: Iterable[object]) -> Html:
    """Join texts and elements; None is left out."""
    return Html("".join(text(part) for part in parts if part is not None))


def folded(summary: object, *content: object) -> Html:
    """Return content that is shown on request."""
    return tag("details", tag("summary", summary), *content)


def json_for_script(data: Any) -> Html:
    r"""Return JSON for a `script` element: no text in it can end the element, or control a terminal.

    >>> json_for_script({"name": "</script>", "loss": float("nan")})
    '{"loss":null,"name":"\\u003c/script>"}'
    """
    encoded = json.dumps(_clean(data), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return Html(encoded.replace("<", "\\u003c"))


def _clean(data: Any) -> Any:
    if isinstance(data, str):
        return clean_text(data)
    if isinstance(data, dict):
        return {clean_text(str(key)): _clean(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_clean(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
