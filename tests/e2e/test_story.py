"""A researcher's week with one results folder: run, run again, grow, look; real processes and real Ray."""

import csv
import io
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import duckdb
import pytest

from raysweep.driver.keeper import MARK
from raysweep.store.ledger import Ledger
from tests.command import TINY, environment, full_pipe, raysweep, start, tables, write_grid

pytestmark = [pytest.mark.e2e, pytest.mark.ray]

GROWN = """
name: tiny
grid:
  seed: [1, 0]
  mem: [4]
  len: [3, 2, 4]
  arch: [seq2seq, echo]
seq2seq: {batch_size: 3, windows: 6}
defaults: {eval_sequences: 3, epochs: 30}
resources: {cpu: 1}
"""
"""`TINY` with its axes in another order, one more length and one more replicate: 12 trials."""

NOISE = re.compile(r"ray|tune|tensorflow|warning|cuda|onednn", re.IGNORECASE)
"""What other people's software might print."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `TINY` was run once, on two cores."""
    folder = tmp_path_factory.mktemp("story")
    done = raysweep("run", write_grid(folder), "--cpus", 2, cwd=folder)
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_first_run_trains_all_and_ends_with_the_report(folder: Path) -> None:
    out = (folder / "stdout").read_text()
    assert [line for line in out.splitlines() if line.startswith("[4/4]")], out
    assert "tiny · 4 of 4 trials · seed 0 · 3 sequences a trial" in out
    assert out.index("[4/4]") < out.index("echo · 30 epochs, 120 updates") < out.index("findings")


def test_nothing_but_raysweep_speaks(folder: Path) -> None:
    assert (folder / "stderr").read_text() == ""
    assert not NOISE.search((folder / "stdout").read_text().replace("raysweep", ""))


def test_the_log_of_a_good_run_tells_of_no_failure(folder: Path) -> None:
    log = (folder / "results" / "tiny" / "run.log").read_text()
    assert re.search(r"[Ff]ail|Error|Traceback", log) is None, log


def test_a_run_leaves_its_results_and_nothing_else(folder: Path) -> None:
    results = folder / "results" / "tiny"
    names = {path.name for path in results.iterdir()}
    kinds = {"trials", "predictions", "curves", "failures", "checkpoints", "states", "damaged"}
    assert names == kinds | {"sweep.json", "run.log"}
    files = {kind: len(list((results / kind).iterdir())) for kind in kinds}
    assert files == {
        "trials": 4,
        "predictions": 4,
        "curves": 4,
        "failures": 0,
        "checkpoints": 0,
        "states": 0,
        "damaged": 0,
    }
    assert list(Path(environment(folder)["TMPDIR"]).iterdir()) == []


def test_a_second_run_does_nothing_and_starts_no_ray(folder: Path) -> None:
    before = tables(folder / "results" / "tiny", "trials", "predictions", "curves")
    env = environment(folder, PYTHONPROFILEIMPORTTIME="1")
    again = raysweep("run", "tiny.yaml", cwd=folder, env=env)
    assert again.returncode == 0
    assert "tiny · 4 of 4 trials" in again.stdout
    imported = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines()}
    assert "raysweep.run.command" in imported
    assert imported.isdisjoint({"ray", "tensorflow", "keras"})
    assert tables(folder / "results" / "tiny", "trials", "predictions", "curves") == before


def test_a_signal_while_the_report_waits_for_its_reader_has_words(folder: Path) -> None:
    ledger = Ledger(folder / "results" / "tiny")

    def ends() -> list[int | None]:
        record = ledger.record()
        assert record is not None
        return [run.exit_code for run in record.runs]

    before = ends()
    read, write = full_pipe()
    with start("run", "tiny.yaml", cwd=folder, stdout=write) as command:
        os.close(write)
        end = time.monotonic() + 60
        while ends() != [*before, 0]:
            assert time.monotonic() < end
        command.send_signal(signal.SIGTERM)
        _, err = command.communicate(timeout=60)
    os.close(read)
    assert command.returncode == 143
    assert "Interrupted: 4 of 4 trials are done and safe in results/tiny" in err
    assert not ledger.paths.lock.exists()


