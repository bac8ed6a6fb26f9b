"""Grids with networks of users: what their files say, and what bad ones are told."""

import itertools
import json
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import GridError
from raysweep.grid import Grid, grid_from_content, read_grid
from raysweep.trial.network import LARGEST_FILE
from raysweep.trial.options import encoded_options
from raysweep.trial.settings import TrialSettings

BROKEN = Path(__file__).parent / "broken_networks"

NETWORKS = """
def gru(*, n_in, n_out, vocab, mem, batch_size, layers=1, rate=0.5, kind="a", fast=False):
    return None

def attention(mem, heads=2, layers=1):
    return None
"""


def written(folder: Path, text: str, networks: str | bytes = NETWORKS) -> Path:
    data = networks if isinstance(networks, bytes) else networks.encode()
    (folder / "networks.py").write_bytes(data)
    path = folder / "grid.yaml"
    path.write_text(text)
    return path


def grid_of(folder: Path, text: str, networks: str | bytes = NETWORKS) -> Grid:
    return read_grid(written(folder, f"networks: networks.py\n{text}", networks))


def problems_of(folder: Path, text: str, networks: str | bytes = NETWORKS) -> list[str]:
    with pytest.raises(GridError) as caught:
        grid_of(folder, text, networks)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


# What a good file says


def test_a_network_is_an_architecture_with_its_options(tmp_path):
    grid = grid_of(tmp_path, "grid: {arch: [gru, seq2seq], len: 6, mem: 4}")
    own, built_in = grid.trials
    (source,) = grid.networks
    assert (own.arch, own.network, own.n_in, own.epochs) == ("gru", source.sha256, 6, 5000)
    assert own.option_values == {"fast": False, "kind": "a", "layers": 1, "rate": 0.5}
    assert own.options == encoded_options({"layers": 1, "rate": 0.5, "kind": "a", "fast": False})
    assert (source.file, source.text) == (f"{tmp_path}/networks.py", NETWORKS)
    assert (built_in.network, built_in.options) == (None, ())
    assert built_in == TrialSettings(arch="seq2seq", len=6, mem=4, seed=0)
    for trial in grid.trials:
        again = TrialSettings(**trial.model_dump())
        assert (again, again.trial_id) == (trial, trial.trial_id)


def test_options_are_axes(tmp_path):
    axes = "layers: 1..3, rate: [1, 2.5], arch: gru, fast: true, kind: ['1', no], len: 2, mem: 4"
    trials = grid_of(tmp_path, f"grid: {{{axes}}}").trials
    options = ("layers", "rate", "fast", "kind")
    assert [tuple(trial.option_values[option] for option in options) for trial in trials] == list(
        itertools.product([1, 2, 3], [1.0, 2.5], [True], ["1", "no"])
    )
    assert all(type(trial.option_values["rate"]) is float for trial in trials)
    assert len({trial.trial_id for trial in trials}) == 12


def test_an_option_that_two_networks_share_is_an_axis_of_both(tmp_path):
    grid = grid_of(tmp_path, "grid: {arch: [gru, attention], len: 2, mem: 4, layers: [1, 2]}")
    assert [(t.arch, t.option_values["layers"]) for t in grid.trials] == [
        ("gru", 1), ("gru", 2), ("attention", 1), ("attention", 2),
    ]  # fmt: skip


def test_an_axis_wins_over_the_section_and_that_over_the_default(tmp_path):
    grid = grid_of(
        tmp_path,
        """
grid:
  - {arch: [gru, attention], len: 2, mem: 4}
  - {arch: gru, len: 2, mem: 4, layers: 9, epochs: 9}
defaults: {epochs: 5, eval_sequences: 7}
gru: {layers: 4, epochs: 6}
attention:
""",
    )
    assert [(t.option_values["layers"], t.epochs, t.eval_sequences) for t in grid.trials] == [
        (4, 6, 7), (1, 5, 7), (9, 9, 7),
    ]  # fmt: skip


