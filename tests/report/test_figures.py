"""Figures: their tables, their axes, and how they look on paper."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from raysweep.analysis.aggregate import StatusCounts, SweepAnalysis, analyse
from raysweep.analysis.figure_tables import MAX_POINTS, curve_table, heat_table, position_table, slip_table
from raysweep.analysis.panels import panels
from raysweep.errors import UsageError
from raysweep.report import figures
from raysweep.report.figures import PRINT, SCREEN, Look, config
from raysweep.report.figures.render import rendered
from raysweep.report.palette import heat_ink
from raysweep.store.ledger import Ledger
from raysweep.store.training_curves import training_curves
from tests.analysis.learning import cell_of_seeds
from tests.docs.pages import ROOT
from tests.report.svg_texts import cut, overlaps, texts
from tests.sweeps import failure_of, planned, synthetic_results, trials_of, write_sweep

FEW: Mapping[str, Any] = {"defaults": {"eval_sequences": 3}}
NETWORK = "1f2e3d4c" + 56 * "0"
DRAWN = (
    "exact_match",
    "position_accuracy",
    "epochs_to_reach",
    "loss",
    "curves",
    "training",
    "positions",
    "slips",
)


def made_of(*cells: Any) -> SweepAnalysis:
    return SweepAnalysis("lengths", StatusCounts(len(cells), 0, 0, 0), cells, (), plan_known=True)


def draw(ledger: Ledger, name: str, look: Look = SCREEN, **axes: Any) -> figures.Chart:
    analysis = analyse(ledger)
    if name in ("curves", "training"):
        points = training_curves(ledger, ledger.committed())
        return figures.curves(
            analysis, points, "loss" if name == "training" else "exact_match", look=look, **axes
        )
    if name in ("positions", "slips"):
        one = figures.positions if name == "positions" else figures.slips
        return one(analysis, look=look, **axes)
    return figures.heatmap(analysis, name, look=look, **axes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Learning rate × MEM at one LEN; the highest rate diverges with the most memory."""
    axes = {"arch": ["seq2seq"], "len": [4], "mem": [16, 50, 150], "seed": [0, 1]}
    content = planned({**axes, "learning_rate": [0.0003, 0.001, 0.003, 0.01]}, **FEW)
    trials = trials_of(content)
    results = synthetic_results(
        trials, lambda t: 0.5 + t.mem / 400, lambda t: t.learning_rate == 0.01 and t.mem == 150
    )
    return write_sweep(tmp_path_factory.mktemp("rates") / "s", content, results)


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Cells that failed, diverged, were not run, or lack a seed."""
    axes = {"arch": ["echo", "seq2seq"], "len": [2, 4, 8], "mem": [16, 300], "seed": [0, 1]}
    content = planned(axes, **FEW)
    trials = [one for one in trials_of(content) if one.mem == 300 and one.arch == "seq2seq"]
    failed = [one for one in trials if one.len == 2]
    diverged = [one for one in trials if one.len == 4]
    missing = [one for one in trials if one.len == 8]
    lacking = [one for one in trials_of(content) if one.arch == "echo" and one.mem == 16 and one.seed]
    done = [one for one in trials_of(content) if one not in (*failed, *missing, *lacking)]
    results = synthetic_results(done, lambda t: 0.7, lambda t: t in diverged)
    folder = tmp_path_factory.mktemp("eventful") / "s"
    return write_sweep(folder, content, results, map(failure_of, failed))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Three architectures, one of them a user's with an option that varies."""
    from raysweep.store.encoding import encode
    from raysweep.trial.settings import TrialSettings
    from tests.make_results import PROVENANCE

    ledger = Ledger(tmp_path_factory.mktemp("networks") / "s")
    own = [{"network": NETWORK, "options": {"layers": layers}} for layers in (1, 2)]
    kinds: list[tuple[str, dict[str, Any]]] = [("echo", {}), ("seq2seq", {}), *(("gru", one) for one in own)]
    cells = itertools.product(kinds, (2, 4, 6), (50, 150), (0, 1))
    trials = [
        TrialSettings(arch=arch, len=n_out, mem=mem, seed=seed, eval_sequences=3, **given)
        for (arch, given), n_out, mem, seed in cells
    ]
    with ledger.open_for_writing() as writer:
        for result in synthetic_results(trials, lambda t: 1 - t.len / 20):
            writer.commit(encode(result, PROVENANCE))
    return ledger


