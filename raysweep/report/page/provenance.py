"""Provenance: the grid, each run with its versions and machine, and the texts of networks files."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from raysweep.report.page.failures import utc
from raysweep.report.page.markup import Html, folded, joined, tag
from raysweep.store.sweep_record import Run, SweepRecord
from raysweep.text import count, duration, ranges

_SHOWN_RUNS: Final = 5
_PLAIN: Final = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_SHORT_COMMIT: Final = 12
_LONGEST_LINE: Final = 100


def provenance(record: SweepRecord | None, networks: Mapping[str, str | None]) -> Html:
    """Lay out what is known of the origin of the numbers.

    Args:
        record: content of `sweep.json`; None if it is unreadable.
        networks: text of each networks file by its SHA-256; None for a copy that is missing or damaged.
    """
    parts: list[Html] = []
    if record is not None:
        parts = [*_runs(record.runs), tag("h3", "Grid"), tag("pre", "\n".join(_yaml(record.content)))]
    if networks:
        parts.append(tag("h3", "Networks files"))
        parts.extend(_network(sha256, text) for sha256, text in sorted(networks.items()))
    return joined(parts)


def _runs(runs: Sequence[Run]) -> Iterator[Html]:
    """Lay out the latest run, then earlier ones on request."""
    if not runs:
        return
    latest = runs[::-1]
    yield tag("h3", "Latest run" if len(runs) > 1 else "Run")
    yield joined(map(_run, latest[:1]))
    if earlier := latest[1 : 1 + _SHOWN_RUNS]:
        yield folded(count(len(latest) - 1, "earlier run"), *map(_run, earlier), *_times(latest, earlier))


def _times(latest: Sequence[Run], shown: Sequence[Run]) -> Iterator[Html]:
    """Lay out the times alone of the other runs."""
    if others := latest[1 + len(shown) :]:
        yield tag("ul", *(tag("li", _time(run)) for run in others))


def _run(run: Run) -> Html:
    dirty = {True: " with uncommitted changes", False: ", clean", None: ""}[run.dirty]
    commit = (
        "installed without a checkout"
        if run.commit is None
        else joined([tag("code", run.commit[:_SHORT_COMMIT], title=run.commit), dirty])
    )
    facts = {
        "Time": _time(run),
        **({"Options": ", ".join(run.options)} if run.options else {}),
        "Host": joined([run.host, " · ", run.cpu_model]),
        "Commit": commit,
        "Versions": " · ".join(f"{name} {version}" for name, version in run.versions.items()) or "unknown",
    }
    return tag("dl", *(part for name, fact in facts.items() for part in (tag("dt", name), tag("dd", fact))))


def _time(run: Run) -> Html:
    if run.ended is None:
        return joined([utc(run.started), " · not ended yet, or killed"])
    took = duration((run.ended - run.started).total_seconds())
    return joined([utc(run.started), " – ", utc(run.ended), f" · {took} · exit code {run.exit_code}"])


def _network(sha256: str, content: str | None) -> Html:
    name = tag("code", sha256)
    if content is None:
        return tag("p", name, " · the copy is missing or damaged")
    return folded(name, tag("pre", content.rstrip("\n")))


def _yaml(content: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write a grid's content as people write it in YAML: short parts on one line, ranges as ranges."""
    for key, value in content.items():
        line = f"{indent}{_scalar(key)}: {_flow(value)}"
        if not isinstance(value, Mapping | list) or not value or len(line) <= _LONGEST_LINE:
            yield line
        elif isinstance(value, Mapping):
            yield f"{indent}{_scalar(key)}:"
            yield from _yaml(value, f"{indent}  ")
        else:
            yield f"{indent}{_scalar(key)}:"
            yield from (f"{indent}  - {_flow(one)}" for one in value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        numbers = all(type(one) is int for one in value)
        if numbers and len(value) > 2 and value == [*range(value[0], value[-1] + 1)]:
            return ranges(value, to="..")
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in ("true", "false", "null")
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
