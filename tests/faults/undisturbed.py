"""The check that ends every fault: the results are those of a run that nothing disturbed, byte for byte."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.command import raysweep, tables
from tests.faults.sandbox import Sandbox, wait_for, wait_until_gone

PERMANENT = {"sweep.json", "run.log", "trials", "predictions", "curves"}
"""What a results folder holds after a run in which everything succeeded, empty folders left out."""

KEEP_STATE = "keep_state: true\n"

FOLDER_GONE_S = 10.0
ORPHANS_GONE_S = 60.0


@cache
def undisturbed(grid: str) -> dict[str, bytes]:
    """Predictions and curves of a grid, by name; trained once a session, each trial from the start."""
    with TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), grid)
        try:
            done = sandbox.run()
            assert done.returncode == 0, done.stderr + sandbox.log
            return tables(sandbox.results)
        finally:
            sandbox.close()


def check_undisturbed(sandbox: Sandbox, *, rerun: bool = True) -> None:
    """Run once more, and compare everything with an undisturbed run.

    Args:
        sandbox: after the fault; nothing of it runs any more.
        rerun: whether the command must still be run once more.
    """
    if rerun:
        done = sandbox.run()
        assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
    grid = sandbox.grid.read_text()
    expected = undisturbed(grid.replace(KEEP_STATE, ""))
    found = tables(sandbox.results)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert {p.stem for p in (sandbox.results / "trials").iterdir()} == {Path(n).stem for n in expected}
    verified = raysweep("verify", sandbox.results, cwd=sandbox.folder, env=sandbox.env)
    assert verified.returncode == 0, verified.stdout
    left = {p.name for p in sandbox.results.iterdir() if p.is_file() or any(p.iterdir())}
    assert left - {"damaged"} == PERMANENT | ({"states"} if KEEP_STATE in grid else set())
    check_nothing_left(sandbox)


def check_nothing_left(sandbox: Sandbox) -> None:
    """No process, and nothing in the temporary folder, which the guard of a run that is left clears."""
    wait_until_gone(sandbox, ORPHANS_GONE_S)
    wait_for(lambda: not any(sandbox.temporary.iterdir()), FOLDER_GONE_S)
