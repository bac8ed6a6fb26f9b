"""Columns of the three tables: names, types and whether they may be null."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from raysweep.trial.settings import TrialSettings


def _list(value: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", value, nullable=False))


def _required(name: str, kind: pa.DataType) -> "pa.Field[Any]":
    return pa.field(name, kind, nullable=False)


_ARROW_TYPES: Final[Mapping[object, pa.DataType]] = {int: pa.int64(), float: pa.float64()}

_OF_OWN_NETWORKS: Final = {
    "network": pa.field("network", pa.string()),
    "options": _required("options", pa.map_(pa.string(), pa.string())),
}
"""Null and empty for built-in architectures; an option's value is JSON."""

_SETTINGS: Final = [
    _required("trial_id", pa.string()),
    *(
        _OF_OWN_NETWORKS.get(name) or _required(name, _ARROW_TYPES.get(field.annotation, pa.string()))
        for name, field in TrialSettings.model_fields.items()
    ),
]
"""The id and every setting, in the order of `TrialSettings`: the first columns of each table."""

_TIME: Final = pa.timestamp("us", tz="UTC")

TRIALS: Final = pa.schema(
    [
        *_SETTINGS,
        _required("status", pa.string()),
        _required("loss", pa.float64()),
        _required("accuracy", pa.float64()),
        pa.field("exact_match", pa.float64()),
        pa.field("position_accuracy", _list(pa.float64())),
        _required("updates", pa.int64()),
        _required("inherited_epochs", pa.int64()),
        _required("deterministic", pa.bool_()),
        _required("trace_s", pa.float64()),
        _required("train_s", pa.float64()),
        _required("eval_s", pa.float64()),
        _required("attempt", pa.int64()),
        _required("started", _TIME),
        _required("ended", _TIME),
        _required("host", pa.string()),
        _required("cpu_model", pa.string()),
        _required("device", pa.string()),
        _required("threads", pa.int64()),
        _required("versions", pa.map_(pa.string(), pa.string())),
        _required(
            "layers",
            _list(
                pa.struct(
                    [
                        _required("layer", pa.string()),
                        _required("weight", pa.string()),
                        _required("shape", _list(pa.int32())),
                    ]
                )
            ),
        ),
        pa.field("predictions_size", pa.int64()),
        pa.field("predictions_sha256", pa.string()),
        _required("curves_size", pa.int64()),
        _required("curves_sha256", pa.string()),
    ]
)
"""One row: the trial and its outcome. Columns that need a trained network are null if the trial diverged."""

PREDICTIONS: Final = pa.schema(
    [
        *_SETTINGS,
        _required("sequence_index", pa.int32()),
        _required("window_index", pa.int32()),
        _required("input", _list(pa.int32())),
        _required("expected", _list(pa.int32())),
        _required("predicted", _list(pa.int32())),
        _required("confidence", _list(pa.float32())),
        _required("exact", pa.bool_()),
    ]
)
"""One row per evaluated window; first position first in every list."""

CURVES: Final = pa.schema(
    [
        *_SETTINGS,
        _required("epoch", pa.int32()),
        _required("loss", pa.float64()),
        _required("accuracy", pa.float64()),
        pa.field("exact_match", pa.float64()),
        pa.field("position_accuracy", _list(pa.float64())),
    ]
)
"""One row per point of the learning curve; the last two are null where the network was not evaluated."""
