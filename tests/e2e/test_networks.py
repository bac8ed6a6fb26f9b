"""A user's week with networks of their own: real files, real processes, real Ray."""

import codecs
import csv
import hashlib
import io
import json
import re
import shutil
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import raysweep as package
from raysweep.grid import read_grid
from tests.command import environment, raysweep, tables, write_grid
from tests.e2e.own_networks import MARK, RESUMED, SHUFFLED, write_networks

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

FINISHED = re.compile(r"^\[\d+/\d+\]", re.MULTILINE)

NASTY = "\x1b]0;owned\x07 'q' \"d\" ü☃ [red]x[/red]"
"""A text with what steers terminals, quotes, other alphabets, and what Rich takes for markup."""

GRID = r"""
name: own
networks: nets.py
grid:
  - {arch: Gru_2, len: 2, mem: 4, depth: [1, 2]}
  - {arch: [echo, noisy], len: 2, mem: 4}
  - {arch: Gru_2, len: 2, mem: 4, norm: true, rate: 0.5, label: "\e]0;owned\a 'q' \"d\" ü☃ [red]x[/red]"}
defaults: {epochs: 30, eval_sequences: 2}
Gru_2: {windows: 6, batch_size: 3}
"""
"""Five trials."""

SUBSET = GRID.replace("depth: [1, 2]", "depth: 1").replace("[echo, noisy]", "[echo]")
SUBSET = "\n".join(line for line in SUBSET.splitlines() if "norm" not in line)
"""Two of them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `GRID` was planned and run once, on two cores, from another folder.

    Its networks file begins with a byte-order mark and has the line ends of Windows; a module of the same
    name is where every process looks for modules first.
    """
    folder = tmp_path_factory.mktemp("own")
    path = write_networks(folder, marker=folder / "executed")
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes().replace(b"\n", b"\r\n"))
    decoy = folder / "decoy"
    decoy.mkdir()
    write_networks(
        decoy, MARK.format(marker=str(folder / "decoyed")) + "raise RuntimeError('the wrong file')\n"
    )
    write_grid(folder, GRID, "own.yaml")
    env = environment(folder, PYTHONPATH=str(decoy))
    planned = raysweep("plan", "../own.yaml", "--results-dir", "../results", cwd=decoy, env=env)
    assert planned.returncode == 0, planned.stderr
    (folder / "planned").write_text(planned.stdout)
    assert not (folder / "executed").exists()
    done = raysweep("run", "../own.yaml", "--results-dir", "../results", "--cpus", 2, cwd=decoy, env=env)
    (folder / "stdout").write_text(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def results(folder: Path) -> Path:
    return folder / "results" / "own"


def sha256_of(path: Path) -> str:
    """Normalise a networks file as the design says, and return its SHA-256."""
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    return hashlib.sha256(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).hexdigest()


def test_only_workers_execute_the_file_and_each_of_them_this_file(folder: Path) -> None:
    lines = (folder / "executed").read_text().splitlines()
    assert lines
    assert all("default_worker.py" in line for line in lines)
    assert len({line.split()[0] for line in lines}) <= 2
    assert not (folder / "decoyed").exists()


def test_nothing_else_executes_the_file_or_its_copy(folder: Path, results: Path) -> None:
    (folder / "executed").unlink()
    (copy,) = (results / "networks").iterdir()
    intact = copy.read_bytes()
    write_networks(copy.parent, MARK.format(marker=str(folder / "copied")), copy.name)
    try:
        _read_everything(folder, results)
    finally:
        copy.write_bytes(intact)
    assert not (folder / "executed").exists()
    assert not (folder / "copied").exists()


def _read_everything(folder: Path, results: Path) -> None:
    name = next((results / "trials").glob("noisy*")).stem
    for arguments in (
        ("plan", "own.yaml"),
        ("report", results),
        ("report", results, "--json"),
        ("report", results, "--csv"),
        ("show", results, name),
        ("verify", results),
    ):
        done = raysweep(*arguments, cwd=folder)
        assert "Traceback" not in done.stderr
        assert done.returncode == (1 if arguments[0] == "verify" else 0), done.stderr
    assert len(read_grid(folder / "own.yaml").trials) == 5
    assert package.load(results).sql("SELECT count(*) FROM trials").fetchall() == [(5,)]


def test_rows_have_the_network_and_every_option(folder: Path, results: Path) -> None:
    sha256 = sha256_of(folder / "nets.py")
    rows = duckdb.execute(
        f"SELECT arch, network, options, deterministic FROM '{results}/trials/*.parquet'"
    ).fetchall()
    assert len(rows) == 5
    assert {arch: network for arch, network, *_ in rows} == {"echo": None, "Gru_2": sha256, "noisy": sha256}
    found = sorted(
        json.dumps({k: json.loads(v) for k, v in options.items()}, sort_keys=True)
        for arch, _, options, _ in rows
        if arch == "Gru_2"
    )
    usual = {"depth": 1, "rate": 0.25, "label": "a b", "norm": False}
    expected = [usual, {**usual, "depth": 2}, {**usual, "rate": 0.5, "label": NASTY, "norm": True}]
    assert found == sorted(json.dumps(one, sort_keys=True) for one in expected)
    for kind in ("predictions", "curves"):
        for path in (results / kind).iterdir():
            row = pq.read_table(path, columns=["network", "options"]).slice(0, 1).to_pylist()[0]
            assert row["network"] == (None if path.stem.startswith("echo") else sha256)


def test_the_copy_is_the_text_and_its_name_the_checksum(folder: Path, results: Path) -> None:
    (copy,) = (results / "networks").iterdir()
    assert copy.name == f"{sha256_of(folder / 'nets.py')}.py"
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == copy.stem
    assert copy.read_bytes().startswith(b'"""Networks of')
    assert b"\r" not in copy.read_bytes()


def test_what_is_not_reproducible_is_marked_and_nothing_else(folder: Path, results: Path) -> None:
    rows = duckdb.execute(f"SELECT arch, deterministic FROM '{results}/trials/*.parquet'").fetchall()
    assert {arch for arch, deterministic in rows if not deterministic} == {"noisy"}
    report = raysweep("report", results, cwd=folder).stdout
    assert report.count("not reproducible") == 1
    cells = json.loads(raysweep("report", results, "--json", cwd=folder).stdout)["cells"]
    assert {cell["settings"]["arch"] for cell in cells if not cell["deterministic"]} == {"noisy"}
    lines = list(csv.DictReader(io.StringIO(raysweep("report", results, "--csv", cwd=folder).stdout)))
    assert {line["arch"] for line in lines if line["deterministic"] == "false"} == {"noisy"}
    for path in (results / "trials").iterdir():
        shown = raysweep("show", results, path.stem, cwd=folder).stdout
        assert ("not reproducible" in shown) == path.stem.startswith("noisy")


def test_no_option_steers_the_terminal(folder: Path, results: Path) -> None:
    (trial,) = (
        t.trial_id for t in read_grid(folder / "own.yaml").trials if dict(t.options).get("norm") == "true"
    )
    texts = {
        "run": (folder / "stdout").read_text(),
        "plan": (folder / "planned").read_text(),
        "report": raysweep("report", results, cwd=folder).stdout,
        "show": raysweep("show", results, trial, cwd=folder).stdout,
    }
    for text in texts.values():
        assert "'q' \"d\" ü☃ [red]x[/red]" in " ".join(text.split())
    unprintable = {
        command: sorted({c for c in text if not c.isprintable() and c != "\n"})
        for command, text in texts.items()
    }
    assert not any(unprintable.values()), unprintable


def test_trials_are_shown_by_the_beginning_of_their_id(folder: Path, results: Path) -> None:
    shown = raysweep("show", results, "noisy-len2", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    many = raysweep("show", results, "Gru_2-len2-mem4", cwd=folder)
    assert many.returncode == 2
    assert "3 trials match" in many.stderr
    assert all(
        re.fullmatch(r"(Gru_2|noisy|echo)-len2-mem4-seed0-[0-9a-f]{12}", path.stem)
        for path in (results / "trials").iterdir()
    )


def test_a_changed_and_a_missing_copy_are_found_and_repaired(folder: Path, results: Path) -> None:
    (copy,) = (results / "networks").iterdir()
    intact = copy.read_bytes()
    assert raysweep("verify", results, cwd=folder).returncode == 0
    copy.write_bytes(intact + b"#")
    changed = raysweep("verify", results, cwd=folder)
    assert changed.returncode == 1
    assert f"{copy.name}: does not match the SHA-256 in its name" in changed.stdout
    assert raysweep("run", "own.yaml", cwd=folder).returncode == 0
    assert copy.read_bytes() == intact
    copy.unlink()
    missing = raysweep("verify", results, cwd=folder)
    assert missing.returncode == 1
    assert f"{copy.name}: the copy is missing" in missing.stdout
    assert raysweep("run", "own.yaml", cwd=folder).returncode == 0
    assert copy.read_bytes() == intact
    assert raysweep("verify", results, cwd=folder).returncode == 0


def test_a_changed_file_is_a_new_network_and_the_old_one_is_kept(
    folder: Path, results: Path, request: pytest.FixtureRequest
) -> None:
    path = folder / "nets.py"
    original = path.read_bytes()
    before = tables(results, "trials", "predictions", "curves")
    old = sha256_of(path)
    request.addfinalizer(lambda: path.write_bytes(original))
    path.write_bytes(original + b"# changed\r\n")
    new = sha256_of(path)
    write_grid(folder, SUBSET, "subset.yaml")
    said = "nets.py has changed: 1 trial of Gru_2 is new, 3 finished trials of another version stay."
    plan = raysweep("plan", "subset.yaml", cwd=folder)
    assert said in " ".join(plan.stdout.split()) + plan.stderr
    done = raysweep("run", "subset.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(said) == 1
    assert len(FINISHED.findall(done.stdout)) == 1
    report = raysweep("report", results, cwd=folder).stdout
    assert f"network {old[:8]}" in report
    assert f"network {new[:8]}" in report
    cells = json.loads(raysweep("report", results, "--json", cwd=folder).stdout)["cells"]
    own = [cell for cell in cells if cell["settings"]["arch"] == "Gru_2"]
    assert {cell["settings"]["network"] for cell in own} == {old, new}
    assert {cell["settings"]["network"] for cell in own if cell["planned"]} == {new}
    assert {copy.stem for copy in (results / "networks").iterdir()} == {old, new}
    after = tables(results, "trials", "predictions", "curves")
    assert {name: after[name] for name in before} == before
    path.write_bytes(original)
    back = raysweep("run", "own.yaml", cwd=folder)
    assert back.returncode == 0, back.stderr
    assert "own · 5 of 5 trials" in back.stdout
    assert FINISHED.search(back.stdout) is None
    assert tables(results, "trials", "predictions", "curves") == after


def test_damaged_content_of_the_sweep_does_not_hide_the_results(
    folder: Path, results: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "own"
    shutil.copytree(results, copied)
    for text in ("{", json.dumps({"format": 1, "content": {"networks": {"Gru_2": {"network": "x"}}}})):
        (copied / "sweep.json").write_text(text)
        report = raysweep("report", copied, cwd=tmp_path)
        assert "Traceback" not in report.stderr
        assert "Gru_2" in report.stdout
    shutil.copy(folder / "nets.py", tmp_path)
    write_grid(tmp_path, GRID, "own.yaml")
    again = raysweep("run", "own.yaml", "--results-dir", ".", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "own · 5 of 5 trials" in again.stdout
    assert tables(copied) == tables(results)


def test_the_place_of_the_grid_is_not_part_of_an_id(folder: Path, tmp_path: Path) -> None:
    ids = [trial.trial_id for trial in read_grid(folder / "own.yaml").trials]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    plain = (folder / "nets.py").read_bytes().removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    (elsewhere / "renamed.py").write_bytes(plain)
    write_grid(elsewhere, GRID.replace("nets.py", "renamed.py"))
    assert [trial.trial_id for trial in read_grid(elsewhere / "tiny.yaml").trials] == ids
    write_grid(tmp_path, GRID.replace("nets.py", str(elsewhere / "renamed.py")))
    assert [trial.trial_id for trial in read_grid(tmp_path / "tiny.yaml").trials] == ids


BROKEN = """import keras
from keras import layers


def nothing(*, mem):
    pass


def misshapen(*, n_in, vocab, batch_size, mem):
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(window[:, :1]))


def raising(*, mem):
    raise ValueError("mem is\\n\\x1b[31mnot what\\x1b[0m I like")  # this very line
"""

WITH_BROKEN = """
name: broken
networks: [broken.py, unimportable.py, lacking.py, nets.py]
grid:
  - {arch: [nothing, misshapen, raising, unimportable, lacking], len: 2, mem: 4, seed: 0..4}
  - {arch: [echo, Gru_2], len: 2, mem: 4}
defaults: {epochs: 20, eval_sequences: 2}
"""
"""Of 27 trials, 25 cannot be trained."""


def test_networks_that_cannot_be_built_are_said_once_and_the_others_trained(tmp_path: Path) -> None:
    write_networks(tmp_path)
    executed = tmp_path / "executed"
    (tmp_path / "broken.py").write_text(MARK.format(marker=str(executed)) + BROKEN)
    rest = "\n\ndef {}(*, mem):\n    pass\n"
    (tmp_path / "unimportable.py").write_text("1 / 0  # at import" + rest.format("unimportable"))
    (tmp_path / "lacking.py").write_text("import no_such_package" + rest.format("lacking"))
    write_grid(tmp_path, WITH_BROKEN, "broken.yaml")
    began = time.monotonic()
    done = raysweep("run", "broken.yaml", "--cpus", 2, cwd=tmp_path)
    seconds = time.monotonic() - began
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert sorted(line.split()[1] for line in failed) == [
        "lacking",
        "misshapen",
        "nothing",
        "raising",
        "unimportable",
    ], done.stdout
    by_arch = {line.split()[1]: line for line in failed}
    assert "broken.py:8: nothing returns nothing; return the keras.Model" in by_arch["nothing"]
    assert "of shape (21, 1, 100); return (batch_size, n_out, vocab) = (21, 2, 100)" in by_arch["misshapen"]
    assert "broken.py:18: raising failed: ValueError: mem is" in by_arch["raising"]
    assert "unimportable.py:1: the file cannot be executed: ZeroDivisionError" in by_arch["unimportable"]
    assert "No module named 'no_such_package'" in by_arch["lacking"]
    assert all("not tried again in this run" in line for line in failed)
    assert "will be tried again" not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "25 trials failed" in done.stderr
    results = tmp_path / "results" / "broken"
    assert len(list((results / "trials").iterdir())) == 2
    failures = [json.loads(path.read_text()) for path in (results / "failures").iterdir()]
    assert len(failures) == 25
    assert {(failure["kind"], failure["attempts"]) for failure in failures} == {("error", 1)}
    expected = {
        "raising": ("broken.py", "# this very line"),
        "unimportable": ("unimportable.py", "1 / 0  # at import"),
        "lacking": ("lacking.py", "import no_such_package"),
    }
    for failure in failures:
        for words in expected.get(failure["trial_id"].partition("-")[0], ()):
            assert words in failure["traceback"], failure["traceback"]
        assert "\x1b" not in failure["traceback"] + failure["message"]
    shown = raysweep("show", results, "raising-len2-mem4-seed3", cwd=tmp_path)
    assert "# this very line" in shown.stdout
    assert "\x1b" not in shown.stdout
    pids = {line.split()[0] for line in executed.read_text().splitlines()}
    assert len(pids) <= 2  # the workers live on
    assert seconds < 90


@pytest.mark.slow
def test_cores_order_and_place_change_no_byte(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, grid, cpus in ((one, RESUMED, 1), (two, SHUFFLED, 2)):
        folder.mkdir()
        write_networks(folder)
        done = raysweep("run", write_grid(folder, grid), "--cpus", cpus, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    found = tables(one / "results" / "resumed")
    assert len(found) == 12
    assert found == tables(two / "results" / "resumed")


KEPT_AT_TOP = """import random

import keras
import numpy as np
from keras import layers

LAST = layers.Dense(100, activation="softmax")
START = keras.initializers.GlorotUniform()
SCALE = float(np.random.uniform(0.5, 2)) + random.random()
CALLS = 0


def _net(window, n_out, vocab, mem, last=None, start="glorot_uniform", scale=1.0):
    hidden = layers.GRU(mem, kernel_initializer=start)(window * scale)
    hidden = layers.GRU(mem, return_sequences=True)(layers.RepeatVector(n_out)(hidden))
    return keras.Model(window, (last or layers.Dense(vocab, activation="softmax"))(hidden))


def shared_layer(*, n_in, n_out, vocab, mem, batch_size):
    return _net(keras.Input(batch_shape=(batch_size, n_in, vocab)), n_out, vocab, mem, last=LAST)


def shared_initializer(*, n_in, n_out, vocab, mem, batch_size):
    return _net(keras.Input(batch_shape=(batch_size, n_in, vocab)), n_out, vocab, mem, start=START)


def drawn_at_import(*, n_in, n_out, vocab, mem, batch_size):
    return _net(keras.Input(batch_shape=(batch_size, n_in, vocab)), n_out, vocab, mem, scale=SCALE)


def counting(*, n_in, n_out, vocab, mem, batch_size):
    global CALLS
    CALLS += 1
    return _net(keras.Input(batch_shape=(batch_size, n_in, vocab)), n_out, vocab, mem + CALLS)


def drawn_anew(*, n_in, n_out, vocab, mem, batch_size):
    scale = float(np.random.default_rng().uniform(0.5, 2))
    return _net(keras.Input(batch_shape=(batch_size, n_in, vocab)), n_out, vocab, mem, scale=scale)
"""
"""What a file keeps for itself: no trial may see what an earlier one in its worker left."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arch", ["shared_layer", "shared_initializer", "drawn_at_import", "counting", "drawn_anew"]
)
def test_what_a_file_keeps_between_trials_changes_no_trial_unmarked(tmp_path: Path, arch: str) -> None:
    found = []
    for name, seeds in (("one", "[0, 1]"), ("other", "[1, 0]")):
        folder = tmp_path / name
        folder.mkdir()
        write_networks(folder, KEPT_AT_TOP)
        settings = f"arch: {arch}, len: 2, mem: 4, seed: {seeds}, epochs: 20, eval_sequences: 2"
        grid = write_grid(folder, f"{{name: kept, networks: nets.py, grid: {{{settings}}}}}")
        done = raysweep("run", grid, "--cpus", 1, cwd=folder)
        assert done.returncode in (0, 1), done.stderr
        results = folder / "results" / "kept"
        rows = [pq.read_table(path).to_pylist()[0] for path in (results / "trials").iterdir()]
        promised = {row["trial_id"] for row in rows if row["deterministic"]}
        found.append({key: data for key, data in tables(results).items() if Path(key).stem in promised})
    one, other = found
    assert [key for key in one.keys() & other.keys() if one[key] != other[key]] == []


SETTER = """import random
import threading
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.config.set_floatx("float64")
keras.config.set_epsilon(0.1)
keras.config.set_image_data_format("channels_first")
keras.config.set_dtype_policy("mixed_bfloat16")
keras.utils.set_random_seed(7)
tf.random.set_seed(8)
random.seed(9)
np.random.seed(10)
np.seterr(all="ignore")
tf.keras.backend.clear_session()
tf.config.run_functions_eagerly(True)
print("x" * 2_000_000)
print("no line end", end="")
for _ in range(4):
    threading.Thread(target=lambda: time.sleep(1e6)).start()


def setter(*, n_in, n_out, vocab, mem, batch_size):
    tf.random.set_seed(1)
    random.seed(1)
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = layers.GRU(mem, dtype="float32")(window)
    hidden = layers.GRU(mem, return_sequences=True, dtype="float32")(layers.RepeatVector(n_out)(hidden))
    return keras.Model(window, layers.Dense(vocab, activation="softmax", dtype="float32")(hidden))
"""


@pytest.mark.slow
def test_a_file_that_sets_what_is_global_changes_no_other_trial(tmp_path: Path) -> None:
    grid = """
name: both
networks: [{}]
grid:
  - {{arch: {}, len: 2, mem: 4, epochs: 40}}
  - {{arch: [echo, seq2seq, Gru_2], len: 2, mem: 4, epochs: 20}}
defaults: {{eval_sequences: 2}}
"""
    found = []
    for name, files, archs in (
        ("with", "nets.py, setter.py", "[Gru_2, setter]"),
        ("without", "nets.py", "Gru_2"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        write_networks(folder)
        write_networks(folder, SETTER, "setter.py")
        done = raysweep("run", write_grid(folder, grid.format(files, archs)), "--cpus", 1, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(tables(folder / "results" / "both"))
    many, few = found
    assert len(few) == 8
    assert {name: many[name] for name in few} == few
