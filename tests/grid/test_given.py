"""What the command line sets in a grid, and what it selects of it."""

from pathlib import Path

import pytest

from raysweep.errors import GridError
from raysweep.grid import Grid, grid_from_content, read_grid

GRID = """
name: asked
grid: {arch: [echo, seq2seq], len: 2..4, mem: [4, 8]}
defaults: {eval_sequences: 3}
echo: {epochs: 500}
seq2seq: {epochs: 5000}
"""

TWO = """
grid:
  - {arch: echo, len: [2, 3], mem: 4, epochs: [10, 20]}
  - {arch: seq2seq, len: [2, 3], mem: 8}
seq2seq: {epochs: 50}
"""

NETWORKS = """
def gru(*, mem, depth=1, name="plain"): ...
def lstm(*, mem, depth=2): ...
"""

OWN = """
networks: networks.py
grid: {arch: [echo, gru, lstm], len: 2, mem: 4}
"""


def grid_of(folder: Path, text: str, *sets: str, only: tuple[str, ...] = ()) -> Grid:
    (folder / "asked.yaml").write_text(text)
    (folder / "networks.py").write_text(NETWORKS)
    return read_grid(folder / "asked.yaml", sets=sets, only=only)


def problems_of(folder: Path, text: str, *sets: str, only: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(GridError) as caught:
        grid_of(folder, text, *sets, only=only)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def values(grid: Grid, name: str, arch: str | None = None) -> list[object]:
    of = [{**t.model_dump(), **t.option_values} for t in grid.trials if arch in (None, t.arch)]
    return list(dict.fromkeys(one.get(name) for one in of))


@pytest.mark.parametrize("text", ["16,50", "[16, 50]", "16, 50", " [16,50] ", "[16,50,]"])
def test_several_values_are_written_with_or_without_brackets(tmp_path: Path, text: str) -> None:
    assert values(grid_of(tmp_path, GRID, f"mem={text}"), "mem") == [16, 50]


def test_what_is_set_replaces_an_axis(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, GRID, "len=3..5", "mem=16")
    assert (values(grid, "len"), values(grid, "mem")) == ([3, 4, 5], [16])
    assert grid.options == ("--set len=3..5", "--set mem=16")


def test_one_value_holds_for_every_trial_whatever_the_sections_say(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, GRID, "epochs=2000")
    assert values(grid, "epochs") == [2000]
    assert grid.content["defaults"] == {"eval_sequences": 3, "epochs": 2000}
    assert len(grid.trials) == 12


def test_several_values_of_what_is_no_axis_make_one(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, GRID, "learning_rate=1e-3,3e-3")
    assert values(grid, "learning_rate") == [0.001, 0.003]
    assert len(grid.trials) == 24


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_set_for_one_architecture_wins_in_any_order(tmp_path: Path, order: int) -> None:
    grid = grid_of(tmp_path, GRID, *["epochs=20", "seq2seq.epochs=30"][::order])
    assert (values(grid, "epochs", "echo"), values(grid, "epochs", "seq2seq")) == ([20], [30])


def test_mappings_with_and_without_the_axis_are_both_set(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, TWO, "epochs=7")
    assert values(grid, "epochs") == [7]
    assert len(grid.trials) == 4
    both = grid_of(tmp_path, TWO, "epochs=7,8")
    assert values(both, "epochs", "seq2seq") == [7, 8]
    one = grid_of(tmp_path, TWO, "echo.epochs=7..9")  # an axis of echo's alone
    assert (values(one, "epochs", "echo"), values(one, "epochs", "seq2seq")) == ([7, 8, 9], [50])
    new = grid_of(tmp_path, TWO, "seq2seq.epochs=7,8")  # as its mapping is
    assert (values(new, "epochs", "echo"), values(new, "epochs", "seq2seq")) == ([10, 20], [7, 8])


def test_the_architecture_can_be_set_and_others_than_the_file_names(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, OWN, "arch=gru", "gru.depth=3")
    assert (values(grid, "arch"), values(grid, "depth"), len(grid.trials)) == (["gru"], [3], 1)


def test_an_option_holds_for_all_networks_that_have_it(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, OWN, "depth=3")
    assert [values(grid, "depth", arch) for arch in ("echo", "gru", "lstm")] == [[None], [3], [3]]
    axis = grid_of(tmp_path, OWN, "depth=1,2", "arch=gru,lstm")
    assert values(axis, "depth") == [1, 2]
    assert len(axis.trials) == 4
    text = grid_of(tmp_path, OWN, "gru.name=deep").trials
    assert [t.option_values["name"] for t in text if t.arch == "gru"] == ["deep"]


def test_a_text_that_looks_like_a_range_is_one_value_in_quotes(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, OWN, 'name="2..4"')
    assert values(grid, "name") == [None, "2..4"]
    assert len(grid_of(tmp_path, OWN, 'name="2..4"', only=('name="2..4"',)).selected) == 1


def test_a_selection_of_many_values_is_quick_to_check(tmp_path: Path) -> None:
    text = "name: many\ngrid: {arch: echo, len: 2, mem: 4, seed: 0..49999}\n"
    assert len(grid_of(tmp_path, text, only=("seed=0..49999",)).selected) == 50_000


def test_resources_and_states_can_be_set(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, GRID, "resources.cpu=2", "keep_state=true")
    assert (grid.resources.cpu, grid.keep_state) == (2, True)


def test_the_content_gives_the_same_grid(tmp_path: Path) -> None:
    for text, sets in ((GRID, ["epochs=7", "len=2"]), (TWO, ["mem=1,2"]), (OWN, ["depth=2", "gru.name=x"])):
        grid = grid_of(tmp_path, text, *sets)
        assert grid_from_content(grid.content, source="sweep.json") == grid


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("epochs=0", "epochs: found 0; write a whole number from 1 to 1000000000"),
        ("mem=abc", "mem: found the text 'abc'; write a whole number from 1 to 100000"),
        ("mem=4,4", "mem: 4 is repeated; write each value once"),
        ("mem=[]", "mem: an empty list makes no trials; give at least one value"),
        ("len=4..2", "len: found 4..2, which runs backwards; write 2..4"),
        ("len=2..4,6", "len: found the text '2..4'; a range cannot be part of a list: write every value"),
        (
            "learning_rate=1..2",
            "learning_rate: found the text '1..2'; ranges are for whole numbers: write a list",
        ),
        ("epoch=3", "epoch: unknown key; did you mean 'epochs'?"),
        ("seq2seq.epoch=3", "seq2seq.epoch: unknown key; did you mean 'epochs'?"),
        (
            "arch=gru",
            "arch: found the text 'gru'; write echo or seq2seq, or name your network's file under networks",
        ),
        ("gru.depth=2", "gru.depth: the grid trains echo and seq2seq; write echo.depth or seq2seq.depth"),
        ("batch_size=4", "batch_size: for seq2seq, 4 does not divide windows = 21; use 1, 3, 7 or 21"),
        ("keep_state=yes", "keep_state: found the text 'yes'; write true or false"),
        ("resource.cpu=2", "resource.cpu: unknown key; did you mean 'resources.cpu'?"),
        ("seqtoseq.mem=2", "seqtoseq.mem: unknown key; did you mean 'seq2seq.mem'?"),
        ("resources.cpus=2", "resources.cpus: unknown key; did you mean 'cpu'?"),
        ("len=2-4", "len: found the text '2-4'; a range is written 2..4"),
        (".len=9", ".len: unknown key; did you mean 'len'?"),
        (".arch=echo", ".arch: unknown key; did you mean 'arch'?"),
        ("epochs.=3", "epochs.: unknown key; did you mean 'epochs'?"),
        ("seq2seq. epochs=3", "'seq2seq. epochs': unknown key; did you mean 'epochs'?"),
        (
            "seq2seq.arch=echo",
            "seq2seq.arch: not a setting of one architecture; write --set arch=…",
        ),
        ("name=x", "name: use --name NAME"),
        ("grid.mem=4", "grid.mem: write --set mem=…, which holds wherever the file gives it"),
        ("echo=4", "echo: set one key of it, such as --set echo.epochs=500"),
        ("seq2seq.mem=4", "seq2seq.mem: mem is an axis, which is not seq2seq's alone; write --set mem=…"),
        (
            "seq2seq.epochs=4,5",
            "seq2seq.epochs: several values make an axis, which is not seq2seq's alone; write --set epochs=…",
        ),
        ("mem", "mem: found 'mem'; write a key and a value, such as --set epochs=2000"),
        ("mem=", "mem: found 'mem='; write a key and a value, such as --set epochs=2000"),
        ("=3", "found '=3'; write a key and a value, such as --set epochs=2000"),
        ("mem=[4", "mem: '[4' is not valid YAML; check its brackets and quotes"),
        ("mem=!x 4", "mem: the tag '!x' is not allowed; remove it"),
        ("\x1b=3", "'\\x1b': unknown key; use one of arch, len, mem, seed"),
    ],
)
def test_a_mistake_names_the_option_and_what_to_write(tmp_path: Path, given: str, message: str) -> None:
    (problem,) = problems_of(tmp_path, GRID, given)
    place, _, rest = problem.partition(" ")
    assert place.removesuffix(":") == "--set"
    assert rest.startswith(message)


