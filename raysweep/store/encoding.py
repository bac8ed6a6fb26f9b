"""Conversion of a trial to the bytes of its three Parquet files, and back.

This module uses no paths: `encode` runs in the worker that trained the trial, and the bytes are sent to
the one process that writes. Equal results give equal bytes, so that the files of two runs can be
compared; values that vary from run to run (times, host, attempt) are in `trials` alone.
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

from raysweep.architectures.interface import LayerWeight
from raysweep.errors import ResultsError
from raysweep.store import checksum
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.counts import TrialCounts
from raysweep.store.trial_manifest import SCHEMA_VERSION, Digest, Manifest, read_manifest, require_known
from raysweep.trial.result import Curve, Predictions, TrialResult
from raysweep.trial.settings import TrialSettings

_VERSION_KEY: Final = "raysweep.schema"
_MANIFEST_KEY: Final = "raysweep.manifest"
_PLAIN: Final = ("updates", "inherited_epochs", "deterministic", "trace_s", "train_s", "eval_s", "device")
"""Columns of `trials` that are fields of `TrialResult` as they stand."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Circumstances of a trial's training: attempt, times, hardware and versions."""

    attempt: int
    """Number of this attempt at the trial, from 1."""
    started: datetime
    """Start of the attempt; UTC."""
    ended: datetime
    """End of the attempt; UTC."""
    host: str
    cpu_model: str
    threads: int
    """Threads that TensorFlow might use."""
    versions: Mapping[str, str]
    """Versions of the packages that determine the numbers, by name."""


@dataclass(frozen=True, slots=True)
class EncodedTrial:
    """A finished trial as the bytes of its Parquet files; plain data that any process can pass on."""

    trial_id: str
    trials: bytes
    predictions: bytes | None
    """None if the training diverged."""
    curves: bytes


@dataclass(frozen=True, slots=True)
class DecodedTrial:
    """Arguments of `encode`, read back from the bytes."""

    result: TrialResult
    provenance: Provenance


def encode(result: TrialResult, provenance: Provenance) -> EncodedTrial:
    """Encode a trial's three tables; equal arguments give equal bytes."""
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
        "attempt": provenance.attempt,
        "started": provenance.started.astimezone(UTC),
        "ended": provenance.ended.astimezone(UTC),
        "host": provenance.host,
        "cpu_model": provenance.cpu_model,
        "threads": provenance.threads,
        "versions": sorted(provenance.versions.items()),
        **manifest.columns(),
    }
    metadata = {_MANIFEST_KEY: manifest.to_metadata()}
    trials = checksum.embed(_write(pa.Table.from_pylist([row], TRIALS), metadata))
    return EncodedTrial(manifest.trial_id, trials, predictions, curves)


def decode(trial: EncodedTrial) -> DecodedTrial:
    """Read a trial back from its bytes.

    Raises:
        ResultsError: the row is damaged, or a table has another schema.
    """
    row = read_row(trial.trials)
    settings = settings_of(row)
    curves = read_table(trial.curves, CURVES)
    result = TrialResult(
        settings=settings,
        status=row["status"],
        loss=row["loss"],
        accuracy=row["accuracy"],
        curve=_read_curve(curves, settings),
        evaluations=read_manifest(trial.trials).counts.evaluations,
        predictions=None if trial.predictions is None else read_predictions(trial.predictions, settings),
        layers=tuple(LayerWeight(one["layer"], one["weight"], tuple(one["shape"])) for one in row["layers"]),
        **{name: row[name] for name in _PLAIN},
    )
    names = ("attempt", "started", "ended", "host", "cpu_model", "threads")
    circumstances = {name: row[name] for name in names}
    return DecodedTrial(result, Provenance(**circumstances, versions=dict(row["versions"])))


def read_row(data: bytes) -> dict[str, Any]:
    """Read the single row of a file in `trials/`, as values by column name.

    Raises:
        ResultsError: the bytes do not match their checksum, or have another schema.
    """
    if not checksum.is_intact(data):
        raise ResultsError("the row does not match its checksum")
    rows: list[dict[str, Any]] = read_table(data, TRIALS).to_pylist()
    if len(rows) != 1:
        raise ResultsError(f"the file has {len(rows)} rows instead of one")
    return rows[0]


