"""A trial as the bytes of its three Parquet files, and back.

No paths here: `encode` runs in the worker that trained the trial, and its bytes travel to the one
process that writes. The same result gives the same bytes, so that the files of two runs can be
compared; what varies from run to run (times, host, attempts) stands in `trials` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raysweep.errors import ResultsError
from raysweep.store import checksum
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.counts import TrialCounts
from raysweep.store.manifest import SCHEMA_VERSION, Digest, Manifest, require_known
from raysweep.trial.result import Curve, LayerWeight, Predictions, TrialResult
from raysweep.trial.settings import TrialSettings

__all__ = [
    "CURVES",
    "PREDICTIONS",
    "SCHEMA_VERSION",
    "TRIALS",
    "DecodedTrial",
    "EncodedTrial",
    "Provenance",
    "check_version",
    "decode",
    "encode",
    "read_row",
    "read_table",
    "settings_of",
]

_VERSION_KEY: Final = "raysweep.schema"
_SEAL_KEY: Final = "raysweep.seal"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of a trial's making besides its numbers."""

    attempts: int
    """Which attempt at the trial this was, from 1."""
    started: datetime
    """When that attempt began; UTC."""
    ended: datetime
    """When it ended; UTC."""
    host: str
    versions: Mapping[str, str]
    """Versions of the packages that decide the numbers, by name."""


@dataclass(frozen=True, slots=True)
class EncodedTrial:
    """A finished trial as the bytes of its Parquet files; plain data that any process can pass on."""

    trial_id: str
    trials: bytes
    predictions: bytes | None
    """None where the training diverged."""
    curves: bytes


@dataclass(frozen=True, slots=True)
class DecodedTrial:
    """What `encode` was given."""

    result: TrialResult
    provenance: Provenance


def encode(result: TrialResult, provenance: Provenance) -> EncodedTrial:
    """Write a trial's three tables; equal arguments give equal bytes."""
    predictions = None if result.predictions is None else _write(_predictions_table(result))
    curves = _write(_curves_table(result))
    manifest = Manifest(
        trial_id=result.settings.trial_id,
        predictions=None if predictions is None else Digest.of(predictions),
        curves=Digest.of(curves),
        counts=TrialCounts.of(result),
    )
    row = {
        **_settings_row(result.settings),
        **_outcome_row(result),
        "attempts": provenance.attempts,
        "started": provenance.started.astimezone(UTC),
        "ended": provenance.ended.astimezone(UTC),
        "host": provenance.host,
        "versions": sorted(provenance.versions.items()),
        **manifest.columns(),
    }
    trials = checksum.embed(_write(pa.Table.from_pylist([row], TRIALS), {_SEAL_KEY: manifest.unsealed()}))
    return EncodedTrial(manifest.trial_id, trials, predictions, curves)


def decode(trial: EncodedTrial) -> DecodedTrial:
    """Read a trial back from its bytes.

    Raises:
        ResultsError: the row is damaged, or a table is of another schema.
    """
    row = read_row(trial.trials)
    settings = settings_of(row)
    curves = read_table(trial.curves, CURVES)
    result = TrialResult(
        settings=settings,
        status=row["status"],
        loss=row["loss"],
        accuracy=row["accuracy"],
        curve=Curve(*(curves[name].to_numpy() for name in ("epoch", "loss", "accuracy"))),
        predictions=None if trial.predictions is None else _read_predictions(trial.predictions, settings),
        layers=tuple(LayerWeight(one["layer"], one["weight"], tuple(one["shape"])) for one in row["layers"]),
        **{name: row[name] for name in ("updates", "trace_s", "train_s", "eval_s", "device")},
    )
    times = {name: row[name] for name in ("attempts", "started", "ended", "host")}
    return DecodedTrial(result, Provenance(**times, versions=dict(row["versions"])))


def read_row(data: bytes) -> dict[str, Any]:
    """Read the one row of a file of `trials/`, as columns by name.

    Raises:
        ResultsError: the bytes are not those that were written, or of another schema.
    """
    if not checksum.is_intact(data):
        raise ResultsError("the row does not match its checksum")
    rows: list[dict[str, Any]] = read_table(data, TRIALS).to_pylist()
    if len(rows) != 1:
        raise ResultsError(f"a file of trials/ has one row, this one has {len(rows)}")
    return rows[0]


