"""The example grids that come with raysweep: listed with their size, copied without overwriting anything."""

from pathlib import Path

import pytest

from raysweep.errors import GridError, UsageError
from raysweep.examples import Copied, about_of, copy_example, examples
from raysweep.grid import read_grid
from raysweep.grid.examples import example_files
from raysweep.report.examples_table import examples_view
from tests.sweeps import drawn

ROOT = Path(__file__).parents[1]


def test_the_examples_are_the_grids_of_the_repository() -> None:
    assert {*example_files().values()} == {*(ROOT / "grids").glob("*.yaml")}


def test_every_example_says_what_it_is_for_in_a_sentence_of_its_own() -> None:
    found = examples(2, 0)
    assert {one.name: one.trials for one in found} == {
        "lengths": 56,
        "longer": 42,
        "networks": 168,
        "notebook": 15,
        "quick": 8,
        "tutorial": 10,
    }
    for one in found:
        assert 20 < len(one.about) < 100
        assert one.about.endswith((".", "?"))
        assert one.seconds is not None
        assert one.seconds > 10
    assert len({one.about for one in found}) == len(found)


def test_the_list_has_a_row_for_each() -> None:
    lines = drawn(examples_view(examples(2, 0), 2), width=150).splitlines()
    about = "How long a sequence can each network learn to repeat, with how much memory?"
    assert " ".join(lines[0].split()) == f"lengths 56 trials 5 min {about}"
    assert len(lines) == 8
    assert lines[-1].startswith("Times are assumed, on 2 cores.")


def test_a_comment_without_a_sentence_is_taken_whole() -> None:
    assert about_of("# one\n# two\n\n# three\nname: x\n") == "one two"
    assert about_of("name: x\n") == ""


def test_a_copy_is_the_file_with_its_networks_and_is_the_same_grid(tmp_path: Path) -> None:
    copied = copy_example("networks", tmp_path)
    assert copied == [Copied(tmp_path / "networks.yaml", True), Copied(tmp_path / "networks.py", True)]
    assert read_grid(tmp_path / "networks.yaml") == read_grid(ROOT / "grids" / "networks.yaml")
    assert copy_example("quick.yaml", tmp_path) == [Copied(tmp_path / "quick.yaml", True)]
    again = copy_example("networks", tmp_path)
    assert [one.new for one in again] == [False, False]


@pytest.mark.parametrize("kind", ["another", "link", "folder"])
def test_what_is_there_and_differs_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "networks.py"
    if kind == "another":
        target.write_text("mine")
    elif kind == "link":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
    with pytest.raises(UsageError, match=r"networks\.py: here already, and not as the example has it"):
        copy_example("networks", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["networks.py"]
    assert target.is_symlink() == (kind == "link")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenghts", "lenghts: no example has this name; did you mean lengths?"),
        ("x", "x: no example has this name; there are lengths, longer, networks, notebook, quick, tutorial"),
        ("../lengths", "../lengths: no example has this name; did you mean lengths?"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_names(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        copy_example(name, tmp_path)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("quick", "an example of that name comes with raysweep: `raysweep grids quick` copies it here"),
        ("grids/quick.yaml", "an example of that name comes with raysweep: `raysweep grids quick` copies"),
        ("tutorail", "an example called tutorial comes with raysweep: `raysweep grids tutorial` copies it"),
        ("lengths", "did you mean lengths.yaml?"),
        ("memor.yaml", "did you mean memory.yaml?"),
        ("zzz.yaml", "check the path"),
    ],
)
def test_a_grid_that_is_no_file_may_be_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lengths.yaml", "memory.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(GridError) as caught:
        read_grid(given)
    assert str(caught.value).startswith(f"{given}: no such file; {hint}")