def test_all_mistakes_are_reported_the_files_first(tmp_path: Path) -> None:
    text = GRID.replace("eval_sequences", "eval_sequence")
    given = ("mem=0", "nonsense", "mem=4")
    problems = problems_of(tmp_path, text, *given, only=("len",))
    assert [problem.partition(": ")[0] for problem in problems] == [
        "asked.yaml:4",
        "--set mem",
        "--set nonsense",
        "--set mem",
        "--only len",
    ]
    assert problems[3] == "--set mem: given twice; keep one of the two"
    unread = problems_of(tmp_path, "grid: [", "nonsense")
    assert [problem.partition(":")[0] for problem in unread] == ["asked.yaml", "--set nonsense"]


# A part of the grid


@pytest.mark.parametrize(
    ("only", "number"),
    [
        (["len=2..3"], 8),
        (["arch=echo"], 6),
        (["arch=echo", "mem=4,8"], 6),
        (["arch=echo", "mem=8", "len=[4]"], 1),
        (["learning_rate=1e-3"], 12),
        (["epochs=500"], 6),
    ],
)
def test_the_trials_with_these_values_are_selected(tmp_path: Path, only: list[str], number: int) -> None:
    grid = grid_of(tmp_path, GRID, only=tuple(only))
    assert (len(grid.trials), len(grid.selected)) == (12, number)
    assert set(grid.selected) <= set(grid.trials)
    assert grid.options == tuple(f"--only {one}" for one in only)
    assert grid_of(tmp_path, GRID).selected == grid.trials


