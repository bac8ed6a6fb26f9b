"""The export to TensorBoard, as a real `tensorboard` process reads it."""

import contextlib
import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.store.ledger import Ledger
from raysweep.tensorboard import EVENTS, export_runs
from raysweep.trial.result import TrialResult
from raysweep.trial.settings import TrialSettings
from tests.command import environment, raysweep
from tests.make_results import synthetic_result
from tests.sweeps import planned, synthetic_results, trials_of, write_sweep

CONTENT = planned({"arch": ["echo", "seq2seq"], "len": [2, 3], "mem": [4]}, defaults={"eval_sequences": 3})
OWN = TrialSettings.model_validate(
    {
        "arch": "gru",
        "len": 2,
        "mem": 4,
        "seed": 0,
        "epochs": 60,
        "eval_sequences": 3,
        "eval_every": 25,
        "learning_rate": 0.01,
        "network": 64 * "a",
        "options": {"depth": 2, "rate": 0.5, "tied": True, "cell": "a <b>"},
    }
)
DIVERGED = trials_of(CONTENT)[0]


def results() -> list[TrialResult]:
    made = synthetic_results(trials_of(CONTENT), diverged=lambda settings: settings == DIVERGED)
    return [*made, synthetic_result(OWN, np.random.default_rng(7))]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "lengths", CONTENT, results())


