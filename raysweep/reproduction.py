"""Reproduction of one committed trial: trained again in this process, without Ray, and compared byte by byte.

TensorFlow is configured and imported as a worker of `raysweep run` does it: its environment, the threads of
the trial's row, and the device. Nothing is written in the results folder, and no code there is executed
unless the user names it.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raysweep.driver.variables import TRAINING
from raysweep.errors import ResultsError, UsageError
from raysweep.machine import cpu_model, local_cpus, package_versions
from raysweep.run.environment import run_environment
from raysweep.run.surroundings import LEFT_OUT
from raysweep.store.atomic_files import exists
from raysweep.store.differences import Change, Reproduction, difference
from raysweep.store.encoding import DecodedTrial, EncodedTrial, decode, encode
from raysweep.store.ledger import Ledger
from raysweep.store.trial_lookup import committed_files
from raysweep.store.verify import DAMAGE_REMEDY, trial_damage
from raysweep.trial.network import LARGEST_FILE, NetworkSource
from raysweep.trial.settings import TrialSettings

if TYPE_CHECKING:
    from raysweep.experiment import Training

SLICE_S: Final = 0.5
"""Seconds of training between two calls of `show`, and until a signal is heard."""

UNUSED: Final = "ray"
"""The package whose version says nothing about a training without it."""

Show = Callable[[int, int, float, float], None]
"""Function of the epochs trained so far and in all, and of the last epoch's loss and accuracy."""


def reproduce(
    ledger: Ledger,
    trial_id: str,
    *,
    networks: Path | None = None,
    model: Path | None = None,
    show: Show = lambda epoch, epochs, loss, accuracy: None,
) -> Reproduction:
    """Train a committed trial again, and compare its predictions and curve with the committed files.

    Args:
        ledger: the results folder.
        trial_id: a trial of it.
        networks: the file that defines the trial's network; None for a built-in one.
        model: file for the trained network, written if the predictions are equal; None for no file.
        show: called every `SLICE_S` seconds.

    Raises:
        UsageError: the trial is not committed; the networks file is missing, needless or another one; or the
            model's file cannot be made.
        ResultsError: a committed file is damaged.
        NetworkError: the network cannot be trained, or not be saved.
        StorageError: a file cannot be read or written.
    """
    files = _committed(ledger, trial_id)
    committed = decode(files)
    settings = committed.result.settings
    if settings.trial_id != trial_id:
        raise ResultsError(f"{trial_id}: trained by another version of raysweep; use that one")
    source = _network_source(settings, networks, ledger)
    if model is not None:
        _require_new_file(model, diverged=committed.result.status == "diverged")
    if "tensorflow" not in sys.modules:  # else it has read its environment already
        _prepare_environment(committed)
    with _quiet():
        from raysweep.experiment import SourcedNetwork, Training, configure_threads
        from raysweep.experiment.model_file import require_savable, save_model

    began = time.monotonic()
    configure_threads(committed.provenance.threads)
    network = None if source is None else SourcedNetwork(source, settings.arch)
    if model is not None:
        require_savable(settings, network, model)
    training = Training(settings, network=network)
    while not training.finished:
        training.advance(SLICE_S)
        show(training.epoch, settings.epochs, training.loss, training.accuracy)
    again = encode(training.result(), committed.provenance)
    seconds = time.monotonic() - began
    curves = difference("curves", files.curves, again.curves)
    predictions = difference("predictions", files.predictions, again.predictions)
    loads = True
    if kept := model if predictions is None else None:
        loads = save_model(training, network, kept)
    found = tuple(one for one in (curves, predictions) if one is not None)
    return Reproduction(
        trial_id,
        differences=found,
        changes=tuple(_changes(ledger, committed, training)) if found else (),
        promised=committed.result.deterministic,
        seconds=seconds,
        model_asked=model is not None,
        model=None if kept is None else str(kept),
        model_loads=loads,
    )


def _committed(ledger: Ledger, trial_id: str) -> EncodedTrial:
    """Read a committed trial's files, each of which must have its checksum."""
    if (files := committed_files(ledger.paths, trial_id)) is not None:
        if damage := trial_damage(ledger.paths, trial_id):
            lines = [f"{one.path}: {one.what}" for one in damage]
            raise ResultsError("\n".join([*lines, f"nothing was trained; {DAMAGE_REMEDY}"]))
        return files
    if trial_id in ledger.failures():
        raise UsageError(f"{trial_id}: failed, so it has no results; `raysweep show` says why it failed")
    raise UsageError(f"{trial_id}: not trained yet; `raysweep run` trains it")


