import io
import itertools
import json
import os
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from raysweep.errors import GridError
from raysweep.grid import Grid, grid_from_content, read_grid
from raysweep.grid.yaml_file import MAX_BYTES
from raysweep.trial.resources import Resources
from raysweep.trial.settings import TrialSettings

ROOT = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "broken"


def grid_of(tmp_path: Path, text: str, **options) -> Grid:
    path = tmp_path / "asked.yaml"
    path.write_text(text)
    return read_grid(path, **options)


def problems_of(tmp_path: Path, text: str, **options) -> list[str]:
    with pytest.raises(GridError) as caught:
        grid_of(tmp_path, text, **options)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


# What a good file says


@pytest.mark.parametrize(
    ("file", "num_trials"),
    [("lengths", 56), ("notebook", 15), ("tutorial", 10), ("longer", 42), ("quick", 8)],
)
def test_shipped_grids(file, num_trials):
    grid = read_grid(ROOT / "grids" / f"{file}.yaml")
    assert (grid.name, len(grid.trials), grid.resources) == (file, num_trials, Resources(cpu=1, gpu=0))
    assert len({trial.trial_id for trial in grid.trials}) == num_trials


def test_every_shipped_grid_is_known_to_these_tests():
    shipped = {path.stem for path in (ROOT / "grids").glob("*")}
    assert shipped == {"lengths", "notebook", "tutorial", "longer", "quick", "networks"}


def test_the_notebook_and_the_tutorial_are_the_published_points():
    def points(file: str) -> list[tuple[object, ...]]:
        return [
            (t.arch, t.n_in, t.len, t.mem, t.epochs, t.batch_size, t.windows, t.values)
            for t in read_grid(ROOT / "grids" / file).trials
            if t.seed == 0
        ]

    assert points("notebook.yaml") == [
        ("echo", 6, 6, 16, 500, 5, 20, 99),
        ("seq2seq", 5, 2, 150, 5000, 21, 21, 99),
        ("seq2seq", 5, 4, 300, 5000, 21, 21, 99),
    ]
    assert points("tutorial.yaml") == [
        ("echo", 5, 5, 20, 500, 7, 21, 100),
        ("seq2seq", 5, 2, 150, 5000, 21, 21, 100),
    ]


def test_states_are_kept_if_the_grid_says_so_and_only_then(tmp_path):
    text = "grid: {arch: echo, len: 2, mem: 4}"
    silent = grid_of(tmp_path, text)
    asked = grid_of(tmp_path, f"keep_state: true\n{text}")
    assert (silent.keep_state, asked.keep_state) == (False, True)
    assert not grid_of(tmp_path, f"keep_state: false\n{text}").keep_state
    assert grid_from_content(asked.content, source="test") == asked
    assert asked.trials == silent.trials  # no part of what a trial is


def test_an_axis_wins_over_the_architecture_that_over_defaults_that_over_the_program(tmp_path):
    grid = grid_of(
        tmp_path,
        """
grid:
  - {arch: [echo, seq2seq], len: 2, mem: 8}
  - {arch: [echo, seq2seq], len: 2, mem: 8, epochs: 7, seed: 1}
defaults: {epochs: 30, eval_sequences: 9}
echo: {epochs: 20}
""",
    )
    assert [trial.epochs for trial in grid.trials] == [20, 30, 7, 7]
    assert {trial.eval_sequences for trial in grid.trials} == {9}
    assert [trial.windows for trial in grid.trials] == [20, 21, 20, 21]
    assert [trial.seed for trial in grid.trials] == [0, 0, 1, 1]


def test_trials_keep_the_files_order_the_first_axis_slowest(tmp_path):
    grid = grid_of(tmp_path, "grid: {mem: [9, 3], seed: 0..1, arch: [seq2seq, echo], len: 2}")
    assert [(t.mem, t.seed, t.arch) for t in grid.trials] == list(
        itertools.product([9, 3], [0, 1], ["seq2seq", "echo"])
    )


def test_settings_may_stand_anywhere_and_one_value_is_an_axis(tmp_path):
    text = "grid: {seed: 3}\ndefaults: {arch: echo}\necho: {mem: 4, len: 2}\nseq2seq:\n"
    (trial,) = grid_of(tmp_path, text).trials
    assert trial == TrialSettings(arch="echo", mem=4, len=2, seed=3)


def test_yaml_1_2_with_aliases_and_a_byte_order_mark(tmp_path):
    text = '\ufeffgrid:\n  - {arch: echo, len: &l "2 .. 4", mem: 8, learning_rate: [1e-3, 1]}\n'
    grid = grid_of(tmp_path, f"{text}  - {{arch: seq2seq, len: *l, mem: 8}}\nname: no\n")
    assert (len(grid.trials), grid.name) == (9, "no")
    assert [trial.learning_rate for trial in grid.trials[:2]] == [0.001, 1.0]


