"""The encoding of a trial: round trips, reproducible bytes, embedded checksums."""

import hashlib
import io
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store import checksum, encoding, trial_manifest
from raysweep.store.columns import CURVES, PREDICTIONS, TRIALS
from raysweep.store.encoding import decode, encode, read_row, read_table
from raysweep.store.trial_manifest import read_manifest
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings
from tests.make_results import PROVENANCE, synthetic_result, synthetic_settings

CURVE = ("epoch", "loss", "accuracy", "exact_match", "position_accuracy")


def result(**changes: object) -> TrialResult:
    return synthetic_result(synthetic_settings(**changes), np.random.default_rng(0))


def arrays(one: TrialResult) -> dict[str, np.ndarray]:
    """Every array of a result by name."""
    found = {f"curve.{name}": getattr(one.curve, name) for name in CURVE}
    if one.predictions is not None:
        names = ("sequence_index", "window_index", "input", "expected", "predicted", "confidence")
        found |= {name: getattr(one.predictions, name) for name in names}
    return found


SETTINGS = st.builds(
    lambda arch, n_out, extra, **rest: synthetic_settings(
        arch=arch, len=n_out, **({"n_in": n_out + extra} if arch == "seq2seq" else {}), **rest
    ),
    arch=st.sampled_from(["echo", "seq2seq"]),
    n_out=st.integers(1, 9),
    extra=st.integers(0, 4),
    mem=st.integers(1, 300),
    seed=st.integers(0, 2**31 - 1),
    epochs=st.integers(1, 1000),
    learning_rate=st.floats(1e-6, 10),
    eval_sequences=st.integers(1, 3),
)


@given(settings=SETTINGS, diverged=st.booleans())
def test_what_is_encoded_is_decoded(settings: TrialSettings, diverged: bool) -> None:
    made = synthetic_result(settings, np.random.default_rng(1), diverged=diverged)
    read = decode(encode(made, PROVENANCE))
    assert read.provenance == PROVENANCE
    for name in (
        "settings",
        "status",
        "accuracy",
        "evaluations",
        "layers",
        "updates",
        "trace_s",
        "train_s",
        "eval_s",
    ):
        assert getattr(read.result, name) == getattr(made, name)
    assert read.result.loss == made.loss or (np.isnan(read.result.loss) and np.isnan(made.loss))
    assert arrays(read.result).keys() == arrays(made).keys()
    for name, values in arrays(made).items():
        np.testing.assert_array_equal(arrays(read.result)[name], values, err_msg=name)
        assert arrays(read.result)[name].dtype == values.dtype


def test_equal_results_give_equal_bytes() -> None:
    assert encode(result(), PROVENANCE) == encode(result(), PROVENANCE)


def test_times_hosts_and_attempts_are_in_the_row_alone() -> None:
    other = encoding.Provenance(
        2, PROVENANCE.ended, PROVENANCE.ended, "elsewhere", "another CPU", 2, {"keras": "4"}
    )
    one, two = encode(result(), PROVENANCE), encode(result(), other)
    assert (one.predictions, one.curves) == (two.predictions, two.curves)
    assert one.trials != two.trials


def test_the_columns_are_the_contract() -> None:
    settings = ["trial_id", *TrialSettings.model_fields]
    assert CURVES.names == [*settings, *CURVE]
    assert PREDICTIONS.names == [
        *settings, "sequence_index", "window_index", "input", "expected", "predicted", "confidence", "exact",
    ]  # fmt: skip
    assert TRIALS.names == [
        *settings, "status", "loss", "accuracy", "exact_match", "position_accuracy", "updates",
        "inherited_epochs", "deterministic", "trace_s", "train_s", "eval_s", "attempt", "started", "ended",
        "host", "cpu_model", "device", "threads", "versions", "layers", "predictions_size",
        "predictions_sha256", "curves_size", "curves_sha256",
    ]  # fmt: skip
    assert [str(TRIALS.field(name).type) for name in ("arch", "len", "learning_rate", "started")] == [
        "string", "int64", "double", "timestamp[us, tz=UTC]",
    ]  # fmt: skip


def test_the_row_agrees_with_the_arrays() -> None:
    made = result(len=2)
    assert made.predictions is not None
    right = made.predictions.predicted == made.predictions.expected
    row = read_row(encode(made, PROVENANCE).trials)
    assert row["trial_id"] == made.settings.trial_id
    assert row["exact_match"] == np.mean(right[:, 0] & right[:, 1])
    assert row["position_accuracy"] == [right[:, 0].mean(), right[:, 1].mean()]
    assert row["layers"][0] == {"layer": "lstm", "weight": "kernel", "shape": [100, 64]}
    assert encoding.settings_of(row) == made.settings


