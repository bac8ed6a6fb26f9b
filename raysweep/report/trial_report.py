"""One trial, shown as in the notebook: settings, layers, learning curve, expected and predicted integers."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from raysweep.architectures.interface import LayerWeight
from raysweep.report.fitting import Fitting
from raysweep.report.footnotes import NOT_REPRODUCIBLE
from raysweep.report.wrapped import Wrapped
from raysweep.store.encoding import DecodedTrial
from raysweep.store.ledger import Failure, Ledger
from raysweep.text import TOGETHER, bar, clean_text, count, duration, setting, share
from raysweep.trial.options import flattened
from raysweep.trial.result import Curve, Ints, Predictions
from raysweep.trial.settings import TrialSettings

_SHOWN_WINDOWS = 25
_CURVE_POINTS = 20


def trial_view(ledger: Ledger, trial_id: str) -> RenderableType:
    """Lay out everything known about a trial: done, diverged, failed or not run.

    Raises:
        ResultsError: one of the trial's files is damaged or missing.
    """
    trial = ledger.trial(trial_id)
    settings = [] if trial.settings is None else [_settings(trial.settings)]
    if trial.finished is not None:
        return Group(_heading(trial.finished), *settings, *_finished(trial.finished))
    if trial.failure is not None:
        return Group(*_failed(trial.failure, settings))
    return Group(_title(trial_id, "not run"), *settings)


def _title(trial_id: str, *facts: str) -> Text:
    return Text.assemble((clean_text(trial_id), "bold"), *(f" · {clean_text(fact)}" for fact in facts))


def _heading(trial: DecodedTrial) -> Text:
    result, provenance = trial.result, trial.provenance
    seconds = result.trace_s + result.train_s + result.eval_s
    place = f"{duration(seconds)} on {provenance.host}, {result.device}"
    attempt = [f"attempt {provenance.attempt}"] if provenance.attempt > 1 else []
    inherited = result.inherited_epochs
    went_on = [f"{count(inherited, 'epoch')} from a shorter trial"] if inherited else []
    exempt = [] if result.deterministic else [NOT_REPRODUCIBLE]
    return _title(result.settings.trial_id, result.status, place, *attempt, *went_on, *exempt)


def _settings(settings: TrialSettings) -> Wrapped:
    """Lay out every setting, in the order of `TrialSettings`."""
    named = [setting(name, value) for name, value in flattened(settings.model_dump()).items()]
    items = [item.replace(" ", TOGETHER) for item in (*named, count(settings.updates, "update"))]
    return Wrapped(f"{TOGETHER}· ".join(items), 2, 2)


def _finished(trial: DecodedTrial) -> Iterator[RenderableType]:
    result = trial.result
    yield Text("")
    yield Fitting(_layers(result.layers))
    yield Text("")
    yield from _curves(result.curve, result.loss, result.accuracy)
    yield Text("")
    if result.predictions is None:
        yield Text("diverged: the loss became NaN or infinite, so nothing was predicted", "bold magenta")
    else:
        yield from _predictions(result.predictions)


def _layers(layers: Iterable[LayerWeight]) -> Table:
    """Lay out one row per layer: the shape of each of the layer's weights."""
    table = Table.grid(padding=(0, 2))
    rows: dict[str, list[str]] = {}
    for weight in layers:
        rows.setdefault(weight.layer, []).append(f"{weight.weight} {weight.shape}")
    for layer, weights in rows.items():
        table.add_row(Text(f"  {clean_text(layer)}"), *(Text(clean_text(weight)) for weight in weights))
    return table


def _curves(curve: Curve, loss: float, accuracy: float) -> Iterator[Text]:
    """Draw loss and accuracy of the training, and held-out exact-match, as bars between first and last value.

    For loss and accuracy these are the mean of the curve's first point, and the last epoch's value.
    """
    losses = _condensed(curve.loss)
    top = max((value for value in losses if math.isfinite(value)), default=1.0)
    yield Text.assemble(
        ("loss      ", "bold"), f"{curve.loss[0]:.2f} {_bar([v / top for v in losses])} {loss:.2f}"
    )
    yield Text.assemble(
        ("accuracy  ", "bold"),
        f"{share(curve.accuracy[0])} {_bar(_condensed(curve.accuracy))} {share(accuracy)}",
    )
    held_out = curve.exact_match[~np.isnan(curve.exact_match)]
    if len(held_out) > 1:
        first, last = share(held_out[0]), share(held_out[-1])
        yield Text.assemble(
            ("held-out  ", "bold"),
            f"{first} {_bar(_condensed(held_out))} {last}",
            (f"  exact-match, {len(held_out)} evaluations", "dim"),
        )


