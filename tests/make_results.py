"""Trial results for tests, made of plausible random arrays in a millisecond, without TensorFlow."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from raysweep.architectures.interface import LayerWeight
from raysweep.store.encoding import Provenance
from raysweep.trial.outcome import Evaluation
from raysweep.trial.result import Curve, Predictions, TrialResult
from raysweep.trial.settings import TrialSettings

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

PROVENANCE = Provenance(
    attempt=1,
    started=MOMENT,
    ended=MOMENT + timedelta(seconds=90),
    host="node-1",
    cpu_model="a CPU",
    threads=1,
    versions={"tensorflow": "2.21.0", "keras": "3.15.0"},
)


def synthetic_settings(**changes: object) -> TrialSettings:
    """A small trial; any setting can be given."""
    return TrialSettings.model_validate(
        {"arch": "seq2seq", "len": 2, "mem": 16, "seed": 0, "epochs": 100, "eval_sequences": 4, **changes}
    )


def synthetic_result(
    settings: TrialSettings,
    rng: np.random.Generator,
    *,
    position_accuracy: float = 0.9,
    diverged: bool = False,
) -> TrialResult:
    """A trial of these settings whose every position is right with the given probability."""
    epochs = np.unique([*range(settings.curve_every, settings.epochs, settings.curve_every), settings.epochs])
    loss = 4.6 * np.exp(-np.arange(len(epochs)) / 20)
    accuracy = np.linspace(0.01, position_accuracy, len(epochs))
    if diverged:
        loss[-1] = np.nan
    predictions = None if diverged else _predictions(settings, rng, position_accuracy)
    evaluations = [*_evaluations(settings, rng, position_accuracy)]
    if predictions is not None:
        evaluations.append(last_evaluation(settings, predictions))
    return TrialResult(
        settings=settings,
        status="diverged" if diverged else "done",
        loss=float(loss[-1]),
        accuracy=float(accuracy[-1]),
        curve=curve_of(settings, epochs, loss, accuracy, evaluations),
        evaluations=tuple(evaluations),
        predictions=predictions,
        layers=_layers(settings),
        updates=settings.updates,
        inherited_epochs=0,
        trace_s=1.5,
        train_s=settings.epochs * 0.002,
        eval_s=0.25,
        device="cpu",
    )


def curve_of(
    settings: TrialSettings,
    epochs: npt.NDArray[np.int64],
    loss: npt.NDArray[np.float64],
    accuracy: npt.NDArray[np.float64],
    evaluations: Sequence[Evaluation],
) -> Curve:
    """A curve whose held-out columns are those of the evaluations."""
    windows = settings.eval_sequences * settings.windows
    at = {one.epoch: one for one in evaluations}
    exact_match = np.array([at[e].exact / windows if e in at else np.nan for e in epochs.tolist()])
    nowhere = [np.nan] * settings.n_out
    positions = np.array(
        [[hits / windows for hits in at[e].right] if e in at else nowhere for e in epochs.tolist()]
    )
    return Curve(epochs.astype(np.int32), loss, accuracy, exact_match, positions)


def _evaluations(settings: TrialSettings, rng: np.random.Generator, accuracy: float) -> Iterator[Evaluation]:
    """The evaluations before the last, ever better."""
    shape = (settings.eval_sequences, settings.windows, settings.n_out)
    for epoch in range(settings.eval_every or settings.epochs, settings.epochs, settings.eval_every or 1):
        yield Evaluation.of(epoch, rng.random(shape) < accuracy * epoch / settings.epochs)


def last_evaluation(settings: TrialSettings, predictions: Predictions) -> Evaluation:
    """The evaluation of the trained network."""
    hits = (predictions.predicted == predictions.expected).reshape(
        settings.eval_sequences, settings.windows, settings.n_out
    )
    return Evaluation.of(settings.epochs, hits)


def _predictions(settings: TrialSettings, rng: np.random.Generator, accuracy: float) -> Predictions:
    sequences, windows, n_in = settings.eval_sequences, settings.windows, settings.n_in
    drawn = rng.integers(0, settings.values, (sequences, windows + n_in - 1), dtype=np.int32)
    inputs = np.lib.stride_tricks.sliding_window_view(drawn, n_in, axis=1).reshape(-1, n_in)
    expected = inputs[:, : settings.n_out]
    right = rng.random(expected.shape) < accuracy
    wrong = (expected + rng.integers(1, settings.vocab, expected.shape)) % settings.vocab
    confidence = np.where(right, 1 - rng.random(expected.shape) / 20, rng.random(expected.shape))
    return Predictions(
        sequence_index=np.repeat(np.arange(sequences, dtype=np.int32), windows),
        window_index=np.tile(np.arange(windows, dtype=np.int32), sequences),
        input=inputs.copy(),
        expected=expected.copy(),
        predicted=np.where(right, expected, wrong).astype(np.int32),
        confidence=confidence.astype(np.float32),
    )


def _layers(settings: TrialSettings) -> tuple[LayerWeight, ...]:
    def lstm(name: str, inputs: int) -> list[LayerWeight]:
        gates = 4 * settings.mem
        return [
            LayerWeight(name, "kernel", (inputs, gates)),
            LayerWeight(name, "recurrent_kernel", (settings.mem, gates)),
            LayerWeight(name, "bias", (gates,)),
        ]

    decoder = lstm("lstm_1", settings.mem) if settings.arch == "seq2seq" else []
    dense = [
        LayerWeight("dense", "kernel", (settings.mem, settings.vocab)),
        LayerWeight("dense", "bias", (settings.vocab,)),
    ]
    return (*lstm("lstm", settings.vocab), *decoder, *dense)