@pytest.fixture(params=["reference", "longer", "rates", "eventful", "networks"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param in ("reference", "longer"):
        return Ledger(ROOT / "results" / request.param)
    found: Ledger = request.getfixturevalue(request.param)
    return found


# --- axes and panels


def test_len_and_mem_are_the_axes_if_they_vary(networks: Ledger) -> None:
    found = panels(analyse(networks))
    assert (found.rows, found.columns) == ("len", "mem")
    assert [panel.label for panel in found.panels] == ["echo", "gru · layers 1", "gru · layers 2", "seq2seq"]


def test_without_lens_the_next_setting_that_varies_is_the_rows(rates: Ledger) -> None:
    found = panels(analyse(rates))
    assert (found.rows, found.columns) == ("learning_rate", "mem")
    assert found.row_values == [0.0003, 0.001, 0.003, 0.01]


@pytest.mark.parametrize(
    ("rows", "columns", "axes", "labels"),
    [
        ("mem", None, ("mem", "len"), ["echo", "gru · layers 1", "gru · layers 2", "seq2seq"]),
        (None, "arch", ("len", "arch"), ["MEM 50", "MEM 50 · layers 1", "MEM 50 · layers 2", "MEM 150"]),
        (
            "layers",
            "len",
            ("layers", "len"),
            ["echo · MEM 50", "echo · MEM 150", "gru · MEM 50", "gru · MEM 150"],
        ),
    ],
)
def test_the_reader_chooses_the_axes_and_the_rest_are_panels(
    networks: Ledger, rows: str | None, columns: str | None, axes: tuple[str, str], labels: list[str]
) -> None:
    found = panels(analyse(networks), rows, columns)
    assert (found.rows, found.columns) == axes
    assert [panel.label for panel in found.panels][:4] == labels


@pytest.mark.parametrize("rows", [None, "mem", "arch", "epochs", "layers", "n_in"])
def test_every_cell_is_in_one_place(networks: Ledger, rows: str | None) -> None:
    analysis = analyse(networks)
    found = panels(analysis, rows)
    assert sorted(map(id, found.cells)) == sorted(map(id, analysis.cells))


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (
            "learnin_rate",
            None,
            "rows: the sweep has no setting 'learnin_rate'; did you mean 'learning_rate'?",
        ),
        (None, "xyz", "columns: the sweep has no setting 'xyz'; use one of arch, len, mem"),
        ("seed", None, "rows: seed cannot be an axis"),
        ("len", "len", "rows and columns are both len"),
    ],
)
def test_an_axis_that_is_none_is_refused(
    rates: Ledger, rows: str | None, columns: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        panels(analyse(rates), rows, columns)


def test_an_n_in_that_follows_len_is_no_axis_and_one_that_the_grid_sets_is(tmp_path: Path) -> None:
    axes = {"arch": ["seq2seq"], "len": [4, 9], "mem": [4, 8]}
    content = planned(axes, {**axes, "n_in": [12]}, **FEW)
    found = panels(analyse(write_sweep(tmp_path / "s", content, [])))
    assert [panel.label for panel in found.panels] == ["seq2seq · n_in 12", "seq2seq"]
    fixed = planned({**axes, "n_in": [9]}, **FEW)  # which is what LEN 9 has anyhow
    assert len(panels(analyse(write_sweep(tmp_path / "t", fixed, []))).panels) == 1


def test_only_the_longest_training_is_drawn_where_one_begins_another() -> None:
    short, long = (cell_of_seeds([50] * n) for n in (2, 4))
    analysis = made_of(short, long)
    assert panels(analysis, only_longest=True).cells == [long]
    assert panels(analysis).rows == "epochs"  # nothing else varies
    assert len(panels(analysis, "epochs", only_longest=True).cells) == 2


# --- tables


def test_a_heat_map_has_the_numbers_of_the_cells() -> None:
    cell = cell_of_seeds([10, 99, 100], [10, 20, 100], len=2)
    (row,) = heat_table(panels(made_of(cell)), "exact_match", 0.9)
    assert (row["row"], row["column"], row["value"], row["seeds"], row["partial"]) == (
        "2",
        "4",
        1.0,
        2,
        False,
    )
    (row,) = heat_table(panels(made_of(cell)), "position_accuracy", 0.9)
    assert row["value"] == 1.0
    (row,) = heat_table(panels(made_of(cell)), "epochs_to_reach", 0.9)
    assert (row["value"], row["above"]) == (250, False)  # the median of 200 and 300
    (row,) = heat_table(panels(made_of(cell_of_seeds([0, 0], missing=1))), "epochs_to_reach", 0.9)
    assert (row["value"], row["above"], row["partial"]) == (200, True, True)


def test_cells_without_a_result_say_why(eventful: Ledger) -> None:
    rows = heat_table(panels(analyse(eventful)), "exact_match", 0.9)
    states = {
        row["row"]: row["state"] for row in rows if row["panel"] == "seq2seq" and row["column"] == "300"
    }
    assert states == {"2": "failed", "4": "diverged", "8": "not run"}
    assert {row["value"] for row in rows if row["state"]} == {None}


def test_a_curve_is_the_mean_over_seeds_within_the_lowest_and_the_highest() -> None:
    rows = curve_table(panels(made_of(cell_of_seeds([10, 50], [30, 90]))), {}, "exact_match")
    assert [(row["epoch"], row["value"], row["low"], row["high"]) for row in rows] == [
        (100, 0.2, 0.1, 0.3),
        (200, 0.7, 0.5, 0.9),
    ]


def test_a_long_curve_keeps_its_ends_and_few_points() -> None:
    rows = curve_table(panels(made_of(cell_of_seeds([*range(100)] * 8))), {}, "exact_match")
    epochs = [row["epoch"] for row in rows]
    assert MAX_POINTS / 2 < len(epochs) <= MAX_POINTS
    assert (epochs[0], epochs[-1]) == (100, 80_000)
    assert epochs == sorted(set(epochs))


def test_training_curves_are_those_of_the_files(rates: Ledger) -> None:
    points = training_curves(rates, rates.committed())
    for trial_id, curve in points.items():
        found = rates.trial(trial_id).finished
        assert found is not None
        assert curve.epochs == tuple(found.result.curve.epoch)
        assert [*map(repr, curve.loss)] == [*map(repr, found.result.curve.loss.tolist())]
        assert [*map(repr, curve.accuracy)] == [*map(repr, found.result.curve.accuracy.tolist())]


def test_positions_and_slips_have_the_numbers_of_the_cells(networks: Ledger) -> None:
    found = panels(analyse(networks))
    by_place = {
        (panel.label, str(row), str(column)): cell
        for panel in found.panels
        for (row, column), cell in panel.cells.items()
    }
    for row in position_table(found):
        cell = by_place[row["panel"], row["row"], row["column"]]
        assert row["value"] == cell.position_accuracy[row["position"] - 1]
    for place, rows in itertools.groupby(slip_table(found), lambda r: (r["panel"], r["row"], r["column"])):
        slips, parts = by_place[place].slips, list(rows)
        assert slips is not None
        assert sum(part["count"] for part in parts) == slips.wrong
        assert parts[-1]["end"] in (1, None)
        assert all(a["end"] == b["start"] for a, b in itertools.pairwise(parts))


# --- charts


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_on_paper_has_readable_texts_that_neither_overlap_nor_are_cut(
    ledger: Ledger, name: str
) -> None:
    svg = rendered(lambda look: draw(ledger, name, look), "svg").decode()
    found = texts(svg)
    assert found
    assert {one.size for one in found} == {7.5}
    assert not overlaps(svg)
    assert not cut(svg)
    assert svg.startswith("<svg")
    assert re.search(r'width="85mm" height="[\d.]+mm"', svg)
    assert 'fill="#ffffff"/>' in svg


@pytest.mark.parametrize("width_mm", [60, 120, 174])
@pytest.mark.parametrize("name", ["exact_match", "curves", "slips"])
def test_other_widths_are_kept_too(networks: Ledger, name: str, width_mm: float) -> None:
    look = Look(width=width_mm * 72 / 25.4, font_size=7.5, interactive=False)
    svg = rendered(lambda look: draw(networks, name, look), "svg", look).decode()
    assert not cut(svg)
    assert not overlaps(svg)
    assert f'width="{width_mm}mm"' in svg


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_sweep_gives_the_same_bytes(rates: Ledger, name: str) -> None:
    first, second = (rendered(lambda look: draw(rates, name, look), "svg") for _ in range(2))
    assert first == second


def test_the_bytes_are_the_same_in_every_process(rates: Ledger, tmp_path: Path) -> None:
    code = "import sys; from raysweep.cli import main; sys.argv[0] = 'raysweep'; main()"
    written = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.svg"
        arguments = ["plot", str(rates.paths.folder), "--figure", "curves", "-o", str(out)]
        subprocess.run(
            [sys.executable, "-c", code, *arguments], env={"PYTHONHASHSEED": seed}, check=True, timeout=120
        )
        written.append(out.read_bytes())
    assert written[0] == written[1]


def test_a_figure_needs_no_function_that_a_strict_page_forbids(ledger: Ledger) -> None:
    """Vega's interpreter knows these functions; it can neither compile nor load anything."""
    known = {"isValid", "split", "format"}
    for name in DRAWN:
        spec = json.dumps(draw(ledger, name, Look(theme=None)).to_dict())
        used = re.findall(r'"(?:labelExpr|filter)": "((?:[^"\\]|\\.)*)"', spec)
        assert {call for one in used for call in re.findall(r"(\w+)\(", one)} <= known
        assert '"url"' not in spec
        assert set(json.loads(spec).get("config", {})) <= {"view"}  # Altair's own


@pytest.mark.parametrize("theme", ["paper", "light", "dark"])
def test_a_theme_colours_every_letter(rates: Ledger, theme: Any) -> None:
    import vl_convert

    look = Look(theme=theme)
    svg = vl_convert.vegalite_to_svg(draw(rates, "slips", look).to_dict())
    color = config(look)["text"]["color"]
    found = set(re.findall(r'<text[^>]* fill="(#[0-9a-f]{6})"', svg))
    assert found == {color}


def test_a_look_without_a_theme_has_no_configuration() -> None:
    with pytest.raises(ValueError, match="without a theme"):
        config(Look(theme=None))


def test_numbers_in_cells_have_contrast() -> None:
    assert [heat_ink(percent) for percent in (0, 40, 80, 100)] == ["#ffffff", "#ffffff", "#000000", "#000000"]


def test_states_are_told_apart_without_colour_and_explained(eventful: Ledger) -> None:
    svg = rendered(lambda look: draw(eventful, "exact_match", look), "svg").decode()
    shown = [one.text for one in texts(svg)]
    words = ["failed", "diverged", "not run"]
    assert all(word in shown for word in words) or any("× failed" in text for text in shown)
    assert any("* fewer seeds than planned" in text for text in shown)
    small = Look(width=150, font_size=7.5)
    svg = rendered(lambda look: draw(eventful, "exact_match", look), "svg", small).decode()
    assert not overlaps(svg)


def test_so_many_columns_that_no_number_fits_leave_the_colours(tmp_path: Path) -> None:
    content = planned({"arch": ["seq2seq"], "len": [2, 3], "mem": [*range(10, 260, 10)]}, **FEW)
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials_of(content)))
    svg = rendered(lambda look: draw(ledger, "exact_match", look), "svg").decode()
    assert not overlaps(svg)
    assert "0.9" not in [one.text[:3] for one in texts(svg)]