def _condensed(values: npt.NDArray[np.float64]) -> list[float]:
    """Return the means of consecutive points, at most `_CURVE_POINTS` means."""
    return [float(part.mean()) for part in np.array_split(values, min(len(values), _CURVE_POINTS))]


def _bar(shares: Sequence[float]) -> str:
    return "".join(bar([value]) if math.isfinite(value) else "×" for value in shares)


def _predictions(predictions: Predictions) -> Iterator[RenderableType]:
    """Lay out the windows of the first evaluation sequence."""
    first = predictions.sequence_index == predictions.sequence_index[0]
    windows = int(first.sum())
    exact = int(predictions.exact[first].sum())
    sequences = len(np.unique(predictions.sequence_index))
    yield Text.assemble(
        (f"sequence {predictions.sequence_index[0]} of {sequences}", "bold"),
        f" · exact {exact} of {windows} · over all sequences {share(float(predictions.exact.mean()))}",
    )
    yield _Windows(
        predictions.expected[first][:_SHOWN_WINDOWS], predictions.predicted[first][:_SHOWN_WINDOWS]
    )
    if windows > _SHOWN_WINDOWS:
        yield Text(f"  and {count(windows - _SHOWN_WINDOWS, 'more window')}", "dim")


class _Windows:
    """Expected and predicted integers, side by side if both fit, wrong ones in brackets."""

    def __init__(self, expected: Ints, predicted: Ints) -> None:
        """Keep the integers; both arrays are (windows, n_out)."""
        self._expected = expected
        self._predicted = predicted

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw each window on one line, or on two."""
        digits = len(str(max(self._expected.max(), self._predicted.max())))
        for expected, predicted in zip(self._expected, self._predicted, strict=True):
            wrong = predicted != expected
            left = Text.assemble(("  expected  ", "dim"), _numbers(expected, np.zeros_like(wrong), digits))
            right = Text.assemble(("  predicted ", "dim"), _numbers(predicted, wrong, digits))
            if left.cell_len + right.cell_len <= options.max_width:
                yield Text.assemble(left, right)
            else:
                yield left
                yield right


def _numbers(values: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], digits: int) -> Text:
    """Lay out whole numbers in columns, wrong ones in brackets.

    >>> _numbers(np.array([6, 12, 32, 97]), np.array([False, False, True, False]), 2).plain
    '  6 12[32]97 '
    >>> _numbers(np.array([6, 12, 32, 97]), np.array([True, False, True, True]), 2).plain
    '[ 6]12[32 97]'
    """
    text = Text()
    before = False
    for value, is_wrong in zip(values, wrong, strict=True):
        text.append(_between(before, bool(is_wrong)))
        text.append(f"{value:>{digits}}", "bold red" if is_wrong else "")
        before = bool(is_wrong)
    return text.append(_between(before, False))


def _between(left_wrong: bool, right_wrong: bool) -> str:
    """Return the separator of two neighbours: a bracket if a run of wrong numbers begins or ends there."""
    if left_wrong == right_wrong:
        return " "
    return "[" if right_wrong else "]"


def _failed(failure: Failure, settings: Iterable[RenderableType]) -> Iterator[RenderableType]:
    time = failure.time.strftime("%Y-%m-%d %H:%M:%S %Z")
    yield _title(
        failure.trial_id,
        "failed",
        failure.kind_in_words,
        count(failure.attempts, "attempt"),
        f"on {failure.host}",
        time,
    )
    yield from settings
    yield Text("")
    yield Text(clean_text(failure.message), "bold red")
    if failure.traceback:
        yield Text(clean_text(failure.traceback).rstrip())
