"""The first difference of two files of a table, from tables in which it is known."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raysweep.errors import ResultsError
from raysweep.store.differences import difference
from raysweep.store.encoding import EncodedTrial, encode
from raysweep.trial.result import TrialResult
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings


def result(*, diverged: bool = False) -> TrialResult:
    settings = synthetic_settings(eval_every=50, epochs=100)
    return synthetic_result(settings, np.random.default_rng(1), diverged=diverged)


def encoded(one: TrialResult) -> EncodedTrial:
    return encode(one, PROVENANCE)


def test_equal_bytes_have_no_difference() -> None:
    assert difference("curves", encoded(result()).curves, encoded(result()).curves) is None
    assert difference("predictions", None, None) is None


def test_nan_equals_nan_and_the_first_value_is_named_in_full() -> None:
    one, other = result(diverged=True), result(diverged=True)
    other.curve.accuracy[[1, 3]] += 2**-50
    found = difference("curves", encoded(one).curves, encoded(other).curves)
    assert found is not None
    assert (found.place, found.rows, found.different) == ("epoch 50, accuracy", 4, {"accuracy": 2})
    assert found.committed == str(float(one.curve.accuracy[1]))
    assert found.again == str(float(other.curve.accuracy[1]))
    assert found.committed != found.again


def test_a_prediction_is_named_by_sequence_window_and_position() -> None:
    one, other = result(), result()
    assert one.predictions is not None
    assert other.predictions is not None
    other.predictions.confidence[30, 1] = np.nextafter(one.predictions.confidence[30, 1], np.float32(2))
    found = difference("predictions", encoded(one).predictions, encoded(other).predictions)
    assert found is not None
    assert (found.place, found.rows) == ("sequence 1, window 9, position 2, confidence", 84)
    assert found.different == {"confidence": 1}
    assert found.committed == str(one.predictions.confidence[30, 1])
    assert found.again == str(other.predictions.confidence[30, 1])


def test_of_several_columns_the_first_row_counts() -> None:
    one, other = result(), result()
    other.curve.loss[2] = 9.5
    other.curve.accuracy[1] = 0.25
    found = difference("curves", encoded(one).curves, encoded(other).curves)
    assert found is not None
    assert (found.place, found.again) == ("epoch 50, accuracy", "0.25")
    assert found.different == {"accuracy": 1, "loss": 1}


def test_a_null_is_told_from_a_number() -> None:
    one, other = result(), result()
    other.curve.exact_match[1] = np.nan
    other.curve.position_accuracy[1] = np.nan
    found = difference("curves", encoded(one).curves, encoded(other).curves)
    assert found is not None
    assert (found.place, found.again) == ("epoch 50, exact_match", "null")
    assert found.different == {"exact_match": 1, "position_accuracy": 1}


def test_a_shorter_curve_differs_in_its_number_of_rows() -> None:
    one = result()
    fields = ("epoch", "loss", "accuracy", "exact_match", "position_accuracy")
    shorter = replace(one.curve, **{name: getattr(one.curve, name)[:3] for name in fields})
    found = difference("curves", encoded(one).curves, encoded(replace(one, curve=shorter)).curves)
    assert found is not None
    assert (found.place, found.committed, found.again, found.rows) == ("number of rows", "4", "3", 3)


def test_a_training_that_diverged_only_once_has_no_file() -> None:
    found = difference("predictions", encoded(result()).predictions, None)
    assert found is not None
    assert found.place == "file"
    assert found.committed.endswith(" bytes")
    assert found.again == "none, as the training diverged"


def test_values_may_be_equal_and_their_encoding_not() -> None:
    data = encoded(result()).curves
    table = pq.read_table(pa.BufferReader(data))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="none", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"raysweep.schema": "1"})
    found = difference("curves", data, bytes(sink.getvalue()))
    assert found is not None
    assert (found.place, found.different) == ("", {})


def test_bytes_that_are_no_table_are_an_error() -> None:
    with pytest.raises(ResultsError, match="cannot be read"):
        difference("curves", encoded(result()).curves, b"PAR1")
