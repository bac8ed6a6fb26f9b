"""One trial again: equal bytes, the first difference and its circumstances, and the network as a file."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysweep.errors import NetworkError, ResultsError, UsageError
from raysweep.experiment import SourcedNetwork, Training
from raysweep.experiment.training import made_with
from raysweep.machine import cpu_model, local_cpus, package_versions
from raysweep.report.reproduction_report import NO_CHANGE, NO_PROMISE, reproduction_view
from raysweep.reproduction import reproduce
from raysweep.store.differences import Reproduction
from raysweep.store.encoding import Provenance, encode
from raysweep.store.ledger import Ledger
from raysweep.trial.network import NetworkSource
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings
from tests.command import environment, raysweep, write_grid
from tests.make_results import MOMENT
from tests.sweeps import drawn, failure_of, planned, trials_of, write_sweep

NETWORKS = """
import keras
from keras import layers


def gru(*, n_in, n_out, vocab, mem, batch_size, depth=1):
    window = hidden = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = layers.GRU(mem, stateful=True)(hidden)
    hidden = layers.BatchNormalization()(layers.RepeatVector(n_out)(hidden))
    hidden = layers.GRU(mem, stateful=True, return_sequences=True)(hidden)
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden))
"""
SOURCE = NetworkSource.of("networks.py", NETWORKS.encode())

ECHO = TrialSettings(arch="echo", len=3, mem=24, seed=0, epochs=60, eval_sequences=3, eval_every=25)
SEQ2SEQ = TrialSettings(
    arch="seq2seq", len=2, mem=24, seed=1, epochs=40, eval_sequences=3, windows=6, batch_size=3
)
GRU = TrialSettings(
    arch="gru",
    len=2,
    mem=8,
    seed=0,
    epochs=30,
    eval_sequences=3,
    windows=6,
    batch_size=3,
    network=SOURCE.sha256,
    options={"depth": 1},  # type: ignore[arg-type]
)
DIVERGING = ECHO.model_copy(update={"learning_rate": 1e38})


@cache
def trained(settings: TrialSettings) -> TrialResult:
    network = SourcedNetwork(SOURCE, "gru") if settings.network else None
    training = Training(settings, network=network)
    while not training.finished:
        training.advance(60)
    return training.result()


def threads() -> int:
    """The threads of TensorFlow in this process, fixed since its first operation."""
    trained(ECHO)
    return made_with().threads or local_cpus()


def here(**changes: Any) -> Provenance:
    circumstances = {
        "attempt": 1,
        "started": MOMENT,
        "ended": MOMENT,
        "host": "node-1",
        "cpu_model": cpu_model(),
        "threads": threads(),
        "versions": package_versions(),
    }
    return Provenance(**{**circumstances, **changes})


def commit(folder: Path, result: TrialResult, provenance: Provenance | None = None) -> Ledger:
    ledger = Ledger(folder / "sweep")
    with ledger.open_for_writing() as writer:
        writer.commit(encode(result, provenance or here()))
    return ledger


def altered(result: TrialResult) -> TrialResult:
    """The same trial with another last confidence and another loss after half of the training."""
    predictions, curve = result.predictions, result.curve
    assert predictions is not None
    confidence, loss = predictions.confidence.copy(), curve.loss.copy()
    confidence[-1, -1] /= 2
    loss[1] += 1
    return replace(
        result, predictions=replace(predictions, confidence=confidence), curve=replace(curve, loss=loss)
    )


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    path = tmp_path / "networks.py"
    path.write_text(NETWORKS, encoding="utf-8")
    return path


@pytest.mark.parametrize("settings", [ECHO, SEQ2SEQ, GRU, DIVERGING], ids=lambda s: f"{s.arch}{s.len}")
def test_a_trial_has_the_same_bytes_again(settings: TrialSettings, tmp_path: Path, networks: Path) -> None:
    ledger = commit(tmp_path, trained(settings))
    shown: list[tuple[int, int]] = []
    found = reproduce(
        ledger,
        settings.trial_id,
        networks=networks if settings.network else None,
        show=lambda epoch, epochs, loss, accuracy: shown.append((epoch, epochs)),
    )
    assert (found.differences, found.changes, found.promised, found.model) == ((), (), True, None)
    assert shown[-1][0] <= shown[-1][1] == settings.epochs
    (line,) = drawn(reproduction_view(found), 120).splitlines()
    assert line.startswith(f"{settings.trial_id}: reproduced, every byte is equal; ")


def test_the_first_difference_of_each_table_is_named(tmp_path: Path) -> None:
    found = reproduce(commit(tmp_path, altered(trained(ECHO))), ECHO.trial_id)
    curves, predictions = found.differences
    assert (curves.table, curves.place, curves.different) == ("curves", "epoch 50, loss", {"loss": 1})
    assert predictions.place == "sequence 2, window 19, position 3, confidence"
    assert float(predictions.again) == pytest.approx(2 * float(predictions.committed))
    assert found.changes == ()
    text = " ".join(drawn(reproduction_view(found), 100).split())
    assert f"{ECHO.trial_id}: not reproduced, curves and predictions differ; " in text
    assert "first at epoch 50, loss: " in text
    assert "rows that differ, of 60: confidence 1" in text
    assert NO_CHANGE in text


def test_what_else_differs_is_named(tmp_path: Path) -> None:
    """The threads among it: this process's TensorFlow runs with its own number already."""
    more = threads() + 1
    versions = {**package_versions(), "tensorflow": "2.0.0", "ray": "1.0.0", "cudnn": "9"}
    forged = here(threads=more, cpu_model="a \x1b[31mCPU", versions=versions)
    result = replace(altered(trained(ECHO)), device="gpu")
    found = reproduce(commit(tmp_path, result, forged), ECHO.trial_id)
    changes = {one.what: (one.committed, one.here) for one in found.changes}
    assert changes == {
        "processor": ("a \x1b[31mCPU", cpu_model()),
        "device": ("gpu", "cpu"),
        "TensorFlow's threads": (str(more), str(more - 1)),
        "cudnn": ("9", "unknown"),
        "tensorflow": ("2.0.0", package_versions()["tensorflow"]),
    }
    text = drawn(reproduction_view(found), 100)
    assert "\x1b" not in text
    assert f"TensorFlow's threads: {more} committed, {more - 1} here" in text


