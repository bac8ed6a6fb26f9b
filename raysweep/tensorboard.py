"""Export to TensorBoard: one run a trial, with scalars and hyperparameters, in DIR/<trial id>.

A trial's event file depends on the trial alone, so that exporting again changes nothing, other sweeps may
share the folder, and files of others stay as they are. TensorBoard itself works out, from all runs together,
which hyperparameters there are, of which types, and which of them differ.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tensorboardX.proto.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import masked_crc32c

from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.store.atomic_files import read_file
from raysweep.store.encoding import DecodedTrial, decode
from raysweep.store.ledger import Ledger
from raysweep.store.paths import temporary_name
from raysweep.store.trial_lookup import committed_files
from raysweep.store.trial_manifest import read_manifest
from raysweep.store.verify import DAMAGE_REMEDY
from raysweep.trial.options import flattened

EVENTS: Final = "events.out.tfevents.raysweep"
"""Name of a run's event file; TensorBoard recognises it by `tfevents`."""

_HPARAMS: Final = "hparams"
_FILE_VERSION: Final = "brain.Event:2"


@dataclass(frozen=True, slots=True)
class Exported:
    """Number of runs of an export."""

    written: int
    """Runs that are new, or were another one."""
    unchanged: int


def export_runs(ledger: Ledger, folder: Path) -> Exported:
    """Write a run for each committed trial.

    Args:
        ledger: the results folder.
        folder: TensorBoard's log folder, made if necessary.

    Raises:
        UsageError: the results folder holds no sweep, or the other folder is a file or inside it.
        ResultsError: a committed file is damaged.
        StorageError: a file cannot be read or written.
    """
    if not (trials := sorted(ledger.committed())):
        if ledger.record() is None:
            raise ledger.no_sweep()
        raise UsageError(f"{ledger.paths.folder}: no trial is done yet, so there is nothing to export")
    results, target = ledger.paths.folder.resolve(), folder.resolve()
    if target == results or results in target.parents:
        raise UsageError(f"--tensorboard {folder}: inside the results folder; choose a folder outside of it")
    written = 0
    for trial_id in trials:
        content = b"".join(map(_record, _events(_committed(ledger, trial_id))))
        try:
            written += _put(folder / trial_id, content)
        except OSError as error:
            name = error.filename or folder / trial_id
            raise StorageError(f"{name}: cannot be written: {error.strerror or error}") from error
    return Exported(written, len(trials) - written)


def _committed(ledger: Ledger, trial_id: str) -> DecodedTrial:
    """Read a trial without its predictions."""
    files = committed_files(ledger.paths, trial_id)
    try:
        if files is None:
            raise ResultsError("its row is missing")
        read_manifest(files.trials).curves.check(files.curves)
        return decode(replace(files, predictions=None))
    except ResultsError as error:
        raise ResultsError(f"{trial_id}: {error}; {DAMAGE_REMEDY}") from error


def _put(folder: Path, content: bytes) -> bool:
    """Write a run's event file unless it is there already; return whether it was written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / EVENTS
    if read_file(path) == content:
        return False
    temporary = folder / temporary_name("events")  # which TensorBoard does not take for an event file
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _record(event: Event) -> bytes:
    """Frame an event as a record of a TFRecord file."""
    data = event.SerializeToString(deterministic=True)
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(data))


def _events(trial: DecodedTrial) -> Iterator[Event]:
    """Yield a trial's events; no clock tells when an epoch ended, so their times are evenly spaced."""
    result, curve = trial.result, trial.result.curve
    began, ended = (time.timestamp() for time in (trial.provenance.started, trial.provenance.ended))
    yield Event(wall_time=began, file_version=_FILE_VERSION)
    start = SessionStartInfo(start_time_secs=began)
    for name, value in flattened(result.settings.model_dump()).items():
        setattr(start.hparams[name], _field(value), value)
    yield _hparams_event(began, "session_start_info", start)
    epochs = curve.epoch.tolist()
    for point, epoch in enumerate(epochs):
        scalars = {"training/loss": curve.loss[point], "training/accuracy": curve.accuracy[point]}
        if not math.isnan(curve.exact_match[point]):
            scalars["held_out/exact_match"] = curve.exact_match[point]
            scalars["held_out/position_accuracy"] = curve.position_accuracy[point].mean()
        values = [Summary.Value(tag=tag, simple_value=float(value)) for tag, value in scalars.items()]
        time = began + (ended - began) * epoch / epochs[-1]
        yield Event(wall_time=time, step=epoch, summary=Summary(value=values))
    status = STATUS_SUCCESS if result.status == "done" else STATUS_FAILURE
    end = SessionEndInfo(status=status, end_time_secs=ended)
    yield _hparams_event(ended, "session_end_info", end)


def _field(value: bool | float | str) -> str:
    """Return the field of a `google.protobuf.Value` that holds such a value."""
    if isinstance(value, bool):
        return "bool_value"
    return "string_value" if isinstance(value, str) else "number_value"


def _hparams_event(time: float, name: str, info: SessionStartInfo | SessionEndInfo) -> Event:
    """Make an event of TensorBoard's plugin for hyperparameters."""
    content = HParamsPluginData(version=0, **{name: info}).SerializeToString(deterministic=True)
    data = SummaryMetadata.PluginData(plugin_name=_HPARAMS, content=content)
    value = Summary.Value(tag=f"_hparams_/{name}", metadata=SummaryMetadata(plugin_data=data))
    return Event(wall_time=time, summary=Summary(value=[value]))
