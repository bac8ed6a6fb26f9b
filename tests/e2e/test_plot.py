"""`raysweep plot` as a user runs it, and charts in a plain Python session."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import raysweep
from raysweep.analysis.aggregate import analyse
from raysweep.errors import ResultsError, StorageError, UsageError
from raysweep.plotting import Plot, plot
from raysweep.store.ledger import Ledger
from tests.command import raysweep as run_raysweep
from tests.sweeps import failure_of, planned, synthetic_results, trials_of, write_sweep

CONTENT = planned(
    {"arch": ["echo", "seq2seq"], "len": [2, 3], "mem": [4, 8], "seed": [0, 1]},
    defaults={"eval_sequences": 2},
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    *trials, failed = trials_of(CONTENT)
    results = synthetic_results(trials, lambda t: 0.8, lambda t: t == trials[0])
    return write_sweep(tmp_path_factory.mktemp("plot") / "s", CONTENT, results, [failure_of(failed)])


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("name", "magic"), [("figure.svg", b"<svg"), ("figure.PNG", b"\x89PNG\r\n"), ("figure.pdf", b"%PDF-")]
)
def test_the_ending_decides_the_format(ledger: Ledger, tmp_path: Path, name: str, magic: bytes) -> None:
    done = run_raysweep("plot", ledger.paths.folder, "-o", name, cwd=tmp_path)
    size = (tmp_path / name).stat().st_size
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{name}: {size / 1e3:,.0f} kB\n", "")
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("figure", ["heatmap", "curves", "positions", "slips"])
@pytest.mark.parametrize(("rows", "columns"), [(None, None), ("mem", "arch")])
def test_every_figure_is_drawn(
    ledger: Ledger, tmp_path: Path, figure: str, rows: str | None, columns: str | None
) -> None:
    for metric in {"heatmap": ("loss", "epochs_to_reach"), "curves": ("accuracy",)}.get(figure, (None,)):
        plot(ledger, Plot(figure, metric, rows, columns), tmp_path / "figure.svg")
        assert (tmp_path / "figure.svg").stat().st_size > 1000


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "figure.jpg"], "figure.jpg: the ending gives the format; use .svg, .png or .pdf"),
        (["-o", "figure"], "figure: the ending gives the format"),
        (["-o", "nowhere/figure.svg"], "nowhere/figure.svg: there is no folder nowhere"),
        (["-o", "x.svg", "--figure", "heat"], "--figure: there is no figure 'heat'; did you mean heatmap?"),
        (
            ["-o", "x.svg", "--metric", "exact"],
            "--metric: heatmap cannot show 'exact'; did you mean exact_match?",
        ),
        (
            ["-o", "x.svg", "--figure", "slips", "--metric", "loss"],
            "--metric: the figure slips has no choice",
        ),
        (
            ["-o", "x.svg", "--rows", "learning-rate"],
            "rows: the sweep has no setting 'learning-rate'; did you mean",
        ),
        (["-o", "x.svg", "--rows", "mem", "--columns", "mem"], "rows and columns are both mem"),
    ],
)
def test_a_wrong_request_is_answered_in_a_line(
    ledger: Ledger, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run_raysweep("plot", ledger.paths.folder, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole_or_kept(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "figure.svg"
    file.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
        patch.setattr(os, "rename", os.replace)
        with pytest.raises(StorageError, match=r"figure.svg: cannot be written: No space left"):
            plot(ledger, Plot(), file)
    assert file.read_text() == "old"
    assert [*tmp_path.iterdir()] == [file]
    plot(ledger, Plot(), file)
    assert file.read_text().startswith("<svg")


def test_a_file_s_name_may_be_a_link(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "link.svg").symlink_to(tmp_path / "paper" / "figure.svg")
    plot(ledger, Plot(), tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "paper" / "figure.svg").is_file()


def test_a_damaged_curve_is_reported(ledger: Ledger, tmp_path: Path) -> None:
    trials = trials_of(CONTENT)[:2]
    damaged = write_sweep(tmp_path / "s", None, synthetic_results(trials))
    path = damaged.paths.table("curves", trials[0].trial_id)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ResultsError, match="verify"):
        plot(damaged, Plot("curves", "loss"), tmp_path / "figure.svg")


def test_a_sweep_says_what_it_is(ledger: Ledger) -> None:
    sweep = raysweep.load(ledger.paths.folder)
    assert repr(sweep) == (
        "<Sweep lengths: 14 done, 1 diverged, 1 failed of 16 trials; "
        "arch echo, seq2seq; len 2, 3; mem 4, 8; seed 0, 1>"
    )
    html = sweep._repr_html_()
    assert html.startswith("<table><caption>lengths</caption><tr><th>trials</th><td>14 done, 1 diverged")
    assert "<tr><th>mem</th><td>4, 8</td></tr>" in html


def test_what_a_sweep_says_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / '<img src=x onerror="alert(1)">'
    write_sweep(folder, None, synthetic_results(trials_of(CONTENT)[:1]))
    assert "<img" not in raysweep.load(folder)._repr_html_()


def test_cells_are_the_report_s_numbers(ledger: Ledger, tmp_path: Path) -> None:
    table = raysweep.load(ledger.paths.folder).cells()
    cells = analyse(ledger).cells
    assert table.num_rows == len(cells)
    for row, cell in zip(table.to_pylist(), cells, strict=True):
        slips, interval = cell.slips, cell.interval
        assert {name: row[name] for name in cell.settings} == {**cell.settings, "options": []}
        assert (row["seeds"], row["diverged"]) == ([*cell.seeds], [*cell.diverged])
        assert (row["exact_match"], row["loss"], row["accuracy"]) == (
            cell.exact_match,
            cell.loss,
            cell.accuracy,
        )
        assert row["position_accuracy"] == [*cell.position_accuracy]
        assert slips is not None
        assert (
            row["slips_wrong"] == slips.wrong == sum(row[f"slips_{n}"] for n in ("answer", "window", "none"))
        )
        assert dict(row["slips_by_distance"]) == slips.by_distance
        assert (row["interval_low"], row["interval_high"]) == (
            (interval.low, interval.high) if interval else (None, None)
        )
    pq.write_table(table, tmp_path / "cells.parquet")
    assert pq.read_table(tmp_path / "cells.parquet").equals(table)


def test_a_sweep_s_charts_are_small_and_show_themselves(ledger: Ledger) -> None:
    sweep = raysweep.load(ledger.paths.folder)
    charts = (
        sweep.heatmap(),
        sweep.heatmap("epochs_to_reach", reach=0.5),
        sweep.learning_curves(),
        sweep.learning_curves("loss", rows="mem", columns="len"),
        sweep.positions(),
        sweep.slips(columns="arch"),
    )
    for chart in charts:
        assert len(chart.to_json()) < 200_000
        assert hasattr(chart, "_repr_mimebundle_")
    with pytest.raises(UsageError, match="did you mean 'mem'"):
        sweep.heatmap(rows="mmem")


@pytest.mark.e2e
def test_altair_is_imported_only_for_a_chart(ledger: Ledger) -> None:
    code = """
import sys
import raysweep
sweep = raysweep.load(sys.argv[1])
repr(sweep), sweep._repr_html_(), sweep.cells()
assert "altair" not in sys.modules
sweep.heatmap()
assert "altair" in sys.modules and "vl_convert" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, ledger.paths.folder], check=True, timeout=60)
