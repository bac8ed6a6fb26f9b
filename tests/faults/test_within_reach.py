"""Situations that users of such tools meet: quotas, file systems, terminals, shells, pipes, other people."""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import duckdb
import pytest

import raysweep
from raysweep.analysis.forecast import forecast
from raysweep.grid import read_grid
from raysweep.report.plan_report import plan_view
from raysweep.store.ledger import Ledger
from raysweep.trial.cost import RuntimeEstimate
from raysweep.trial.state_index import StateIndex
from tests.command import RAYSWEEP, environment, tables
from tests.faults.sandbox import INJECT, Sandbox, wait_for
from tests.faults.test_field_cases import ONE
from tests.faults.undisturbed import check_nothing_left, undisturbed
from tests.sweeps import drawn, failure_of, planned, synthetic_results, trials_of, write_sweep

pytestmark = pytest.mark.fault

CURSOR = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]")
"""Sequences that steer a terminal; colours end with `m`."""


def run(
    arguments: Sequence[object], cwd: Path, *, before: Sequence[object] = (), text: str = "", **extra: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command behind another one, with a text as its standard input."""
    env = {**environment(cwd), "HOME": str(cwd), **extra}
    line = [*map(str, before), str(RAYSWEEP), *map(str, arguments)]
    return subprocess.run(
        line, cwd=cwd, env=env, input=text, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture
def one_core() -> Iterator[Path]:
    """A control group inside one with a quota of half a core more than one, as only root can make."""
    cpus = len(os.sched_getaffinity(0))
    for root in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")):
        outer = root / f"raysweep-test-{os.getpid()}"
        try:
            outer.mkdir()
            (outer / "inner").mkdir()
        except OSError:
            continue
        quota = int(100_000 * (cpus - 0.6))
        try:
            if (outer / "cpu.cfs_quota_us").exists():
                (outer / "cpu.cfs_quota_us").write_text(f"{quota}")
            elif (outer / "cpu.max").exists():
                (outer / "cpu.max").write_text(f"{quota} 100000")
            else:
                continue
            yield outer / "inner"
            return
        finally:
            # What the keeper has killed leaves the group when the kernel has buried it.
            wait_for(partial(is_empty, outer / "inner"))
            (outer / "inner").rmdir()
            outer.rmdir()
    pytest.skip("no control group with a quota can be made here")


def is_empty(group: Path) -> bool:
    return not (group / "cgroup.procs").read_text()


def inside(group: Path) -> list[object]:
    return ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"']


@pytest.mark.ray
def test_a_folder_without_syncs_a_log_that_is_none_a_tilde_a_pipe_and_forced_colours(
    sandbox: Sandbox,
) -> None:
    """All at once: none of them changes anything."""
    sandbox.set_grid(ONE)
    home = sandbox.folder
    results = home / "here" / "one"
    results.mkdir(parents=True)
    os.mkfifo(results / "run.log")
    arguments = ("run", "-", "--results-dir=~/here", "--html=~/page.html")
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"}
    unsynced = {"RAYSWEEP_NO_FOLDER_SYNC": "1", "PYTHONPATH": str(INJECT)}
    done = run(arguments, home, text=ONE, TMPDIR=sandbox.env["TMPDIR"], **forced, **unsynced)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one: 0 of 2 trials are done, 2 to train\n" in done.stdout
    assert "[2/2] echo" in done.stdout
    assert "\x1b[" in done.stdout  # colours of the report
    assert CURSOR.findall(done.stdout) == []
    assert "\r" not in done.stdout
    assert tables(results) == undisturbed(ONE)
    assert (results / "run.log").is_file()
    assert (home / "page.html").is_file()
    assert not (home / "~").exists()
    check_nothing_left(sandbox)


@pytest.mark.ray
def test_a_quota_of_cores(sandbox: Sandbox, one_core: Path) -> None:
    sandbox.set_grid(ONE)
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("a machine of one core")
    plan = run(("plan", sandbox.grid), sandbox.folder, before=inside(one_core))
    slots = max(cpus - 1, 1)
    assert f"on {slots} core" in plan.stdout
    said = f"CPU quota of this container or job: {cpus - 0.6:.3g} of {cpus} cores, so {slots} "
    assert said in plan.stdout
    done = run(("run", sandbox.grid), sandbox.folder, before=inside(one_core), TMPDIR=sandbox.env["TMPDIR"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(said) == 1
    assert len(done.stderr.splitlines()) == 1
    assert tables(sandbox.results) == undisturbed(ONE)
    chosen = run(
        ("plan", sandbox.grid, "--name", "x", "--cpus", cpus), sandbox.folder, before=inside(one_core)
    )
    assert f"on {cpus} cores" in chosen.stdout
    assert "quota" not in chosen.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "~/lengths"),
        ("report", "~/lengths", "--html=~/out.html"),
        ("show", "~/lengths", "echo-len2-mem16-seed0"),
        ("verify", "~/lengths"),
        ("compare", "~/lengths", "~/lengths"),
        ("plot", "~/lengths", "--output=~/out.svg"),
        ("plot", "~/lengths", "-o", "~/out.svg"),
        ("export", "~/lengths", "--tensorboard=~/out"),
        ("plan", "~/lengths.yaml", "--results-dir=~"),
    ],
)
def test_a_tilde_that_the_shell_has_left(made: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    shutil.copytree(made, tmp_path / "lengths")
    (tmp_path / "nets.py").write_text("def own(*, n_in, n_out, vocab, mem, batch_size): ...\n")
    grid = "networks: ~/nets.py\ngrid: {arch: [echo, own], len: 2, mem: 8}\n"
    (tmp_path / "lengths.yaml").write_text(grid)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(arguments, elsewhere, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
    assert any("out" in argument for argument in arguments) == any(tmp_path.glob("out*"))


def test_a_tilde_without_a_home_and_that_of_no_user(tmp_path: Path, nobody: list[object]) -> None:
    line = [*map(str, nobody), str(RAYSWEEP), "report", "~/x"]
    done = subprocess.run(
        line, env={"PATH": os.defpath}, cwd="/", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "~/x: this user has no home folder; write the whole path\n")
    done = run(("report", "~nobody-has-this-name/x"), tmp_path)
    assert done.stderr.startswith("~nobody-has-this-name/x: there is no user nobody-has-this-name; write ./~")
    (tmp_path / "~notes").mkdir()
    assert "~notes/x: no such results folder" in run(("report", "~notes/x"), tmp_path).stderr


def complete(shell: str, words: Sequence[str], cwd: Path, **extra: str) -> str:
    variables = {
        "_RAYSWEEP_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(words),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = run((), cwd, **{**variables, **extra})
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(made: Path, tmp_path: Path, shell: str) -> None:
    shutil.copytree(made, tmp_path / "results" / "lengths")
    (tmp_path / "results" / "notes").mkdir()
    (tmp_path / "grids").mkdir()
    trial = min(Ledger(made).committed())

    def found(*words: str, **extra: str) -> list[str]:
        text = complete(shell, ["raysweep", *words], tmp_path, **extra)
        return re.findall(r'"([^"]+)"', text) if shell == "zsh" else text.split()

    assert {"report", "reproduce"} <= {word.partition(":")[0] for word in found("rep")}
    for word in ("", "res", "results/", "results/l"):
        if word or shell == "bash":
            assert found("report", word) == ["results/lengths"]
    assert found("compare", "results/lengths", "results/") == ["results/lengths"]
    assert found("report", f"{tmp_path}/results/") == [f"{tmp_path}/results/lengths"]
    assert found("report", "~/results/") == ["~/results/lengths"]
    assert found("show", "results/lengths", trial[:-3]) == [trial]
    assert found("show", "~/results/lengths", trial[:-3]) == [trial]
    assert set(found("reproduce", "results/lengths", "e")) == {
        one for one in Ledger(made).committed() | set(Ledger(made).failures()) if one.startswith("e")
    }
    for words in (("show", "nowhere", "e"), ("report", "nowhere/"), ("show", "results/notes", "e")):
        assert found(*words) in ([], ["_files"])  # silent; the shell completes files


def test_completion_of_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'rmdir "{gone}"; exec "{RAYSWEEP}"'
    env = {"_RAYSWEEP_COMPLETE": "complete_bash", "COMP_WORDS": "raysweep\nreport\nr", "COMP_CWORD": "2"}
    done = subprocess.run(
        ["sh", "-c", line], cwd=gone, env={**environment(tmp_path), **env}, capture_output=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (b"", b"")


@pytest.mark.parametrize("option", ["--version", "--help", "-h"])
def test_habits(tmp_path: Path, option: str) -> None:
    module = [sys.executable, "-m", "raysweep", option]
    as_module = subprocess.run(module, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert as_module.returncode == 0
    assert as_module.stdout
    assert run((option,), tmp_path, COLUMNS="80").stdout == as_module.stdout


def test_folders_that_are_named_like_columns(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "seed=7" / "mem=1" / "arch=x" / "lengths"
    shutil.copytree(made, folder)
    query = "SELECT DISTINCT arch, mem, seed FROM {} ORDER BY ALL"
    expected = raysweep.load(made).sql(query.format("trials")).fetchall()
    assert raysweep.load(folder).sql(query.format("trials")).fetchall() == expected
    pattern = f"read_parquet('{folder}/trials/*.parquet', hive_partitioning = false)"
    assert duckdb.execute(query.format(pattern)).fetchall() == expected
    for kind in ("trials", "predictions", "curves"):
        alone = getattr(raysweep.load(made), kind).to_table(columns=["arch", "seed"])
        assert getattr(raysweep.load(folder), kind).to_table(columns=["arch", "seed"]).equals(alone)


def test_every_query_that_the_pages_show_is_immune() -> None:
    root = Path(__file__).parents[2]
    for page in (root / "README.md", *(root / "docs").glob("*.md")):
        for block in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            assert block.count(".parquet") == block.count("hive_partitioning = false"), page.name


NARROW = ((30, ()), (30, ("--mem", "16")), (20, ()), (12, ()))


@pytest.mark.parametrize(("width", "options"), NARROW)
def test_no_number_is_left_out_on_a_narrow_terminal(made: Path, width: int, options: tuple[str, ...]) -> None:
    wide, narrow = (
        run(("report", made, *options), made.parent, COLUMNS=str(columns)).stdout for columns in (200, width)
    )
    joined = re.sub(r"\s*\n\s*", "", narrow)  # on the narrowest, a number is broken as words are
    assert set(tokens(wide)) <= {*tokens(narrow), *tokens(joined)}
    assert len(tokens(narrow)) >= len(tokens(wide))
    assert "…" not in narrow


def test_the_examples_on_a_narrow_terminal(tmp_path: Path) -> None:
    wide, narrow = (run(("grids",), tmp_path, COLUMNS=str(columns)).stdout for columns in (200, 30))
    assert set(tokens(wide)) <= {*tokens(narrow)}
    assert "…" not in narrow


def test_a_plan_says_what_happened_and_a_report_that_a_run_is_writing(tmp_path: Path) -> None:
    content = planned({"arch": ["echo"], "len": [2], "mem": [8], "seed": [0, 1, 2]})
    done, damaged, failed = trials_of(content)
    results, failures = synthetic_results([done, damaged]), [failure_of(failed)]
    ledger = write_sweep(tmp_path / "results" / "s", content, results, failures)
    ledger.paths.table("curves", damaged.trial_id).unlink()
    (tmp_path / "s.yaml").write_text("grid: {arch: echo, len: 2, mem: 8, seed: 0..2}\n")
    said = " ".join(run(("plan", "s.yaml"), tmp_path).stdout.split())
    assert "Files of 1 finished trial are damaged or lost: it is trained again;" in said
    assert "1 trial to train failed last time; `raysweep show` says why." in said
    ledger.paths.table("trials", damaged.trial_id).unlink()
    assert run(("report", "results/s"), tmp_path).stderr == ""
    with ledger.open_for_writing():
        words = f"A run is writing here: process {os.getpid()} on host"
        assert run(("report", "results/s"), tmp_path).stderr.startswith(words)


def test_a_grid_in_shared_memory_is_a_file() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        (Path(folder) / "shared.yaml").write_text("grid: {arch: echo, len: 2, mem: 8}\n")
        assert "shared: 1 trial, 0 done" in run(("plan", f"{folder}/shared.yaml"), Path(folder)).stdout


@pytest.mark.parametrize("grid", ["lengths", "networks"])
def test_a_plan_at_every_width(grid: str) -> None:
    path = Path(__file__).parents[2] / "grids" / f"{grid}.yaml"
    asked = read_grid(path, sets=("seed=0..2",))
    ahead = forecast(asked, (), RuntimeEstimate(), StateIndex({}))
    view = plan_view(asked, ahead, 2)
    numbers = sorted(tokens(drawn(view, 200)))
    for width in range(24, 110):
        assert sorted(tokens(drawn(view, width))) == numbers, width


@pytest.mark.parametrize("width", [30, 20])
def test_a_plan_a_trial_and_a_comparison_on_a_narrow_terminal(made: Path, tmp_path: Path, width: int) -> None:
    grid = Path(__file__).parents[2] / "grids" / "lengths.yaml"
    trial = min(Ledger(made).committed())
    for arguments in (("plan", grid), ("show", made, trial), ("compare", made, made)):
        wide, narrow = (run(arguments, tmp_path, COLUMNS=str(columns)).stdout for columns in (200, width))
        assert "…" not in narrow
        assert max(map(len, narrow.splitlines())) <= width
        if arguments[0] == "compare":  # in which the heads of rows are repeated
            assert set(tokens(wide)) <= set(tokens(narrow))
        else:
            assert digits(wide) == digits(narrow), arguments


def tokens(text: str) -> list[str]:
    return re.findall(r"[\d,]*\.?\d+", text)


def digits(text: str) -> str:
    return "".join(re.findall(r"\d", text))


def test_a_grid_from_standard_input_and_from_a_pipe(tmp_path: Path) -> None:
    grid = "grid: {arch: echo, len: 2, mem: 8}\n"
    named = f"name: piped\n{grid}"
    assert "piped: 1 trial, 0 done" in run(("plan", "-"), tmp_path, text=named).stdout
    assert "given: 1 trial, 0 done" in run(("plan", "-", "--name", "given"), tmp_path, text=grid).stdout
    assert "piped: 1 trial, 0 done" in run(("plan", "/dev/stdin"), tmp_path, text=named).stdout
    asks = "1: name: missing, and a pipe has no file name to take it from; write a name, or give --name\n"
    for path, shown in (("-", "standard input"), ("/dev/stdin", "/dev/stdin"), ("/dev/fd/0", "/dev/fd/0")):
        for command in ("plan", "run"):
            done = run((command, path), tmp_path, text=grid)
            assert done.returncode == 2
            assert done.stderr == f"{shown}:{asks}1 error, nothing was started\n"
    with (tmp_path / "grid.yaml").open("w+") as file:  # not a pipe, but its name is not the grid's
        file.write(grid)
        file.seek(0)
        line = [str(RAYSWEEP), "plan", "/dev/stdin"]
        done = subprocess.run(line, stdin=file, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert asks in done.stderr
    for text, what in (
        ("", "the file is empty"),
        ("name: [", "the file ends before"),
        ("\tx", "not valid YAML"),
    ):
        done = run(("plan", "-"), tmp_path, text=text)
        assert done.stderr.startswith("standard input:")
        assert what in done.stderr
    bash = ["bash", "-c", f'"{RAYSWEEP}" plan <(printf "%s" "$0")', named]
    done = subprocess.run(bash, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "piped: 1 trial, 0 done" in done.stdout
    closed = subprocess.run(
        ["sh", "-c", f'exec "{RAYSWEEP}" plan - <&-'], capture_output=True, text=True, check=False
    )
    assert "the file is empty" in closed.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"grid.yaml"}


def test_networks_of_a_grid_from_a_pipe_are_relative_to_the_current_folder(tmp_path: Path) -> None:
    grid = "name: x\nnetworks: nets.py\ngrid: {arch: own, len: 2, mem: 8}\n"
    assert f"no file {tmp_path}/nets.py" in run(("plan", "-"), tmp_path, text=grid).stderr
    (tmp_path / "nets.py").write_text("def own(*, n_in, n_out, vocab, mem, batch_size): ...\n")
    assert "x: 1 trial, 0 done" in run(("plan", "-"), tmp_path, text=grid).stdout


@pytest.mark.parametrize("arguments", [("report", "RESULTS", "--watch")])
def test_forced_colours_make_no_terminal(made: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    line = [made if one == "RESULTS" else one for one in arguments]
    done = run(line, tmp_path, FORCE_COLOR="1", TTY_COMPATIBLE="1", TTY_INTERACTIVE="1")
    assert done.returncode == 2
    assert "--watch renews the report on a terminal, and this is none" in done.stderr
    report = run(("report", made), tmp_path, FORCE_COLOR="1")
    assert "\x1b[" in report.stdout
    assert CURSOR.findall(report.stdout) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "ray://host:10001", "localhost", "head"])
def test_other_addresses_are_refused_before_anything_is_made(tmp_path: Path, address: str) -> None:
    done = run(("run", "-", "--address", address), tmp_path, text=ONE)
    assert done.returncode == 2
    assert done.stderr.startswith(f"--address {address}: ")
    assert "give host:port of the cluster's control store" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_still_drawn_on() -> None:
    """What FORCE_COLOR must not change: a real terminal is one."""
    from rich.console import Console

    from raysweep.report.reflow import draws_in_place

    _, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as file:
        assert draws_in_place(Console(file=file, force_terminal=True, _environ={"TERM": "xterm"}))
        assert not draws_in_place(Console(file=file, force_terminal=True, _environ={"TERM": "dumb"}))
    with Path(os.devnull).open("w") as file:
        assert not draws_in_place(Console(file=file, _environ={"FORCE_COLOR": "1", "TERM": "xterm"}))


def test_every_message_that_mentions_a_log_says_where_it_is() -> None:
    for path in Path(raysweep.__file__).parent.rglob("*.py"):
        source = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for text in re.findall(r'"[^"\n]*"', source):
            assert not re.search(r"\b(the|its|a) log\b(?! of)", text), (path.name, text)