def test_arch_may_be_a_default_and_a_network_may_be_in_any_file_of_a_list(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.py").write_text("def other(): pass\ndef gruu(): pass\n")
    path = written(
        tmp_path,
        f"networks: [sub/more.py, {tmp_path}/networks.py]\ngrid: {{len: 2, mem: 4}}\ndefaults: {{arch: gru}}",
    )
    grid = read_grid(path)
    assert [trial.arch for trial in grid.trials] == ["gru"]
    assert [source.file for source in grid.networks] == [f"{tmp_path}/networks.py"]
    path.write_text("networks: [sub/more.py, networks.py]\ngrid: {arch: [gru, other], len: 2, mem: 4}")
    assert [source.file for source in read_grid(path).networks] == [
        f"{tmp_path}/networks.py",
        f"{tmp_path}/sub/more.py",
    ]


def test_only_functions_that_the_grid_names_are_looked_at(tmp_path):
    others = "def echo(): pass\ndef grid(x): pass\ndef helper(*a, **k): pass\nclass attentive: pass\n"
    grid = grid_of(tmp_path, "grid: {arch: [gru, seq2seq], len: 2, mem: 4}", NETWORKS + others)
    assert len(grid.trials) == 2
    unused = grid_of(tmp_path, "grid: {arch: echo, len: 2, mem: 4}\ngru: {layers: 2}")
    assert unused.networks == ()
    assert unused.content.keys() == {"name", "grid", "resources"}
    assert grid_from_content(unused.content, source="x") == unused


def test_a_byte_order_mark_and_line_ends_are_no_part_of_the_identity(tmp_path):
    text = "grid: {arch: gru, len: 2, mem: 4}"
    plain = grid_of(tmp_path, text)
    crlf = NETWORKS.replace("\n", "\r\n").encode()
    for data in (b"\xef\xbb\xbf" + NETWORKS.encode(), crlf, b"\xef\xbb\xbf" + crlf):
        assert grid_of(tmp_path, text, data).trials == plain.trials
    (changed,) = grid_of(tmp_path, text, NETWORKS + "#").trials
    assert changed.trial_id != plain.trials[0].trial_id
    assert changed.model_copy(update={"network": plain.networks[0].sha256}) == plain.trials[0]


def test_a_networks_file_is_never_executed(tmp_path):
    proof = tmp_path / "executed"
    text = f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n{NETWORKS}"
    grid = grid_of(tmp_path, "grid: {arch: [gru, attention], len: 2, mem: 4, layers: [1, 2]}", text)
    assert len(grid.trials) == 4
    assert not proof.exists()
    assert problems_of(tmp_path, "grid: {arch: gruu, len: 2, mem: 4}", text)
    assert not proof.exists()


def test_ids_of_built_in_trials_do_not_depend_on_networks(tmp_path):
    text = "grid: {arch: [echo, seq2seq], len: 2..4, mem: 4}"
    path = tmp_path / "plain.yaml"
    path.write_text(text)
    assert grid_of(tmp_path, text).trials == read_grid(path).trials


# The content of a results folder


def test_content_holds_the_networks_that_the_grid_uses(tmp_path):
    sections = "gru: {rate: 1}\nattention: {heads: 3}"
    grid = grid_of(tmp_path, f"grid: {{arch: gru, len: 2, mem: 4, layers: 1..2}}\n{sections}")
    assert json.loads(json.dumps(grid.content)) == {
        "name": "grid",
        "networks": {
            "gru": {
                "network": grid.networks[0].sha256,
                "file": "networks.py",
                "options": {"layers": 1, "rate": 0.5, "kind": "a", "fast": False},
            }
        },
        "grid": [{"arch": ["gru"], "len": [2], "mem": [4], "layers": [1, 2]}],
        "gru": {"rate": 1.0},
        "resources": {"cpu": 1.0, "gpu": 0.0},
    }


OPTIONS = {
    "layers": st.integers(-(2**63), 2**63 - 1),
    "rate": st.floats(allow_nan=False, allow_infinity=False),
    "kind": st.text(st.characters(codec="utf-8"), max_size=9),
    "fast": st.booleans(),
}


@st.composite
def contents(draw):
    options = draw(st.fixed_dictionaries(OPTIONS))
    axes = {
        name: draw(st.lists(OPTIONS[name], min_size=1, max_size=3, unique=True))
        for name in draw(st.sets(st.sampled_from(list(OPTIONS))))
    }
    return {
        "name": "x",
        "networks": {"gru": {"network": "0f" * 32, "file": "n.py", "options": options}},
        "grid": [
            {"arch": ["gru"], "len": [2], "mem": [4], **axes},
            {"arch": ["echo"], "len": [2], "mem": [4]},
        ],
        "gru": {name: draw(OPTIONS[name]) for name in draw(st.sets(st.sampled_from(list(OPTIONS))))},
    }


@settings(deadline=None)
@given(contents())
def test_a_grid_round_trips_through_its_content_without_its_files(content):
    grid = grid_from_content(content, source="x")
    again = grid_from_content(json.loads(json.dumps(grid.content)), source="x")
    assert (again, again.content, again.networks) == (grid, grid.content, ())
    assert [trial.trial_id for trial in again.trials] == [trial.trial_id for trial in grid.trials]
    expected = {**content["networks"]["gru"]["options"], **content["gru"]}
    for trial in grid.trials[:-1]:
        assert trial == TrialSettings(**trial.model_dump())
        for name, value in trial.option_values.items():
            assert type(value) is type(expected[name])
            assert value in content["grid"][0].get(name, [expected[name]])


def test_content_needs_no_file(tmp_path):
    grid = grid_of(tmp_path, "grid: {arch: [gru, echo], len: 2, mem: 4}")
    (tmp_path / "networks.py").unlink()
    assert grid_from_content(grid.content, source="sweep.json") == grid


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(["networks", "layers", "network", "options", "arch"]) | st.text(max_size=5)


@st.composite
def spoilt(draw):
    """Give content with one value replaced or added anywhere."""
    content = place = draw(contents())
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return content
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and draw(st.booleans()):
            place = place[key]
            continue
        if isinstance(place, dict) and draw(st.booleans()):
            key = draw(KEYS)
        place[key] = draw(ANYTHING | st.lists(ANYTHING, max_size=2) | st.dictionaries(KEYS, ANYTHING))
        return content


@settings(deadline=None, max_examples=500)
@given(spoilt())
def test_spoilt_content_is_an_error_of_the_grid_or_none(content):
    trials: tuple[TrialSettings, ...] = ()
    problems: tuple[str, ...] = ()
    try:
        trials = grid_from_content(content, source="sweep.json").trials
    except GridError as error:
        problems = error.problems
    assert all(problem.startswith("sweep.json: ") and problem.isprintable() for problem in problems)
    assert [TrialSettings(**trial.model_dump()) for trial in trials] == list(trials)


def test_spoilt_networks_are_told_by_key():
    gru = {"network": "a" * 63, "options": {"layers": None, "epochs": 1, "a b": 2, "big": 2**63}, "more": 1}
    networks = {"gru": gru, "echo": {}, "x": 5, "y": {"network": 1, "file": "", "options": []}}
    with pytest.raises(GridError) as caught:
        grid_from_content(
            {"name": "x", "networks": networks, "grid": {"arch": "gru", "len": 2, "mem": 4}}, source="s"
        )
    assert caught.value.problems == (
        "s: networks.echo: not a valid name; remove it",
        "s: networks.gru.more: unknown key; use one of network, file, options",
        "s: networks.gru.file: missing; run the sweep's grid file again",
        f"s: networks.gru.network: found the text '{'a' * 47}...'; write the SHA-256 of its file",
        "s: networks.gru.options.epochs: not a valid name; remove it",
        "s: networks.gru.options.'a b': not a valid name; remove it",
        "s: networks.gru.options.layers: found nothing; write a text of at most 1,000 characters",
        "s: networks.gru.options.big: found 9223372036854775808; write a whole number of at most 64 bits",
        "s: networks.x: found 5; write keys with values",
        "s: networks.x.network: missing; run the sweep's grid file again",
        "s: networks.x.file: missing; run the sweep's grid file again",
        "s: networks.x.options: missing; run the sweep's grid file again",
        "s: networks.y.network: found 1; write the SHA-256 of its file",
        "s: networks.y.file: found the text ''; write the name of its file",
        "s: networks.y.options: found a list; write keys with values",
    )


def test_content_nested_too_deeply_is_an_error_of_the_grid():
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(GridError, match=r"sweep\.json: nested too deeply; run the grid file again"):
        grid_from_content({"name": "x", "grid": deep}, source="sweep.json")


# What a bad file is told


def parts_of(text: str) -> dict[str, str]:
    """Split the text of a case at lines such as `==> networks.py <==`."""
    pieces = re.split(r"^==> (.*) <==\n", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.txt")), ids=lambda path: path.stem)
def test_every_broken_grid_with_networks_is_told_where_and_what_to_write(path, tmp_path, monkeypatch):
    parts = parts_of(path.read_text())
    expected = parts.pop("errors").rstrip("\n")
    for name, text in parts.items():
        (tmp_path / "grids" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "grids" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GridError) as caught:
        read_grid(Path("grids/grid.yaml"))
    assert str(caught.value) == expected
    assert all(problem.isprintable() for problem in caught.value.problems)


def test_a_networks_file_that_is_not_utf_8(tmp_path):
    data = NETWORKS.encode() + b"# \xff\n"
    line = data.count(b"\n")
    assert problems_of(tmp_path, "grid: {arch: gru, len: 2, mem: 4}", data) == [
        f"networks.py:{line}: not UTF-8 text (byte 0xff); save it as UTF-8"
    ]


def test_the_size_of_a_networks_file_is_limited(tmp_path):
    text = "grid: {arch: gru, len: 2, mem: 4}"
    data = f"{NETWORKS}\n#".encode()
    assert grid_of(tmp_path, text, data.ljust(LARGEST_FILE, b"x")).trials
    (problem,) = problems_of(tmp_path, text, data.ljust(LARGEST_FILE + 1, b"x"))
    assert problem == (
        f"grid.yaml:1: networks: {tmp_path}/networks.py has more than 1024 KiB; keep only the networks in it"
    )


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    path = tmp_path / "grid.yaml"
    path.write_text("networks: [pipe.py, /dev/zero]\ngrid: {arch: gru, len: 2, mem: 4}")
    with pytest.raises(GridError) as caught:
        read_grid(path)
    rule = "write the name of a Python file, or a list of names"
    assert caught.value.problems == (
        f"{path}:1: networks: {tmp_path}/pipe.py is not a regular file; {rule}",
        f"{path}:1: networks: /dev/zero is not a regular file; {rule}",
    )


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("[]{}()=:,*/ \n\t\0\x1b\u202eé'\"0.1defgrulayers"), max_size=60))
def test_no_networks_file_at_all_makes_a_traceback_or_a_raw_control_character(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    path = written(folder, "networks: networks.py\ngrid: {arch: gru, len: 2, mem: 4}", f"def gru({text}")
    problems: tuple[str, ...] = ()
    try:
        read_grid(path)
    except GridError as error:
        problems = error.problems
    assert all(problem.isprintable() for problem in problems)


@pytest.mark.scale
def test_ten_thousand_trials_with_options_take_about_as_long_as_without(tmp_path):
    def seconds(text: str) -> float:
        start = time.perf_counter()
        assert len(grid_of(tmp_path, text).trials) == 10_000
        return time.perf_counter() - start

    own = "grid: {arch: gru, len: 2, mem: 4, layers: 1..10, rate: [1, 2], seed: 0..499}"
    built_in = "grid: {arch: seq2seq, len: 1..5, mem: 4..7, seed: 0..499}"
    assert min(seconds(own) for _ in range(3)) < 3 * min(seconds(built_in) for _ in range(3))
