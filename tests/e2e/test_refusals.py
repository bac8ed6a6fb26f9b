"""Wrong input: exit code 2 or 3, words that help, no traceback, nothing created."""

from pathlib import Path

import pytest

from tests.command import TINY, environment, raysweep, write_grid

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TINY.replace("mem:", "memm:"), "bad.yaml:6: grid.memm: unknown key; did you mean 'mem'?"),
        (TINY + "seq2seq: {epochs: 2}\n", "bad.yaml:9: seq2seq: "),
        (TINY.replace("mem: 4", "mem: 1..1000000000"), "bad.yaml:"),
        (TINY.replace("batch_size: 3", "batch_size: 4"), "4 does not divide windows = 6; use 1, 2, 3 or 6"),
        ("grid: [", "bad.yaml:"),
    ],
)
def test_a_broken_grid_is_refused_before_anything_is_made(tmp_path: Path, text: str, expected: str) -> None:
    grid = write_grid(tmp_path, text, "bad.yaml")
    for command in ("run", "plan"):
        done = raysweep(command, grid.name, cwd=tmp_path)
        assert done.returncode == 2
        assert expected in done.stderr
        assert done.stderr.splitlines()[-1].endswith("nothing was started")
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [("{cpu: 64}", "a trial asks for 64 cores"), ("{gpu: 1}", "a trial asks for 1 GPUs")],
)
def test_what_this_machine_can_never_do_is_refused(tmp_path: Path, resources: str, expected: str) -> None:
    write_grid(tmp_path, f"{TINY}resources: {resources}\n")
    done = raysweep("run", "tiny.yaml", "--cpus", 2, cwd=tmp_path)
    assert done.returncode == 3
    assert expected in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "nowhere"),
        ("show", "nowhere", "x"),
        ("verify", "nowhere"),
        ("run", "nowhere.yaml"),
        ("verify", "."),
        ("run", "tiny.yaml", "--cpus", "0"),
        ("run", "tiny.yaml", "--address", "local", "--trust-cluster"),
        ("run", "tiny.yaml", "--retries", "-1"),
        ("run", "tiny.yaml", "--name", "../out"),
        ("plan", "tiny.yaml", "--cpus", "two"),
        ("report", "nowhere", "--no-such-option"),
        ("no-such-command",),
    ],
)
def test_bad_usage_says_so_and_exits_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write_grid(tmp_path)
    done = raysweep(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--set", "epochs=0"), "--set epochs: found 0; write a whole number from 1 to 1000000000"),
        (("--set", "epoch=3", "--only", "len=9"), "--set epoch: unknown key; did you mean 'epochs'?"),
        (("--only", "len=9"), "--only len: no trial of the grid has 9; len is 2, 3"),
        (("--only", "len"), "--only len: found 'len'; write a key and a value"),
        (("--reuse", "nowhere"), "--reuse nowhere: no such folder; give the results folder of a sweep"),
        (("--reuse", "."), "--reuse .: no sweep has written here; give a results folder"),
    ],
)
def test_options_of_the_grid_are_refused_before_anything_is_made(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    write_grid(tmp_path)
    for command in ("run", "plan"):
        done = raysweep(command, "tiny.yaml", *options, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_a_name_that_is_no_file_may_be_an_example(tmp_path: Path) -> None:
    for command in ("run", "plan"):
        done = raysweep(command, "lengths", cwd=tmp_path)
        assert done.returncode == 2
        assert "comes with raysweep: `raysweep grids lengths` copies it here" in done.stderr
    copied = raysweep("grids", "lengths", cwd=tmp_path)
    assert (copied.returncode, copied.stdout.splitlines()[0]) == (0, "lengths.yaml: copied")
    assert raysweep("plan", "lengths.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "lengths.yaml").write_text("name: mine\n")
    assert raysweep("grids", "lengths", cwd=tmp_path).returncode == 2
    assert (tmp_path / "lengths.yaml").read_text() == "name: mine\n"
    wide = environment(tmp_path, COLUMNS="200")
    assert len(raysweep("grids", cwd=tmp_path, env=wide).stdout.splitlines()) == 8


def test_no_file_name_steers_the_terminal(tmp_path: Path) -> None:
    trials = tmp_path / "sweep" / "trials"
    trials.mkdir(parents=True)
    (trials / "\x1b]0;owned\x1b\\a\nb.parquet").touch()
    done = raysweep("verify", "sweep", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    found, total = done.stdout.splitlines()
    assert found.isprintable()
    assert found.endswith("a b.parquet: no trial's file; move it elsewhere")
    assert total == "sweep: 0 trials, 1 damaged file"


def test_a_closed_pipe_ends_a_printing_command_quietly(tmp_path: Path) -> None:
    import subprocess

    from tests.command import RAYSWEEP, environment

    write_grid(tmp_path)
    command = f"{RAYSWEEP} plan tiny.yaml | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("tiny: 4 trials")
    assert done.stderr == ""