def test_without_any_result_there_is_nothing_but_the_plan(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4]}, **FEW)
    ledger = write_sweep(tmp_path / "s", content, [])
    assert rendered(lambda look: draw(ledger, "loss", look), "svg")
    for name in ("curves", "positions", "slips"):
        with pytest.raises(UsageError, match="nothing to draw"):
            draw(ledger, name)


def test_text_options_of_networks_cannot_break_a_figure(tmp_path: Path) -> None:
    from raysweep.store.encoding import encode
    from raysweep.trial.options import encoded_options
    from raysweep.trial.settings import TrialSettings
    from tests.make_results import PROVENANCE

    ledger = Ledger(tmp_path / "s")
    evil = ['</text><script>alert("1")</script>', "\x1b[31m\n\x00" + 300 * "long ", "plain"]
    trials = [
        TrialSettings(
            arch="gru",
            len=2,
            mem=mem,
            seed=0,
            eval_sequences=2,
            network=NETWORK,
            options=encoded_options({"kind": one}),
        )
        for one in evil
        for mem in (4, 8)
    ]
    with ledger.open_for_writing() as writer:
        for result in synthetic_results(trials):
            writer.commit(encode(result, PROVENANCE))
    for name in DRAWN:
        svg = rendered(lambda look, name=name: draw(ledger, name, look), "svg").decode()  # type: ignore[misc]
        assert "<script" not in svg
        assert not cut(svg)