def test_a_network_without_a_seed_is_compared_without_a_promise(tmp_path: Path) -> None:
    result = replace(altered(trained(ECHO)), deterministic=False)
    found = reproduce(commit(tmp_path, result), ECHO.trial_id)
    assert len(found.differences) == 2
    assert NO_PROMISE in " ".join(drawn(reproduction_view(found), 100).split())
    equal = Reproduction("echo-1", (), (), promised=False, seconds=1, model_asked=False, model=None)
    assert NO_PROMISE in " ".join(drawn(reproduction_view(equal), 100).split())


def no_training(*_: object, **__: object) -> None:
    raise AssertionError("nothing is to be trained")


@pytest.mark.parametrize("kind", ["trials", "predictions", "curves"])
def test_a_flipped_byte_is_found_before_anything_is_trained(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = commit(tmp_path, trained(ECHO))
    path = ledger.paths.table(kind, ECHO.trial_id)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr("raysweep.experiment.Training", no_training)
    with pytest.raises(ResultsError, match=rf"{kind}/.* does not match its checksum") as error:
        reproduce(ledger, ECHO.trial_id)
    assert "nothing was trained" in str(error.value)


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    ledger = commit(tmp_path, trained(ECHO))
    ledger.paths.table("predictions", ECHO.trial_id).unlink()
    with pytest.raises(ResultsError, match="the file is missing"):
        reproduce(ledger, ECHO.trial_id)
    ledger.paths.table("curves", ECHO.trial_id).unlink()
    with pytest.raises(ResultsError, match="its curve is missing"):
        reproduce(ledger, ECHO.trial_id)


def test_only_a_committed_trial_can_be_reproduced(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4]})
    failed, missing = trials_of(content)
    ledger = write_sweep(tmp_path / "sweep", content, [], [failure_of(failed)])
    with pytest.raises(UsageError, match=f"{failed.trial_id}: failed, so it has no results"):
        reproduce(ledger, failed.trial_id)
    with pytest.raises(UsageError, match=f"{missing.trial_id}: not trained yet; `raysweep run` trains it"):
        reproduce(ledger, missing.trial_id)