@pytest.fixture(scope="module")
def logs(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    assert export_runs(ledger, folder).written == 5
    return folder


class Board:
    """A TensorBoard server."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/data"

    def get(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}/{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def board(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("board")
    command: list[str | Path] = [
        Path(sys.executable).parent / "tensorboard",
        "--logdir",
        logs,
        "--host",
        "127.0.0.1",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment(folder), stdout=log, stderr=log
        )
    try:
        server = Board(port)
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                if len(server.get("runs")) == 5:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


pytestmark = pytest.mark.e2e


def test_each_trial_is_a_run_with_its_scalars(board: Board) -> None:
    runs = {result.settings.trial_id for result in results()}
    assert set(board.get("runs")) == runs
    tags = board.get("plugin/scalars/tags")
    assert set(tags) == runs
    for found in tags.values():
        held_out = {"held_out/exact_match", "held_out/position_accuracy"}
        assert set(found) == {"training/loss", "training/accuracy"} | held_out


def test_the_scalars_are_those_of_the_curve(board: Board) -> None:
    for result in results():
        curve, run = result.curve, result.settings.trial_id
        evaluated = ~np.isnan(curve.exact_match)
        expected = {
            "training/loss": (curve.epoch, curve.loss),
            "training/accuracy": (curve.epoch, curve.accuracy),
            "held_out/exact_match": (curve.epoch[evaluated], curve.exact_match[evaluated]),
            "held_out/position_accuracy": (
                curve.epoch[evaluated],
                curve.position_accuracy[evaluated].mean(axis=1),
            ),
        }
        for tag, (epochs, values) in expected.items():
            points = board.get(f"plugin/scalars/scalars?tag={tag}&run={run}")
            assert [step for _, step, _ in points] == epochs.tolist()
            found = [float(value) for *_, value in points]  # TensorBoard writes NaN as a text
            np.testing.assert_allclose(found, values, rtol=1e-6)
            assert sorted(moment for moment, *_ in points) == [moment for moment, *_ in points]


def test_the_table_of_hyperparameters_has_every_setting_in_its_type(board: Board) -> None:
    experiment = board.get("plugin/hparams/experiment", {})
    infos = {info["name"]: info for info in experiment["hparamInfos"]}
    assert {*TrialSettings.model_fields} - {"options"} | {"depth", "rate", "tied", "cell"} == {*infos}
    kinds = {name: info["type"].removeprefix("DATA_TYPE_") for name, info in infos.items()}
    assert {name for name, kind in kinds.items() if kind == "STRING"} == {"arch", "network", "cell"}
    assert {name for name, kind in kinds.items() if kind == "BOOL"} == {"tied"}
    assert {name for name, info in infos.items() if info["differs"]} >= {"arch", "len", "learning_rate"}
    assert not infos["mem"]["differs"]
    metrics = {info["name"]["tag"] for info in experiment["metricInfos"]}
    assert metrics >= {"held_out/exact_match", "held_out/position_accuracy", "training/loss"}


def test_each_trial_is_a_row_of_the_table(board: Board) -> None:
    asked = {
        "startIndex": 0,
        "sliceSize": 100,
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE"],
        "colParams": [{"hparam": "arch"}, {"metric": {"tag": "held_out/exact_match"}}],
    }
    groups = board.get("plugin/hparams/session_groups", asked)["sessionGroups"]
    sessions = {group["sessions"][0]["name"]: group for group in groups}
    assert len(groups) == 5
    own = sessions[OWN.trial_id]
    assert own["hparams"]["depth"] == 2
    assert own["hparams"]["rate"] == 0.5
    assert own["hparams"]["tied"] is True
    assert own["hparams"]["cell"] == "a <b>"
    assert own["hparams"]["network"] == 8 * "a"
    assert own["hparams"]["learning_rate"] == 0.01
    (result,) = (one for one in results() if one.settings == OWN)
    assert result.predictions is not None
    values = {one["name"]["tag"]: one["value"] for one in own["metricValues"]}
    assert values["held_out/exact_match"] == pytest.approx(result.predictions.exact.mean())
    assert values["held_out/position_accuracy"] == pytest.approx(result.predictions.position_accuracy.mean())
    statuses = {name: group["sessions"][0]["status"] for name, group in sessions.items()}
    assert {name for name, status in statuses.items() if status == "STATUS_FAILURE"} == {DIVERGED.trial_id}
    loss = {one["name"]["tag"]: one["value"] for one in sessions[DIVERGED.trial_id]["metricValues"]}
    assert math.isnan(float(loss["training/loss"]))


def test_exporting_again_writes_nothing_and_leaves_foreign_files(ledger: Ledger, tmp_path: Path) -> None:
    export_runs(ledger, tmp_path)
    files = sorted(tmp_path.rglob("*.raysweep"))
    assert [path.name for path in files] == 5 * [EVENTS]
    before = [(path.stat().st_mtime_ns, path.read_bytes()) for path in files]
    foreign = files[0].parent / "events.out.tfevents.1.somebody"
    foreign.write_bytes(b"else's")
    (tmp_path / "notes.txt").write_text("keep")
    again = export_runs(ledger, tmp_path)
    assert (again.written, again.unchanged) == (0, 5)
    assert [(path.stat().st_mtime_ns, path.read_bytes()) for path in files] == before
    files[1].write_bytes(before[1][1][:-7])  # torn, or of another raysweep
    again = export_runs(ledger, tmp_path)
    assert (again.written, again.unchanged) == (1, 4)
    assert [path.read_bytes() for path in files] == [data for _, data in before]
    assert foreign.read_bytes() == b"else's"
    assert (tmp_path / "notes.txt").read_text() == "keep"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 7


def test_the_command_says_what_it_wrote_and_needs_no_tensorflow(ledger: Ledger, tmp_path: Path) -> None:
    env = environment(tmp_path, PYTHONPROFILEIMPORTTIME="1")
    arguments = ("export", ledger.paths.folder, "--tensorboard", "logs/tb")
    done = raysweep(*arguments, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (0, "logs/tb: 5 runs written, 0 unchanged\n")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tensorboardX" in imported
    assert imported.isdisjoint({"tensorflow", "keras", "ray", "tensorboard"})
    again = raysweep(*arguments, cwd=tmp_path)  # in another process, with other hashes
    assert (again.stdout, again.stderr) == ("logs/tb: 0 runs written, 5 unchanged\n", "")


def test_a_folder_that_cannot_be_used_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ledger.paths.folder)
    before = sorted(os.walk(ledger.paths.folder))
    for inside in (ledger.paths.folder, ledger.paths.trials, tmp_path / "link" / "curves" / "tb"):
        with pytest.raises(UsageError, match="inside the results folder"):
            export_runs(ledger, inside)
    assert sorted(os.walk(ledger.paths.folder)) == before
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file.*: cannot be written: "):
        export_runs(ledger, tmp_path / "file")


def test_what_cannot_be_exported_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sweep has written here"):
        export_runs(Ledger(tmp_path), tmp_path / "tb")
    ledger = write_sweep(tmp_path / "sweep", CONTENT, [])
    with pytest.raises(UsageError, match="no trial is done yet"):
        export_runs(ledger, tmp_path / "tb")
    ledger = write_sweep(tmp_path / "damaged", CONTENT, results()[:2])
    path = ledger.paths.table("curves", results()[1].settings.trial_id)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=r"does not match its checksum; `raysweep verify` lists"):
        export_runs(ledger, tmp_path / "tb")
