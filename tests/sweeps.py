"""Small sweeps on disk for what reads them: planned, committed, failed, all as a run leaves them."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, RenderableType

from raysweep.grid import grid_from_content
from raysweep.store.encoding import encode
from raysweep.store.ledger import Ledger
from raysweep.store.sweep_record import Failure, RunEnvironment
from raysweep.trial.result import Predictions, TrialResult
from raysweep.trial.settings import TrialSettings
from tests.make_results import MOMENT, PROVENANCE, curve_of, last_evaluation, synthetic_result

ENVIRONMENT = RunEnvironment(versions={}, commit=None, dirty=None, host="node-1", cpu_model="a CPU")
GOLDEN = Path(__file__).parent / "report" / "golden"


def planned(*blocks: Mapping[str, Any], **sections: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a grid file called `lengths`."""
    return {"name": "lengths", "grid": [dict(block) for block in blocks], **sections}


def trials_of(content: Mapping[str, Any]) -> Sequence[TrialSettings]:
    return grid_from_content(content, source="test").trials


def write_sweep(
    folder: Path,
    content: Mapping[str, Any] | None,
    results: Iterable[TrialResult],
    failures: Iterable[Failure] = (),
) -> Ledger:
    """Write a results folder; without content, it has no `sweep.json`."""
    ledger = Ledger(folder)
    with ledger.open_for_writing() as writer:
        if content is not None:
            writer.begin_run(content["name"], content, ENVIRONMENT)
        for result in results:
            writer.commit(encode(result, PROVENANCE))
        for failure in failures:
            writer.record_failure(failure)
    return ledger


def failure_of(settings: TrialSettings, message: str = "killed by signal 9", **changes: Any) -> Failure:
    """A worker that was lost three times."""
    content = {"traceback": "", "kind": "worker_lost", "attempts": 3, "host": "node-1", "time": MOMENT}
    return Failure(trial_id=settings.trial_id, message=message, **{**content, **changes})


def synthetic_results(
    trials: Iterable[TrialSettings],
    accuracy: Callable[[TrialSettings], float] = lambda settings: 0.9,
    diverged: Callable[[TrialSettings], bool] = lambda settings: False,
) -> Iterable[TrialResult]:
    """Random results whose positions are right with a probability that depends on the settings."""
    for settings in trials:
        rng = np.random.default_rng([settings.len, settings.mem, settings.seed, settings.epochs])
        yield synthetic_result(
            settings, rng, position_accuracy=accuracy(settings), diverged=diverged(settings)
        )


def result_with(settings: TrialSettings, right: Sequence[Sequence[int]], loss: float = 1.0) -> TrialResult:
    """A trial whose positions are right (1) or wrong (0) as written, window by window."""
    marks = np.array(right)
    assert marks.shape == (settings.eval_sequences * settings.windows, settings.n_out)
    rows = len(marks)
    expected = np.arange(marks.size, dtype=np.int32).reshape(marks.shape) % settings.values
    predictions = Predictions(
        sequence_index=np.repeat(np.arange(settings.eval_sequences, dtype=np.int32), settings.windows),
        window_index=np.tile(np.arange(settings.windows, dtype=np.int32), settings.eval_sequences),
        input=np.zeros((rows, settings.n_in), np.int32),
        expected=expected,
        predicted=np.where(marks == 1, expected, expected + 1).astype(np.int32),
        confidence=np.full(marks.shape, 0.5, np.float32),
    )
    last = last_evaluation(settings, predictions)
    curve = curve_of(settings, np.array([settings.epochs]), np.array([loss]), np.array([0.5]), [last])
    return TrialResult(
        settings,
        "done",
        loss,
        0.5,
        curve,
        (last,),
        predictions,
        (),
        settings.updates,
        0,
        0.1,
        0.2,
        0.3,
        "cpu",
    )


def assert_golden(name: str, text: str) -> None:
    """Compare with a stored text; to renew one, delete its file, run twice, and read the difference."""
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        raise AssertionError(f"{path.name} was missing and has been written; read it, then run again")
    assert text == path.read_text(encoding="utf-8")


def drawn(renderable: RenderableType, width: int = 80) -> str:
    """What a console of this width without colour prints."""
    console = Console(width=width, color_system=None, file=io.StringIO())
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()
