"""Differences between a committed trial and the same trial trained again: bytes in, data out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from raysweep.store.columns import CURVES, PREDICTIONS
from raysweep.store.encoding import read_table
from raysweep.store.paths import Kind

_SCHEMAS: Final[Mapping[Kind, pa.Schema]] = {"predictions": PREDICTIONS, "curves": CURVES}


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between two files of one table."""

    table: Kind
    place: str
    """Place of the first difference, such as `epoch 25, loss`; empty if every value is the same."""
    committed: str
    """The value there in the committed file; if every value is the same, the size of the file."""
    again: str
    """The value or size after training again."""
    rows: int = 0
    """Rows that both files have."""
    different: Mapping[str, int] | None = None
    """Number of those rows that differ, by column; None if no rows were compared."""


@dataclass(frozen=True, slots=True)
class Change:
    """A circumstance of the training, such as a version, that is another one here."""

    what: str
    committed: str
    here: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Outcome of training a committed trial again."""

    trial_id: str
    differences: tuple[Difference, ...]
    """The first difference of each table whose bytes differ; empty if all bytes are equal."""
    changes: tuple[Change, ...]
    """Versions, processor, device and threads that differ; empty if all bytes are equal."""
    promised: bool
    """False if the row says that the network is not reproducible."""
    seconds: float
    """Training and evaluation, the network's compilation included."""
    model_asked: bool
    """Whether the trained network was to be kept if its predictions are equal."""
    model: str | None
    """File of the trained network; None if it was not kept."""
    model_loads: bool = True
    """Whether Keras loads that file by itself."""


def difference(table: Kind, committed: bytes | None, again: bytes | None) -> Difference | None:
    """Find the first difference between two files of a table, row by row; None if their bytes are equal.

    Args:
        table: `predictions` or `curves`.
        committed: the committed file; None if the committed training diverged.
        again: the file of the training made again; None if that diverged.

    Raises:
        ResultsError: one of the files is damaged, or has another schema.
    """
    if committed == again:
        return None
    if committed is None or again is None:
        return Difference(table, "file", _size(committed), _size(again))
    one, other = (read_table(data, _SCHEMAS[table]) for data in (committed, again))
    rows = min(one.num_rows, other.num_rows)
    places = _different_rows(one.slice(0, rows), other.slice(0, rows))
    counts = {name: len(found) for name, found in places.items()}
    if places:
        first = min(places, key=lambda name: places[name][0])  # of equal rows the first column
        row = places[first][0]
        position, *values = _first_value(one[first][row].as_py(), other[first][row].as_py())
        place = f"{_row_name(table, one, row)}{position}, {first}"
        then, now = (_shown(value, _SCHEMAS[table].field(first).type) for value in values)
        return Difference(table, place, then, now, rows, counts)
    if one.num_rows != other.num_rows:
        return Difference(table, "number of rows", f"{one.num_rows:,}", f"{other.num_rows:,}", rows, {})
    return Difference(table, "", _size(committed), _size(again), rows, {})


def _size(data: bytes | None) -> str:
    return "none, as the training diverged" if data is None else f"{len(data):,} bytes"


def _different_rows(one: pa.Table, other: pa.Table) -> dict[str, list[int]]:
    """Return the rows that differ, ascending, for each column that differs somewhere.

    Values are compared as written in full, so that NaN equals NaN and 0.0 differs from -0.0.
    """
    found = {}
    for name in one.column_names:
        columns = (table[name].to_pylist() for table in (one, other))
        if rows := [i for i, (a, b) in enumerate(zip(*columns, strict=True)) if repr(a) != repr(b)]:
            found[name] = rows
    return found


def _row_name(table: Kind, rows: pa.Table, row: int) -> str:
    if table == "curves":
        return f"epoch {rows['epoch'][row].as_py():,}"
    sequence, window = (rows[name][row].as_py() for name in ("sequence_index", "window_index"))
    return f"sequence {sequence}, window {window}"


def _first_value(one: Any, other: Any) -> tuple[str, Any, Any]:
    """Return the first position at which two values differ, and what is there."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True), start=1)
        return next((f", position {i}", a, b) for i, (a, b) in pairs if repr(a) != repr(b))
    return "", one, other


def _shown(value: Any, kind: pa.DataType) -> str:
    """Write a value in as many digits as its type tells apart."""
    if value is None:
        return "null"
    single = isinstance(kind, pa.ListType) and kind.value_type == pa.float32()
    return str(np.float32(value)) if single and isinstance(value, float) else str(value)