def test_a_network_comes_from_the_file_that_the_user_names(
    tmp_path: Path, networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = commit(tmp_path, trained(GRU))
    copy = ledger.paths.network(SOURCE.sha256)
    copy.parent.mkdir()
    copy.write_text(NETWORKS, encoding="utf-8")
    monkeypatch.setattr("raysweep.experiment.Training", no_training)
    with pytest.raises(UsageError, match="gru is a network of your own; name its file: --networks") as error:
        reproduce(ledger, GRU.trial_id)
    assert str(copy) in str(error.value)
    networks.write_text(f"{NETWORKS}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not the text that the trial was trained with") as error:
        reproduce(ledger, GRU.trial_id, networks=networks)
    assert SOURCE.sha256 in str(error.value)
    assert NetworkSource.of("", f"{NETWORKS}\n".encode()).sha256 in str(error.value)
    copy.unlink()
    with pytest.raises(UsageError, match="no copy of that text"):
        reproduce(ledger, GRU.trial_id, networks=networks)
    networks.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        reproduce(ledger, GRU.trial_id, networks=networks)
    for wrong in (tmp_path, tmp_path / "nowhere.py"):
        with pytest.raises(UsageError, match="no such file"):
            reproduce(ledger, GRU.trial_id, networks=wrong)
    with pytest.raises(UsageError, match="echo is built in; leave out --networks"):
        reproduce(commit(tmp_path, trained(ECHO)), ECHO.trial_id, networks=networks)


def test_a_copy_in_the_results_folder_may_be_named(tmp_path: Path, networks: Path) -> None:
    ledger = commit(tmp_path, trained(GRU))
    copy = ledger.paths.network(SOURCE.sha256)
    copy.parent.mkdir()
    networks.rename(copy)
    assert reproduce(ledger, GRU.trial_id, networks=copy).differences == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "model.h5", "end with .keras; write .*model.keras"),
        (lambda folder: folder / "there.keras", "exists already, and is not replaced"),
        (lambda folder: folder / "nowhere" / "model.keras", "no folder .*nowhere"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_the_training(
    make: Callable[[Path], Path], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = commit(tmp_path, trained(ECHO))
    (tmp_path / "there.keras").touch()
    monkeypatch.setattr("raysweep.experiment.Training", no_training)
    with pytest.raises(UsageError, match=message):
        reproduce(ledger, ECHO.trial_id, model=make(tmp_path))
    diverged = commit(tmp_path, trained(DIVERGING))
    with pytest.raises(UsageError, match="diverged, so it has no network to keep"):
        reproduce(diverged, DIVERGING.trial_id, model=tmp_path / "model.keras")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves
@pytest.mark.parametrize("settings", [ECHO, SEQ2SEQ, GRU], ids=lambda s: s.arch)
def test_the_kept_network_predicts_the_same_when_it_is_loaded(
    settings: TrialSettings, tmp_path: Path, networks: Path
) -> None:
    import keras

    path = tmp_path / "kept.keras"
    own = networks if settings.network else None
    found = reproduce(commit(tmp_path, trained(settings)), settings.trial_id, networks=own, model=path)
    assert found.model == str(path)
    assert f"network kept in {path}" in drawn(reproduction_view(found), 300)
    assert [one.name for one in tmp_path.glob("*.keras")] == ["kept.keras"]
    model = keras.models.load_model(path)
    expected = trained(settings).predictions
    assert expected is not None
    inputs = np.eye(settings.vocab, dtype=np.float32)[expected.input]
    outputs = []
    for start in range(0, len(inputs), settings.batch_size):
        if start % settings.windows == 0:  # the states of one sequence are not those of the next
            for layer in model.layers:
                if getattr(layer, "stateful", False):
                    layer.reset_state()
        outputs.append(np.asarray(model(inputs[start : start + settings.batch_size], training=False)))
    softmax = np.concatenate(outputs)
    np.testing.assert_array_equal(softmax.argmax(axis=-1), expected.predicted)
    np.testing.assert_allclose(softmax.max(axis=-1), expected.confidence, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, as it saves
def test_a_network_whose_predictions_differ_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept.keras"
    found = reproduce(commit(tmp_path, altered(trained(ECHO))), ECHO.trial_id, model=path)
    assert found.model is None
    assert not path.exists()
    assert "the network was not kept" in drawn(reproduction_view(found), 100)


def test_a_network_that_keras_cannot_save_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    def save(*_: object) -> None:
        raise TypeError("no\nway")

    monkeypatch.setattr(keras.Model, "save", save)
    with pytest.raises(NetworkError, match=r"echo: Keras cannot save this network: no way$"):
        reproduce(commit(tmp_path, trained(ECHO)), ECHO.trial_id, model=tmp_path / "kept.keras")
    assert list(tmp_path.glob("*.keras")) == []


GRID = """
name: tiny
networks: networks.py
keep_state: true
grid:
  - {arch: echo, len: 3, mem: 300, epochs: 30}
  - {arch: seq2seq, len: 2, mem: 16, epochs: 60, windows: 6, batch_size: 3}
  - {arch: gru, len: 2, mem: 16, epochs: 30, windows: 6, batch_size: 3}
defaults: {eval_sequences: 3}
resources: {cpu: 2}
"""


@pytest.mark.e2e
@pytest.mark.ray
def test_what_a_run_has_trained_is_reproduced_by_the_command(tmp_path: Path, networks: Path) -> None:
    """On two threads, with the environment of a user who has set what would change the last bits."""
    env = environment(tmp_path, TF_ENABLE_ONEDNN_OPTS="0", KERAS_BACKEND="jax")
    for epochs in ("30", "60"):  # the longer trial goes on from the shorter one's state
        write_grid(tmp_path, GRID.replace("epochs: 60", f"epochs: {epochs}"))
        done = raysweep("run", "tiny.yaml", "--cpus", 2, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    trials = sorted(Ledger(tmp_path / "results" / "tiny").committed())
    assert len(trials) == 4
    for trial_id in trials:
        own = ("--networks", networks) if trial_id.startswith("gru") else ()
        again = raysweep("reproduce", "results/tiny", trial_id, *own, cwd=tmp_path, env=env)
        assert (again.returncode, again.stderr) == (0, ""), again.stdout
        assert again.stdout.startswith(f"{trial_id}: reproduced, every byte is equal; ")


@pytest.mark.e2e
def test_a_difference_is_an_exit_code_of_1(tmp_path: Path) -> None:
    commit(tmp_path, altered(trained(ECHO)), here(threads=1, versions={**package_versions(), "keras": "3"}))
    done = raysweep("reproduce", "sweep", "echo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "first at epoch 50, loss: " in done.stdout
    assert f"keras: 3 committed, {package_versions()['keras']} here" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]