def test_the_row_has_sizes_and_checksums_of_the_other_files() -> None:
    trial = encode(result(), PROVENANCE)
    assert trial.predictions is not None
    row, manifest_read = read_row(trial.trials), read_manifest(trial.trials)
    for kind, data in (("predictions", trial.predictions), ("curves", trial.curves)):
        assert row[f"{kind}_size"] == len(data)
        assert row[f"{kind}_sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest_read.columns().items() <= row.items()
    assert manifest_read.trial_id == row["trial_id"]


def test_a_diverged_trial_has_nulls_and_no_predictions() -> None:
    made = synthetic_result(synthetic_settings(), np.random.default_rng(0), diverged=True)
    trial = encode(made, PROVENANCE)
    row = read_row(trial.trials)
    assert trial.predictions is None
    assert np.isnan(row["loss"])
    null = ("exact_match", "position_accuracy", "predictions_size", "predictions_sha256")
    assert all(row[name] is None for name in null)
    assert read_manifest(trial.trials).predictions is None


def test_files_are_small() -> None:
    big = synthetic_settings(len=8, n_in=8, mem=300, epochs=5000, eval_sequences=50)
    trial = encode(synthetic_result(big, np.random.default_rng(0)), PROVENANCE)
    assert trial.predictions is not None
    assert len(trial.predictions) < 45_000  # 1,050 rows of 8 → 8
    assert len(trial.curves) < 8_000
    assert len(trial.trials) < 8_000  # with 20 evaluations


def test_pages_carry_checksums() -> None:
    data = bytearray(encode(result(), PROVENANCE).predictions or b"")
    column = pq.read_metadata(io.BytesIO(data)).row_group(0).column(PREDICTIONS.names.index("window_index"))
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    with pytest.raises(ResultsError, match=r"CRC|crc|checksum"):
        read_table(bytes(data), PREDICTIONS)


def test_every_changed_byte_of_a_row_is_noticed() -> None:
    """Exhaustive: each byte of a whole file, with one bit flipped and with all of them."""
    data = encode(result(), PROVENANCE).trials
    assert checksum.is_intact(data)
    harmed = bytearray(data)
    for place in range(len(data)):
        for mask in (1 << place % 8, 0xFF):
            harmed[place] ^= mask
            assert not checksum.is_intact(bytes(harmed)), f"byte {place}, mask {mask:#x}"
            harmed[place] ^= mask


def test_every_cut_and_addition_of_a_row_is_noticed() -> None:
    data = encode(result(), PROVENANCE).trials
    assert not any(checksum.is_intact(data[:length]) for length in range(len(data)))
    assert not any(checksum.is_intact(data[start:]) for start in range(1, len(data)))
    assert not checksum.is_intact(data + b"\0")
    assert not checksum.is_intact(data + data)


@given(noise=st.randoms(use_true_random=False), flips=st.integers(1, 20))
def test_scattered_flips_of_a_row_are_noticed(noise: random.Random, flips: int) -> None:
    data = bytearray(encode(result(), PROVENANCE).trials)
    for bit in noise.sample(range(8 * len(data)), flips):
        data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ResultsError):
        read_row(bytes(data))
    with pytest.raises(ResultsError):
        read_manifest(bytes(data))


@given(payload=st.binary())
def test_a_payload_with_its_checksum_is_returned_and_any_other_is_refused(payload: bytes) -> None:
    data = checksum.append(payload)
    assert checksum.strip(data) == payload
    assert checksum.strip(checksum.append(data)) == data
    with pytest.raises(ResultsError):
        checksum.strip(data + b"x")
    with pytest.raises(ResultsError):
        checksum.strip(b"x" + data)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"\0" * 1000, checksum.append(b"not Parquet")])
def test_bytes_that_are_not_a_row_are_refused(data: bytes) -> None:
    for read in (read_row, read_manifest, lambda data: read_table(data, TRIALS)):
        with pytest.raises(ResultsError):
            read(data)


def test_another_schema_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trial_manifest, encoding):
        monkeypatch.setattr(module, "SCHEMA_VERSION", 2)
    trial = encode(result(), PROVENANCE)
    monkeypatch.undo()
    for read in (read_row, read_manifest, lambda data: read_table(data, TRIALS)):
        with pytest.raises(UnknownSchemaError, match=r"version is '?2'?, and this raysweep reads version 1"):
            read(trial.trials)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(UnknownSchemaError, match="'none'"):
        read_table(sink.getvalue().to_pybytes(), TRIALS)


def test_missing_or_additional_columns_are_refused() -> None:
    trial = encode(result(), PROVENANCE)
    with pytest.raises(ResultsError, match="cannot be read"):
        read_table(trial.curves, PREDICTIONS)
