"""Vega as one script, for a page that draws the figures without asking for anything."""

import re
from functools import cache
from typing import Final

_SNIPPET: Final = """
window.raysweepChart = (element, spec, config) =>
  vegaEmbed(element, spec, {
    mode: "vega-lite", renderer: "svg", ast: true, actions: false, logLevel: 1, config
  });
"""
"""With `ast`, Vega interprets its expressions: compiling them would need `unsafe-eval`."""

_ENDS_SCRIPT: Final = re.compile(r"<(?=/script|!--)", re.IGNORECASE)


@cache
def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, which defines `raysweepChart`.

    This takes seconds, in which no other thread of the process runs.
    """
    import vl_convert

    return _ENDS_SCRIPT.sub(r"\\x3c", vl_convert.javascript_bundle(_SNIPPET))