def test_options_of_networks_select(tmp_path: Path) -> None:
    assert [t.arch for t in grid_of(tmp_path, OWN, only=("depth=2",)).selected] == ["lstm"]
    assert [t.arch for t in grid_of(tmp_path, OWN, only=("name=plain",)).selected] == ["gru"]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (("len=9",), "len: no trial of the grid has 9; len is 2..4"),
        (("len=3..5",), "len: no trial of the grid has 5; len is 2..4"),
        (
            ("len=1..99999999999",),
            "len: no trial of the grid has 1, 5, 6 and 99,999,999,993 more; len is 2..4",
        ),
        (("len=4..2",), "len: found a range that runs backwards; len is 2..4"),
        (("len=[]",), "len: found an empty list; len is 2..4"),
        (("mem=true",), "mem: no trial of the grid has true; mem is 4, 8"),
        (("arch=gru",), "arch: no trial of the grid has gru; arch is echo or seq2seq"),
        (("ln=2",), "ln: unknown key; did you mean 'len'?"),
        (("len=2", "len=3"), "len: given twice; write --only len=A,B"),
        (("len",), "len: found 'len'; write a key and a value, such as --only arch=seq2seq"),
        (
            ("arch=echo", "epochs=5000"),
            "epochs: no trial of the grid has both this and arch=echo; leave out one of them",
        ),
    ],
)
def test_a_value_that_no_trial_has_is_a_mistake(tmp_path: Path, only: tuple[str, ...], message: str) -> None:
    assert problems_of(tmp_path, GRID, only=only) == [f"--only {message}"]