def test_a_second_run_removes_what_a_killed_one_left(folder: Path) -> None:
    temporary = Path(environment(folder)["TMPDIR"])
    (temporary / "raysweep-killed" / "r").mkdir(parents=True)
    (temporary / "raysweep-killed" / MARK).write_text("999999\n")
    (temporary / "raysweep-begun").mkdir(mode=0o700)  # killed before it was marked
    (temporary / "raysweep-main" / "results").mkdir(parents=True)  # somebody's own
    assert raysweep("run", "tiny.yaml", cwd=folder).returncode == 0
    (own,) = temporary.iterdir()
    assert own.name == "raysweep-main"
    assert (own / "results").is_dir()
    shutil.rmtree(own)


def test_each_command_line_tool_reads_the_results(folder: Path) -> None:
    results = Path("results/tiny")
    plan = raysweep("plan", "tiny.yaml", cwd=folder)
    assert (plan.returncode, plan.stderr) == (0, "")
    assert "tiny: 4 trials, 4 done" in plan.stdout
    verify = raysweep("verify", results, cwd=folder)
    assert (verify.returncode, verify.stdout) == (0, "results/tiny: 4 trials, 0 damaged files\n")
    show = raysweep("show", results, "echo-len3", cwd=folder)
    assert show.returncode == 0
    for words in ("lstm", "(4, 16)", "expected", "predicted"):
        assert words in show.stdout
    unknown = raysweep("show", results, "echo-len9", cwd=folder)
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


def test_the_report_says_what_plain_sql_says(folder: Path) -> None:
    report = raysweep("report", "results/tiny", "--json", cwd=folder)
    assert (report.returncode, report.stderr) == (0, "")
    cells = json.loads(report.stdout)["cells"]
    assert len(cells) == 4
    for cell in cells:
        arch, length = cell["settings"]["arch"], cell["settings"]["len"]
        hits = ", ".join(f"avg((expected[{i}] = predicted[{i}])::int)" for i in range(1, length + 1))
        exact, count, *positions = duckdb.execute(
            f"SELECT avg(exact::int), count(*), {hits} FROM '{folder}/results/tiny/predictions/*.parquet' "
            f"WHERE arch = '{arch}' AND len = {length}"
        ).fetchall()[0]
        assert cell["exact_match"] == pytest.approx(exact, abs=1e-9)
        assert cell["position_accuracy"] == pytest.approx(positions, abs=1e-9)
        assert cell["windows"] == count
    rows = list(csv.DictReader(io.StringIO(raysweep("report", "results/tiny", "--csv", cwd=folder).stdout)))
    assert [float(row["exact_match"]) for row in rows] == [cell["exact_match"] for cell in cells]


def test_a_grown_grid_trains_only_what_is_new_and_the_same_on_any_cores(folder: Path, tmp_path: Path) -> None:
    results = folder / "results" / "tiny"
    before = tables(results, "trials", "predictions", "curves")
    grown = write_grid(folder, GROWN, "grown.yaml")
    more = raysweep("run", grown, "--cpus", 1, cwd=folder)
    assert more.returncode == 0, more.stderr
    assert "[12/12]" in more.stdout
    assert more.stdout.count("\n[") == 8
    after = tables(results, "trials", "predictions", "curves")
    assert {name: after[name] for name in before} == before
    # The same trials at once, on two cores, in the file's order: the same bytes.
    afresh = raysweep("run", grown, "--cpus", 2, cwd=tmp_path)
    assert afresh.returncode == 0, afresh.stderr
    assert tables(tmp_path / "results" / "tiny") == tables(results)


def test_what_a_shrunk_grid_no_longer_asks_for_stays_and_is_told_apart(folder: Path) -> None:
    done = raysweep("run", write_grid(folder, TINY.replace("[2, 3]", "[2]"), "less.yaml"), cwd=folder)
    assert done.returncode == 0
    assert "tiny · 2 of 2 trials" in done.stdout
    cells = json.loads(raysweep("report", "results/tiny", "--json", cwd=folder).stdout)["cells"]
    assert {cell["settings"]["len"] for cell in cells if cell["planned"]} == {2}
    assert {cell["settings"]["len"] for cell in cells if not cell["planned"]} >= {3}