def test_pdf_and_png_are_as_wide_as_they_should_be(rates: Ledger) -> None:
    from struct import unpack

    png = rendered(lambda look: draw(rates, "exact_match", look), "png", PRINT)
    width, _ = unpack(">II", png[16:24])
    assert width == pytest.approx(85 / 25.4 * 600, abs=1)
    pdf = rendered(lambda look: draw(rates, "exact_match", look), "pdf", PRINT)
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+)", pdf)
    assert box
    assert float(box[1]) == pytest.approx(85 / 25.4 * 72, abs=1)
    assert b"/FontFile" in pdf  # its fonts are in it


def own_cells(folder: Path, values: list[Any], name: str = "kind") -> Ledger:
    """A sweep of one network, an option of which has some values."""
    from raysweep.store.encoding import encode
    from raysweep.trial.options import encoded_options
    from raysweep.trial.settings import TrialSettings
    from tests.make_results import PROVENANCE

    ledger = Ledger(folder)
    usual: dict[str, Any] = {"arch": "gru", "len": 2, "mem": 4, "seed": 0, "eval_sequences": 2}
    trials = [TrialSettings(**usual, network=NETWORK, options=encoded_options({name: one})) for one in values]
    with ledger.open_for_writing() as writer:
        for result in synthetic_results(trials):
            writer.commit(encode(result, PROVENANCE))
    return ledger