def test_resources_and_axis_order_never_enter_an_id(tmp_path):
    one = grid_of(tmp_path, "grid: {arch: echo, len: [2, 3], mem: 4..6}\nresources: {cpu: 1}")
    two = grid_of(tmp_path, "resources: {cpu: 2.5, gpu: 0.25}\ngrid: {mem: [6, 5, 4], len: 2..3, arch: echo}")
    assert two.resources == Resources(cpu=2.5, gpu=0.25)
    assert {trial.trial_id for trial in one.trials} == {trial.trial_id for trial in two.trials}


def test_names(tmp_path):
    text = "grid: {arch: echo, len: 2, mem: 4}"
    assert grid_of(tmp_path, text).name == "asked"
    assert grid_of(tmp_path, f"{text}\nname: a.b_c-d").name == "a.b_c-d"
    assert grid_of(tmp_path, f"{text}\nname: file", name="command").name == "command"
    assert problems_of(tmp_path, text, name="../x") == [
        "asked.yaml: --name: found the text '../x'; use 1 to 80 of the characters A-Z a-z 0-9 . _ -, "
        "not starting with a dot"
    ]


def test_content_is_json_that_says_what_was_asked(tmp_path):
    grid = grid_of(
        tmp_path, "grid: {arch: echo, len: 2..4, mem: 8}\nname: x\necho: {epochs: 5}\nresources: {gpu: 0.5}"
    )
    assert json.loads(json.dumps(grid.content)) == {
        "name": "x",
        "grid": [{"arch": ["echo"], "len": [2, 3, 4], "mem": [8]}],
        "echo": {"epochs": 5},
        "resources": {"cpu": 1.0, "gpu": 0.5},
    }


# Laws

AXES = {
    "arch": st.sampled_from(["echo", "seq2seq"]),
    "len": st.integers(1, 9),
    "mem": st.integers(1, 400),
    "seed": st.integers(0, 2**31 - 1),
    "epochs": st.integers(1, 10**9),
    "learning_rate": st.floats(1e-9, 1.0),
    "eval_sequences": st.integers(1, 1000),
}


@st.composite
def contents(draw):
    """Give a valid grid file's content of one block, with axes in any order."""
    names = ["arch", "len", "mem", *draw(st.lists(st.sampled_from(list(AXES)[3:]), unique=True))]
    axes = {
        name: draw(st.lists(AXES[name], min_size=1, max_size=4, unique=True))
        for name in draw(st.permutations(names))
    }
    sections = {
        section: {"curve_every": draw(st.integers(1, 99)), "epochs": draw(st.integers(1, 99))}
        for section in draw(st.sets(st.sampled_from(["defaults", "echo", "seq2seq"])))
    }
    return {
        "name": draw(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", fullmatch=True)),
        "grid": axes,
        **sections,
    }


@settings(deadline=None)
@given(contents())
def test_the_number_of_trials_is_the_product_of_the_axes(content):
    trials = grid_from_content(content, source="x").trials
    assert len(trials) == prod(len(values) for values in content["grid"].values())
    assert len({trial.trial_id for trial in trials}) == len(trials)


@settings(deadline=None)
@given(contents(), st.randoms(use_true_random=False))
def test_the_order_of_axes_and_values_changes_no_trial(content, rng):
    shuffled = {name: rng.sample(values, len(values)) for name, values in content["grid"].items()}
    axes = list(shuffled.items())
    rng.shuffle(axes)
    again = grid_from_content({**content, "grid": dict(axes)}, source="x")
    assert set(again.trials) == set(grid_from_content(content, source="x").trials)


@settings(deadline=None)
@given(contents())
def test_a_grid_round_trips_through_its_content_json_and_yaml(tmp_path_factory, content):
    grid = grid_from_content(content, source="x")
    assert grid_from_content(json.loads(json.dumps(grid.content)), source="x") == grid
    written = io.StringIO()
    YAML().dump(grid.content, written)  # the round-trip writer, because the safe one sorts keys
    path = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    path.write_text(f"%YAML 1.2\n---\n{written.getvalue()}")
    again = read_grid(path)
    assert (again, again.content) == (grid, grid.content)


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("[]{}:,-?&*!|>'\"%#@ \n\t\0\x1b\u202eé.0123azgridlenmem"), max_size=80))
def test_no_text_at_all_makes_a_traceback_or_a_raw_control_character(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(f"grid:\n  arch: echo\n  len: 2\n  mem: 4\n{text}")
    problems: tuple[str, ...] = ()
    try:
        read_grid(path)
    except GridError as error:
        problems = error.problems
    assert all(problem.isprintable() for problem in problems)


# What a bad file is told


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_broken_grid_is_told_where_and_what_to_write(path, monkeypatch):
    monkeypatch.chdir(BROKEN)
    with pytest.raises(GridError) as caught:
        read_grid(Path(path.name))
    assert str(caught.value) == path.with_suffix(".txt").read_text().rstrip("\n")
    assert all(problem.startswith(f"{path.name}:") for problem in caught.value.problems)
    assert caught.value.exit_code == 2


def test_no_expectation_is_left_over():
    assert {path.stem for path in BROKEN.glob("*.txt")} == {path.stem for path in BROKEN.glob("*.yaml")}


def test_content_that_was_spoilt_is_told_without_lines():
    with pytest.raises(GridError) as caught:
        grid_from_content(
            {"name": "x", "grid": {"arch": ["echo"], "len": ["2"], "memm": 3}}, source="sweep.json"
        )
    assert caught.value.problems == (
        "sweep.json: grid.memm: unknown key; did you mean 'mem'?",
        "sweep.json: grid.len: found the text '2'; write 2 without quotes",
    )


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "lengths.yaml").write_text("")
    for name, hint in (
        ("lenghts.yaml", f"did you mean {tmp_path}/lengths.yaml?"),
        ("other", "check the path"),
    ):
        with pytest.raises(GridError) as caught:
            read_grid(tmp_path / name)
        assert str(caught.value) == f"{tmp_path}/{name}: no such file; {hint}"