def read_table(data: bytes, schema: pa.Schema) -> pa.Table:
    """Read one table from the bytes of a file.

    Raises:
        ResultsError: the bytes are not Parquet, are damaged, or have a schema unknown to this version.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            check_version(file.metadata)
            # One row group: threads would have nothing to share, and Arrow's may abort a process that ends.
            table: pa.Table = file.read(use_threads=False)
            return table.replace_schema_metadata(None).cast(schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ResultsError(f"the file cannot be read: {error}") from error


def check_version(metadata: pq.FileMetaData) -> None:
    """Raise an error if another version of raysweep wrote the file.

    Raises:
        UnknownSchemaError: the schema version is absent or another one.
    """
    require_known((metadata.metadata or {}).get(_VERSION_KEY.encode(), b"none").decode(errors="replace"))


def settings_of(row: Mapping[str, Any]) -> TrialSettings:
    """Return the settings in a row's columns.

    Raises:
        ResultsError: the settings are invalid.
    """
    try:
        return TrialSettings(**{name: row[name] for name in TrialSettings.model_fields})
    except ValueError as error:
        raise ResultsError("the row's settings are invalid") from error


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
        **{name: getattr(result, name) for name in _PLAIN},
    }


_Array: TypeAlias = npt.NDArray[Any]


def _predictions_table(result: TrialResult) -> pa.Table:
    predictions = result.predictions
    assert predictions is not None  # noqa: S101 - the caller has checked
    columns = {name: getattr(predictions, name) for name in PREDICTIONS.names if hasattr(predictions, name)}
    return _table(result.settings, columns, PREDICTIONS)


def _curves_table(result: TrialResult) -> pa.Table:
    names = ("epoch", "loss", "accuracy", "exact_match", "position_accuracy")
    columns = {name: getattr(result.curve, name) for name in names}
    return _table(result.settings, columns, CURVES)


def _table(settings: TrialSettings, columns: Mapping[str, _Array], schema: pa.Schema) -> pa.Table:
    """Combine the settings, equal in every row, with columns of shape (rows,) or (rows, positions)."""
    rows = len(next(iter(columns.values())))
    constants = _settings_row(settings)
    arrays = [
        _repeated(constants[field.name], field.type, rows)
        if field.name in constants
        else _column(columns[field.name], field)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _repeated(value: Any, kind: pa.DataType, rows: int) -> "pa.Array[Any]":
    repeated: pa.Array[Any]
    if isinstance(kind, pa.MapType):  # `pa.repeat` knows no maps
        repeated = pa.array([value] * rows, kind)
    else:
        scalar: Any = pa.scalar(value, kind)
        repeated = pa.repeat(scalar, rows)
    return repeated


def _column(values: _Array, field: "pa.Field[Any]") -> "pa.Array[Any]":
    """Make a column of numbers or lists; in a column that may be null, NaN becomes null."""
    kind: Any = field.type
    if values.ndim == 1:
        flat: pa.Array[Any] = pa.array(values, kind, from_pandas=field.nullable)
        return flat
    rows, positions = values.shape
    known = ~np.isnan(values[:, 0]) if field.nullable else np.ones(rows, bool)
    offsets = pa.array(np.concatenate([[0], np.cumsum(known * positions)]), pa.int32())
    elements = pa.array(values[known].ravel(), kind.value_type)
    lists: pa.Array[Any] = pa.ListArray.from_arrays(
        offsets, elements, type=kind, mask=pa.array(~known) if field.nullable else None
    )
    return lists


def _read_curve(table: pa.Table, settings: TrialSettings) -> Curve:
    epoch, loss, accuracy, exact_match = (
        table[name].to_numpy() for name in ("epoch", "loss", "accuracy", "exact_match")
    )
    positions = np.full((len(epoch), settings.n_out), np.nan)
    positions[~np.isnan(exact_match)] = (
        pc.list_flatten(table["position_accuracy"]).to_numpy().reshape(-1, settings.n_out)
    )
    return Curve(epoch, loss, accuracy, exact_match, positions)


def read_predictions(data: bytes, settings: TrialSettings) -> Predictions:
    """Read the predictions of a trial from the bytes of a file.

    Raises:
        ResultsError: as for `read_table`.
    """
    table = read_table(data, PREDICTIONS)
    widths = {
        "input": settings.n_in,
        **dict.fromkeys(("expected", "predicted", "confidence"), settings.n_out),
    }
    lists = {
        name: pc.list_flatten(table[name]).to_numpy().reshape(-1, width) for name, width in widths.items()
    }
    return Predictions(table["sequence_index"].to_numpy(), table["window_index"].to_numpy(), **lists)


def _write(table: pa.Table, metadata: Mapping[str, str] | None = None) -> bytes:
    """Encode a table as one row group, compact and with the same bytes each time.

    Measured at 1,050 rows of 8 → 8 (38 kB): as windows overlap, zstd needs 2 kB for the plain integers of
    `input`, with a dictionary 8 kB; the softmax values, most of the file, shrink from 29 to 24 kB if their
    bytes are split into streams. Statistics would be half of a file with one row, and a trial's file is too
    small to skip parts of. An Arrow schema would only repeat Parquet's own types.
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