def test_long_options_that_begin_alike_stay_apart(tmp_path: Path) -> None:
    ledger = own_cells(tmp_path / "s", [100 * "x" + end for end in "ab"])
    table = heat_table(panels(analyse(ledger)), "exact_match", 0.99)
    assert len({(row["panel"], row["row"], row["column"]) for row in table}) == 2


def test_an_option_may_be_empty_and_zero_has_one_sign(tmp_path: Path) -> None:
    table = heat_table(panels(analyse(own_cells(tmp_path / "s", ["", "tanh"]))), "exact_match", 0.99)
    assert {'""', "tanh"} <= {row["row"] for row in table} | {row["column"] for row in table}
    from raysweep.trial.options import encoded_options

    assert encoded_options({"rate": -0.0}) == encoded_options({"rate": 0.0})


@pytest.mark.parametrize("name", ["image", "title", "value", "state"])
def test_an_option_never_takes_the_name_of_a_tooltips_line(tmp_path: Path, name: str) -> None:
    chart = draw(own_cells(tmp_path / "s", [1, 2], name), "exact_match").to_json()
    titles = re.findall(r'"title": "([^"]*)",\s*"type": "nominal"', chart)
    assert len({titles.count(title) for title in titles}) == 1  # once in each layer
    assert not {"image", "title"} & set(titles)


def test_a_level_that_is_not_reached_is_never_a_bright_cell() -> None:
    from raysweep.report.figures.heat_cells import scale_of, shown_cells

    cells = cell_of_seeds([100, 100]), cell_of_seeds([0, 0], mem=8)
    table = heat_table(panels(made_of(*cells)), "epochs_to_reach", 0.99)
    scale = scale_of(table, "epochs_to_reach")
    shown = shown_cells(table, "epochs_to_reach", scale, {row["panel"]: "" for row in table}, wide=True)
    reached, not_reached = sorted(shown, key=lambda row: row["text"].startswith(">"))
    assert scale.percent(not_reached["colour"]) == 0 < scale.percent(reached["colour"])


def test_a_metric_that_there_is_not_is_an_error(rates: Ledger) -> None:
    for name in ("foo", "accuracy"):
        with pytest.raises(UsageError, match="there is no metric"):
            draw(rates, name)
    with pytest.raises(UsageError, match="give a share from 0 to 1"):
        figures.heatmap(analyse(rates), "epochs_to_reach", reach=99)


def test_a_changed_curve_is_damage(tmp_path: Path) -> None:
    from raysweep.errors import ResultsError

    content = planned({"arch": ["echo"], "len": [2, 3], "mem": [4], "seed": [0]}, **FEW)
    trials = trials_of(content)
    ledger = write_sweep(tmp_path / "s", content, synthetic_results(trials))
    one, other = (ledger.paths.table("curves", trial.trial_id) for trial in trials)
    one.write_bytes(other.read_bytes())
    with pytest.raises(ResultsError, match="raysweep verify"):
        training_curves(ledger, ledger.committed())