def test_a_folder_is_not_a_grid_file(tmp_path):
    with pytest.raises(GridError, match="a folder, not a grid file; name a YAML file"):
        read_grid(tmp_path)


def test_a_path_through_a_file_and_a_control_character_in_a_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GridError, match=r"cannot be read \(Not a directory\); check the path"):
        read_grid(tmp_path / "file" / "grid.yaml")
    with pytest.raises(GridError, match=r"\\x1b\[31m.yaml': no such file"):
        read_grid(tmp_path / "\x1b[31m.yaml")


def test_a_file_without_end_is_not_read_to_its_end():
    assert os.path.exists("/dev/zero")  # noqa: PTH110
    with pytest.raises(GridError, match="/dev/zero: more than 128 KiB; write ranges"):
        read_grid(Path("/dev/zero"))


def test_limits_are_exact(tmp_path):
    text = "grid: {arch: echo, len: 2, mem: 4}\n#"
    assert grid_of(tmp_path, text.ljust(MAX_BYTES, "x")).trials
    assert "more than 128 KiB" in problems_of(tmp_path, text.ljust(MAX_BYTES + 1, "x"))[0]
    assert (
        len(grid_of(tmp_path, "grid: {arch: [echo, seq2seq], len: 2, mem: 4, seed: 0..49999}").trials)
        == 100_000
    )
    assert problems_of(tmp_path, "grid: {arch: echo, len: 2, mem: 4, seed: 0..100000}") == [
        "asked.yaml:1: grid: 100,001 trials, but one sweep takes at most 100,000; shorten an axis"
    ]


def test_a_grid_far_too_large_is_never_expanded(tmp_path, monkeypatch):
    def expanded(*_):
        raise AssertionError("the grid was expanded")

    monkeypatch.setattr("raysweep.grid.grid.expand", expanded)
    (problem,) = problems_of(
        tmp_path, "grid: {arch: echo, len: 1..1000, mem: 1..100000, epochs: 1..1000000000}"
    )
    assert "100,000,000,000,000,000 trials" in problem


def test_a_flood_of_values_is_refused_before_a_tree_of_it_is_built(tmp_path):
    (problem,) = problems_of(tmp_path, f"grid: {{arch: echo, len: 2, mem: [{'1, ' * 20_000}]}}")
    assert problem == "asked.yaml:1: more than 10000 values, aliases counted in full; write ranges (0..99)"


def test_one_mistake_in_many_trials_is_one_error(tmp_path):
    text = "grid: {arch: seq2seq, len: 2..8, mem: [4, 8], seed: 0..99}\ndefaults:\n  batch_size: 20"
    assert problems_of(tmp_path, text) == [
        "asked.yaml:3: defaults.batch_size: 20 does not divide windows = 21; use 1, 3, 7 or 21"
    ]


@pytest.mark.parametrize("path", sorted(ROOT.glob("grids/*.yaml")), ids=lambda path: path.stem)
def test_the_trials_of_a_grid_are_what_their_settings_say_alone(path):
    """They are checked once, as values of the file; validated anew they are the same."""
    for trial in read_grid(path).trials:
        again = TrialSettings(**trial.model_dump())
        assert again == trial
        assert again.trial_id == trial.trial_id
        kinds = [[type(value) for value in one.model_dump().values()] for one in (again, trial)]
        assert kinds[0] == kinds[1]
