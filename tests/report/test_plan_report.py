import io
from pathlib import Path

from rich.console import Console

from raysweep.analysis.forecast import forecast
from raysweep.grid import Grid, grid_from_content, read_grid
from raysweep.report.plan_report import plan_view
from raysweep.trial.cost import Measured, RuntimeEstimate, assumed_seconds
from raysweep.trial.state_index import StateIndex
from tests.sweeps import drawn

GRIDS = Path(__file__).parents[2] / "grids"


def plan(grid: Grid, done: int = 0, cpus: int = 2) -> str:
    """Print a plan at 80 columns without colour, its first trials done at half the assumed speed.

    A line break comes first and blanks at the lines' ends are left out, as in the goldens below.
    """
    finished = grid.trials[:done]
    estimate = RuntimeEstimate(Measured(trial, 2 * assumed_seconds(trial)) for trial in finished)
    file = io.StringIO()
    console = Console(file=file, width=80, color_system=None)
    ahead = forecast(grid, {trial.trial_id for trial in finished}, estimate, StateIndex({}))
    console.print(plan_view(grid, ahead, cpus))
    printed = file.getvalue().splitlines()
    assert all(len(line) <= 80 for line in printed)
    return "\n" + "".join(f"{line.rstrip()}\n" for line in printed)


def grid_of(*blocks, **sections) -> Grid:
    return grid_from_content({"name": "asked", "grid": list(blocks), **sections}, source="test")


def test_a_fresh_plan():
    assert (
        plan(read_grid(GRIDS / "lengths.yaml"))
        == """
lengths: 56 trials, 0 done, 56 to train, about 5 min on 2 cores (pace assumed)

  arch     len   mem               epochs  trials  done  to train   core time
  echo     2..8  16, 50, 150, 300     500      28     0        28        53 s
  seq2seq  2..8  16, 50, 150, 300   5,000      28     0        28  9 min 17 s
"""
    )


def test_a_plan_under_way():
    assert (
        plan(read_grid(GRIDS / "lengths.yaml"), done=31)
        == """
lengths: 56 trials, 31 done, 25 to train, about 9 min on 2 cores (pace measured
on 31 trials)

  arch     len   mem               epochs  trials  done  to train   core time
  echo     2..8  16, 50, 150, 300     500      28    28         0           –
  seq2seq  2..8  16, 50, 150, 300   5,000      28     3        25  18 min 2 s
"""
    )


def test_a_plan_of_a_part_and_of_what_other_sweeps_have():
    grid = read_grid(GRIDS / "lengths.yaml", sets=["epochs=100"], only=["arch=echo"])
    reusable = [trial.trial_id for trial in grid.trials[:8]]
    done = [trial.trial_id for trial in grid.trials[8:20]]
    ahead = forecast(grid, done, RuntimeEstimate(), StateIndex({}), reusable)
    lines = drawn(plan_view(grid, ahead, 2)).splitlines()
    assert lines[:2] == [
        "lengths: 56 trials, 12 done, 8 to take from other sweeps, 8 to train, 28 left ",
        "for later, about 10 s on 2 cores (pace assumed)",
    ]
    assert [line.split()[6:10] for line in lines[-2:]] == [["100", "28", "12", "8"], ["100", "28", "0", "0"]]
    nothing = forecast(grid, done, RuntimeEstimate(), StateIndex({}), [one.trial_id for one in grid.trials])
    assert drawn(plan_view(grid, nothing, 2)).splitlines()[:2] == [
        "lengths: 56 trials, 12 done, 16 to take from other sweeps, nothing to train, 28 ",
        "left for later",
    ]


def test_a_plan_that_is_done():
    assert (
        plan(read_grid(GRIDS / "longer.yaml"), done=42)
        == """
longer: 42 trials, 42 done, nothing to train

  arch     len   mem       seed  epochs  trials  done  to train  core time
  seq2seq  2..8  150, 300  0..2  20,000      42    42         0          –
"""
    )


def test_a_union_shows_no_combination_that_is_not_asked_for():
    assert (
        plan(read_grid(GRIDS / "notebook.yaml"), cpus=1)
        == """
notebook: 15 trials, 0 done, 15 to train, about 5 min on 1 core (pace assumed)

  arch     len  mem  seed  epochs  trials  done  to train  core time
  echo     6    16   0..4     500       5     0         5        4 s
  seq2seq  2    150  0..4   5,000       5     0         5       57 s
  seq2seq  4    300  0..4   5,000       5     0         5  4 min 8 s
"""
    )


def test_every_setting_that_differs_is_shown():
    grid = grid_of(
        {"arch": "seq2seq", "len": [2, 3, 4, 8], "mem": 16, "n_in": [8, 9], "learning_rate": [0.001, 1e-05]},
        {"arch": "echo", "len": 6, "mem": 16, "seed": [0, 1, 2, 4], "epochs": 1500},
        resources={"cpu": 2},
    )
    assert (
        plan(grid, cpus=8)
        == """
asked: 20 trials, 0 done, 20 to train, about 20 s on 8 cores (pace assumed)

  learning_rate 0.001
  arch     len      mem  seed    n_in  epochs  trials  done  to train  core time
  seq2seq  2..4, 8  16   0       8, 9   5,000       8     0         8       17 s
  echo     6        16   0..2,   6      1,500       4     0         4        6 s
                         4

  learning_rate 1e-05
  arch     len      mem  seed  n_in  epochs  trials  done  to train  core time
  seq2seq  2..4, 8  16   0     8, 9   5,000       8     0         8       17 s
"""
    )


def test_a_plan_without_trials_of_its_own_in_the_folder():
    grid, other = read_grid(GRIDS / "longer.yaml"), read_grid(GRIDS / "tutorial.yaml")
    file = io.StringIO()
    console = Console(file=file, width=80, color_system=None)
    ahead = forecast(grid, {trial.trial_id for trial in other.trials}, RuntimeEstimate(), StateIndex({}))
    console.print(plan_view(grid, ahead, 2))
    assert file.getvalue().startswith("longer: 42 trials, 0 done, 42 to train, about ")


def test_states_that_are_there_and_states_to_come_are_told():
    grid = grid_of({"arch": "seq2seq", "len": 2, "mem": 300, "epochs": [5000, 10000, 20000]}, keep_state=True)
    assert (
        plan(grid, done=1)
        == """
asked: 3 trials, 1 done, 2 to train, about 6 min on 2 cores (pace measured on 1
trial)

  arch     len  mem  epochs  trials  done  to train   core time
  seq2seq  2    300   5,000       1     1         0           –
  seq2seq  2    300  10,000       1     0         1  2 min 42 s
  seq2seq  2    300  20,000       1     0         1  2 min 42 s

  1 trial to train will go on from saved states, which saves 10,000 epochs.
  keep_state: the states of these trials take about 45 MB in states/.
  1 trial done without keep_state: a longer one starts from the beginning.
  epochs is an axis: the held-out curves of the longest trials show every
  smaller number of epochs, too (eval_every), so the shorter trials are not
  needed for that.
"""
    )


def test_a_plan_that_this_machine_cannot_run_promises_no_time():
    grid = grid_of({"arch": "echo", "len": 2, "mem": 4}, resources={"cpu": 8, "gpu": 0.5})
    assert "asked: 1 trial, 0 done, 1 to train, but not here" in plan(grid, cpus=2)
    assert "a trial asks for 8 cores and 0.5 GPUs, this run has 2 cores and 0 GPUs" in plan(grid).replace(
        "\n", " "
    )