def read_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """Read one table from the bytes of a file.

    Raises:
        ResultsError: not Parquet, damaged, or of a schema that this version does not know.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            check_version(file.metadata)
            table: pa.Table = file.read()
            return table.replace_schema_metadata(None).cast(schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ResultsError(f"the file cannot be read: {error}") from error


def check_version(metadata: pq.FileMetaData) -> None:
    """Refuse a file that another version of raysweep wrote.

    Raises:
        UnknownSchemaError: the version is absent or not ours.
    """
    require_known((metadata.metadata or {}).get(_VERSION_KEY.encode(), b"none").decode(errors="replace"))


def settings_of(row: Mapping[str, Any]) -> TrialSettings:
    """The settings among a row's columns.

    Raises:
        ResultsError: no trial has such settings.
    """
    try:
        return TrialSettings(**{name: row[name] for name in TrialSettings.model_fields})
    except ValueError as error:
        raise ResultsError("the row has settings that no trial of raysweep has") from error


def _settings_row(settings: TrialSettings) -> dict[str, Any]:
    return {"trial_id": settings.trial_id, **settings.model_dump()}


def _outcome_row(result: TrialResult) -> dict[str, Any]:
    predictions = result.predictions
    return {
        "status": result.status,
        "loss": result.loss,
        "accuracy": result.accuracy,
        "exact_match": None if predictions is None else float(predictions.exact.mean()),
        "position_accuracy": None if predictions is None else predictions.position_accuracy.tolist(),
        "layers": [
            {"layer": one.layer, "weight": one.weight, "shape": list(one.shape)} for one in result.layers
        ],
        **{name: getattr(result, name) for name in ("updates", "trace_s", "train_s", "eval_s", "device")},
    }


_Array: TypeAlias = npt.NDArray[Any]


def _predictions_table(result: TrialResult) -> pa.Table:
    predictions = result.predictions
    assert predictions is not None  # noqa: S101 - the caller has looked
    columns = {name: getattr(predictions, name) for name in PREDICTIONS.names if hasattr(predictions, name)}
    return _table(result.settings, columns, PREDICTIONS)


def _curves_table(result: TrialResult) -> pa.Table:
    columns = {name: getattr(result.curve, name) for name in ("epoch", "loss", "accuracy")}
    return _table(result.settings, columns, CURVES)


def _table(settings: TrialSettings, columns: Mapping[str, _Array], schema: pa.Schema) -> pa.Table:
    """Put the settings, the same in every row, before the columns: (rows,) or (rows, positions)."""
    rows = len(next(iter(columns.values())))
    constants = _settings_row(settings)
    arrays = [
        pa.repeat(pa.scalar(constants[field.name], field.type), rows)
        if field.name in constants
        else _column(columns[field.name], field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _column(values: _Array, kind: Any) -> "pa.Array[Any]":
    if values.ndim == 1:
        flat: pa.Array[Any] = pa.array(values, kind)
        return flat
    rows, positions = values.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * positions)
    elements = pa.array(values.ravel(), kind.value_type)
    lists: pa.Array[Any] = pa.ListArray.from_arrays(offsets, elements, type=kind)
    return lists


def _read_predictions(data: bytes, settings: TrialSettings) -> Predictions:
    table = read_table(data, PREDICTIONS)
    widths = {
        "input": settings.n_in,
        **dict.fromkeys(("expected", "predicted", "confidence"), settings.n_out),
    }
    lists = {
        name: pc.list_flatten(table[name]).to_numpy().reshape(-1, width) for name, width in widths.items()
    }
    return Predictions(table["sequence"].to_numpy(), table["window"].to_numpy(), **lists)


def _write(table: pa.Table, metadata: Mapping[str, str] | None = None) -> bytes:
    """Write one row group, small and the same each time.

    Measured at 1,050 rows of 8 → 8 (38 kB): windows overlap, so that zstd finds the plain integers of
    `input` again in 2 kB where a dictionary takes 8; the softmax values, most of the file, shrink from
    29 to 24 kB with their bytes split into streams. Statistics would be half of a file of one row, and
    a trial's file is too small to skip parts of. Parquet's own types say what an Arrow schema would.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=9,
        use_dictionary=False,
        use_byte_stream_split=["confidence.list.element"] if "confidence" in table.column_names else False,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=max(table.num_rows, 1))
        writer.add_key_value_metadata({_VERSION_KEY: str(SCHEMA_VERSION), **(metadata or {})})
    return bytes(sink.getvalue())