def _network_source(settings: TrialSettings, path: Path | None, ledger: Ledger) -> NetworkSource | None:
    """Read the networks file that the user names; it must be the one that the trial was trained with."""
    if settings.network is None:
        if path is not None:
            raise UsageError(f"{settings.arch} is built in; leave out --networks")
        return None
    told = f"  SHA-256 of the trial's row   {settings.network}"
    if exists(copy := ledger.paths.network(settings.network)):
        copied = f"  {copy} has a copy of that text: compare, or name the copy once you have read it"
    else:
        copied = "  no copy of that text is in the results folder; look in your version control"
    if path is None:
        raise UsageError(
            f"{settings.arch} is a network of your own; name its file: --networks FILE\n{told}\n{copied}"
        )
    source = _read_source(path)
    if source.sha256 != settings.network:
        found = f"  SHA-256 of the file's text   {source.sha256}"
        raise UsageError(f"{path}: not the text that the trial was trained with\n{told}\n{found}\n{copied}")
    source.network(settings.arch, TrialSettings.model_fields)
    return source


def _read_source(path: Path) -> NetworkSource:
    try:
        if not path.is_file():  # a pipe may have no end
            raise UsageError(f"{path}: no such file; give the Python file that defines the network")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise UsageError(f"{path}: too large to be a networks file")
        return NetworkSource.of(str(path), data)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def _require_new_file(path: Path, *, diverged: bool) -> None:
    """Find out before the training that a network's file cannot be written."""
    if diverged:
        raise UsageError("--model: the trial diverged, so it has no network to keep; leave out --model")
    if path.suffix != ".keras":
        raise UsageError(f"--model {path}: Keras' files end with .keras; write {path.with_suffix('.keras')}")
    if os.path.lexists(path):
        raise UsageError(f"--model {path}: exists already, and is not replaced; give a new file")
    if not path.parent.is_dir():
        raise UsageError(f"--model {path}: no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"--model {path}: {path.parent} is not writable; choose another folder")


def _prepare_environment(committed: DecodedTrial) -> None:
    """Set the variables that TensorFlow, Keras and their libraries read as in a worker."""
    for name in LEFT_OUT:
        os.environ.pop(name, None)
    os.environ.update(TRAINING)
    # Both as Ray sets them for a worker.
    os.environ.setdefault("OMP_NUM_THREADS", str(committed.provenance.threads))
    if committed.result.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what TensorFlow's libraries print while they are imported, unless that fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def _changes(ledger: Ledger, committed: DecodedTrial, training: "Training") -> Iterator[Change]:
    """Compare the circumstances in the trial's row, and the commit of its run, with those here."""
    from raysweep.experiment.training import made_with

    here, then = made_with(), committed.provenance
    device = "cpu" if here.device == "cpu" else "gpu"
    found = [
        ("processor", then.cpu_model, cpu_model()),
        ("device", committed.result.device, device),
        ("TensorFlow's threads", f"{then.threads}", f"{here.threads or local_cpus()}"),
    ]
    versions, ours = dict(then.versions), package_versions()
    for name in sorted({*versions, *ours} - {UNUSED}):
        found.append((name, versions.get(name, "unknown"), ours.get(name, "unknown")))
    found.append(("raysweep's commit", *_commits(ledger, committed)))
    yield from (Change(*one) for one in found if one[1] != one[2])


def _commits(ledger: Ledger, committed: DecodedTrial) -> tuple[str, str]:
    """Return the commit of the run that committed a trial, and that of this raysweep; empty if unknown."""
    runs = record.runs if (record := ledger.record()) is not None else ()
    before = [run for run in runs if run.started <= committed.provenance.ended]
    here = run_environment()
    if not before or before[-1].commit is None or here.commit is None:
        return "", ""
    return _commit(before[-1].commit, before[-1].dirty), _commit(here.commit, here.dirty)


def _commit(commit: str, dirty: bool | None) -> str:
    return f"{commit:.9}{' and changes' if dirty else ''}"
