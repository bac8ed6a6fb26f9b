"""Failures: kind, message, and the traceback on request."""

from collections.abc import Iterable
from datetime import UTC, datetime

from raysweep.report.page.markup import Html, folded, joined, tag
from raysweep.store.ledger import Failure
from raysweep.text import count


def failures_list(failures: Iterable[Failure]) -> Html:
    """Lay out each failed trial's last failure."""
    return tag("ul", *map(_item, failures), class_="failures")


def _item(failure: Failure) -> Html:
    first, _, more = failure.message.strip().partition("\n")
    facts = joined([count(failure.attempts, "attempt"), " · ", failure.host, " · ", utc(failure.time)])
    return tag(
        "li",
        tag("span", failure.kind_in_words, class_="badge failed"),
        " ",
        tag("code", failure.trial_id),
        tag("p", first, class_="message"),
        tag("p", facts, class_="quiet"),
        folded("Whole message", tag("pre", more)) if more else None,
        folded("Traceback", tag("pre", failure.traceback.rstrip())) if failure.traceback else None,
    )


def utc(moment: datetime) -> Html:
    """Return a time in UTC, to the second."""
    moment = moment.astimezone(UTC)
    return tag("time", moment.strftime("%Y-%m-%d %H:%M:%S UTC"), datetime=moment.isoformat())
