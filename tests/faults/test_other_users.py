"""Results of other users, as in a folder that a group shares: what may not be read, written or locked."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raysweep.store.ledger import Ledger
from tests.faults.sandbox import NOBODY
from tests.faults.test_field_cases import ONE
from tests.faults.test_within_reach import run

pytestmark = pytest.mark.fault

READERS = (
    ("report", "lengths"),
    ("report", "lengths", "--json"),
    ("report", "lengths", "--html", "page.html"),
    ("show", "lengths", "echo"),
    ("verify", "lengths"),
    ("plot", "lengths", "-o", "figure.svg"),
    ("export", "lengths", "--tensorboard", "logs"),
    ("compare", "lengths", "lengths"),
    ("plan", "lengths.yaml", "--results-dir", "."),
    ("plan", "lengths.yaml", "--results-dir", "own", "--reuse", "lengths"),
)


@pytest.mark.parametrize("closed", ["lengths", "lengths/trials", "file"])
def test_results_that_cannot_be_read(
    made: Path, nobody: list[object], open_folder: Path, closed: str
) -> None:
    folder = open_folder / "lengths"
    shutil.copytree(made, folder)
    (open_folder / "lengths.yaml").write_text("grid: {arch: echo, len: 2, mem: 8}\n")
    path = min((folder / "trials").iterdir()) if closed == "file" else open_folder / closed
    path.chmod(0)
    for arguments in READERS:
        if closed == "file" and (arguments[0] == "show" or "--reuse" in arguments):
            continue  # of other trials
        done = run(arguments, open_folder, before=nobody)
        said = done.stdout + done.stderr
        assert done.returncode == (1 if arguments[0] == "verify" and closed == "file" else 3), (
            arguments,
            said,
        )
        assert f"{path.relative_to(open_folder)}: Permission denied; let this user read it" in said, said
        assert "--results-dir" not in said
        assert "MB free" not in said
        assert "Traceback" not in said
        assert said.count("\n") <= 3


def test_a_folder_on_the_way_that_cannot_be_entered(nobody: list[object], open_folder: Path) -> None:
    (open_folder / "way" / "lengths").mkdir(parents=True)
    (open_folder / "lengths.yaml").write_text("grid: {arch: echo, len: 2, mem: 8}\n")
    (open_folder / "way").chmod(0)
    for arguments in (("report", "way/lengths"), ("plan", "lengths.yaml", "--results-dir", "way")):
        done = run(arguments, open_folder, before=nobody)
        assert done.returncode == 3
        assert re.fullmatch(r"cannot read way: Permission denied; let .*\n", done.stderr), done.stderr


DONE = """
name: golden
keep_state: true
grid: {arch: echo, len: 2, mem: 8, seed: 0..1, epochs: 400}
defaults: {eval_sequences: 2, curve_every: 20, eval_every: 20}
"""
"""Two trials of the golden results: a run starts no process, which the other user could not."""


def test_what_another_user_may_not_read_is_no_damage(nobody: list[object], open_folder: Path) -> None:
    """States, the record and copies of networks files: named, and left where they are."""
    golden = Path(__file__).parents[1] / "store" / "golden" / "0.1.0"
    folder = open_folder / "golden"
    shutil.copytree(golden, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777)
    (open_folder / "one.yaml").write_text(DONE)
    state, copy = min((folder / "states").iterdir()), min((folder / "networks").iterdir())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for closed, commands in (
        (state, (("run", "one.yaml", "--results-dir", "."), ("plan", "one.yaml", "--results-dir", "."))),
        (folder / "sweep.json", (("run", "one.yaml", "--results-dir", "."), ("report", "golden", "--json"))),
        (folder / "networks", (("verify", "golden"), ("reproduce", "golden", "gru-len2-mem8-seed0-a"))),
    ):
        closed.chmod(0)
        for arguments in commands:
            done = run(arguments, open_folder, before=nobody, PYTHONHASHSEED="0")
            assert done.returncode == 3, (arguments, done.stdout + done.stderr)
            said = done.stderr.splitlines()[-1]
            words = re.match(
                r"cannot (?:read|open|list) (.*): Permission denied; let this user read it", said
            )
            assert words, done.stderr
            assert words[1].startswith(str(closed.relative_to(open_folder)))
        closed.chmod(0o777)
    copy.chmod(0)
    done = run(("verify", "golden"), open_folder, before=nobody)
    assert done.returncode == 1
    assert f"golden/networks/{copy.name}: Permission denied" in done.stdout + done.stderr
    copy.chmod(0o777)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_and_a_lock_that_others_may_not_write(nobody: list[object], open_folder: Path) -> None:
    (open_folder / "one.yaml").write_text(ONE)
    (open_folder / "one").mkdir()
    line = ("run", "one.yaml", "--results-dir", ".")
    done = run(line, open_folder, before=nobody)
    assert (done.returncode, done.stderr.partition(";")[0]) == (3, "cannot write to one: Permission denied")
    (open_folder / "one").chmod(0o777)
    (open_folder / "one" / ".lock").write_text("{}")
    (open_folder / "one" / ".lock").chmod(0o600)
    done = run(line, open_folder, before=nobody)
    assert done.returncode == 3
    assert (
        "one/.lock is another user's, and cannot be read; if no other raysweep process writes" in done.stderr
    )


SHARED = """
import sys
from pathlib import Path
from raysweep.store.ledger import Ledger
with Ledger(Path(sys.argv[1])).open_for_writing() as writer:
    with writer.open_log() as log:
        log.write(b"of this run")
"""


def test_a_folder_that_a_group_shares(nobody: list[object], open_folder: Path) -> None:
    """The log, and the lock of a run that was killed, of another user."""
    folder = open_folder / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    for name in ("run.log", ".lock"):
        (folder / name).write_text("of another user")
    dead = Ledger(folder)
    holder = '{"pid": 1, "host": "here", "boot": "an earlier one", "started": 1}'
    dead.paths.lock.write_text(holder.replace("here", os.uname().nodename))
    line = [*map(str, nobody), sys.executable, "-c", SHARED, str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "run.log").read_text() == "of this run"
    assert (folder / "run.log").stat().st_uid == NOBODY
    assert not dead.paths.lock.exists()


def test_a_lock_of_another_user_that_is_alive(nobody: list[object], open_folder: Path) -> None:
    folder = open_folder / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    line = [*map(str, nobody), sys.executable, "-c", SHARED, str(folder)]
    with Ledger(folder).open_for_writing():
        done = subprocess.run(line, capture_output=True, text=True, cwd="/", check=False)
    assert "LockedError" in done.stderr
    assert f"is being written by process {os.getpid()} on host" in done.stderr
