"""What a driver finds around it, and limits that are too low for it."""

import os
import resource
import site
import sys
from pathlib import Path

import pytest

import raysweep
from raysweep.errors import SurroundingsError
from raysweep.run import surroundings
from raysweep.run.surroundings import driver_environment, require_limits

FOLDER = Path("/tmp/raysweep-0123abcd")


@pytest.mark.parametrize("private", [True, False])
def test_what_would_change_the_results_is_left_out(monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
    always = {"RAY_TUNE_CALLBACKS", "RAY_RUNTIME_ENV_HOOK", "KERAS_HOME", "TUNE_RESULT_DIR"}
    of_its_own = {"RAY_JOB_CONFIG_JSON_ENV_VAR", "RAY_OVERRIDE_RESOURCES", "RAY_REDIS_ADDRESS"}
    for name in always | of_its_own:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "1")
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.5")
    found = driver_environment(FOLDER, private=private)
    assert found.keys().isdisjoint(always)
    assert found.keys() & of_its_own == (set() if private else of_its_own)
    assert found["KERAS_BACKEND"] == "tensorflow"
    assert found["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert found["RAY_memory_usage_threshold"] == "0.5"
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_paths_do_not_depend_on_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/opt/lib{os.pathsep}{os.pathsep}lib{os.pathsep}.")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "secrets/token")
    found = driver_environment(FOLDER, private=False)
    assert found["PYTHONPATH"].split(os.pathsep)[-1] == "/opt/lib"
    assert "." not in found["PYTHONPATH"].split(os.pathsep)
    assert found["RAY_AUTH_TOKEN_PATH"] == str(Path.cwd() / "secrets" / "token")
    monkeypatch.setenv("PYTHONPATH", ".")
    assert "PYTHONPATH" not in driver_environment(FOLDER, private=False)


def test_home_and_temporary_folder_are_replaced_for_a_private_cluster_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("TMPDIR", "/scratch")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/home/me/token")
    private = driver_environment(FOLDER, private=True)
    assert {private[name] for name in ("HOME", "TMPDIR")} == {str(FOLDER)}
    assert private["RAY_AUTH_TOKEN_PATH"] == str(FOLDER / "token")
    shared = driver_environment(FOLDER, private=False)
    assert [shared[name] for name in ("HOME", "TMPDIR", "RAY_AUTH_TOKEN_PATH")] == [
        "/home/me",
        "/scratch",
        "/home/me/token",
    ]
    monkeypatch.delenv("HOME")
    assert driver_environment(FOLDER, private=False)["HOME"] == str(FOLDER)  # Ray needs one


def test_packages_of_the_user_are_found_without_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getuserbase", lambda: "/home/me/.local")
    assert driver_environment(FOLDER, private=True)["PYTHONUSERBASE"] == "/home/me/.local"


def limits(monkeypatch: pytest.MonkeyPatch, **values: tuple[int, int]) -> list[tuple[int, tuple[int, int]]]:
    """Give this process other limits, and return those that it sets."""
    known = {getattr(resource, name): value for name, value in values.items()}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    written: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: known.get(which, unlimited))
    monkeypatch.setattr(resource, "setrlimit", lambda which, value: written.append((which, value)))
    return written


def test_a_hard_limit_of_open_files_that_is_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, RLIMIT_NOFILE=(60, 100))
    with pytest.raises(
        SurroundingsError,
        match=r"needs 116 open files in a process, and the hard limit is 100; .*ulimit -H -n 116",
    ):
        require_limits(2)


@pytest.mark.parametrize(
    ("found", "raised"),
    [
        ((256, 4096), [4096]),
        ((1024, resource.RLIM_INFINITY), [65_536]),
        ((65_536, 65_536), []),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), []),
    ],
)
def test_a_soft_limit_of_open_files_is_raised(
    monkeypatch: pytest.MonkeyPatch, found: tuple[int, int], raised: list[int]
) -> None:
    written = limits(monkeypatch, RLIMIT_NOFILE=found)
    require_limits(2)
    assert written == [(resource.RLIMIT_NOFILE, (most, found[1])) for most in raised]


def test_a_limit_of_processes_that_is_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    written = limits(monkeypatch, RLIMIT_NPROC=(50, 400))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(surroundings, "group_tasks", lambda: None)
    monkeypatch.setattr(surroundings, "num_tasks", lambda: 100)
    require_limits(2)
    assert written == [(resource.RLIMIT_NPROC, (400, 400))]
    monkeypatch.setattr(surroundings, "num_tasks", lambda: 200)
    words = (
        r"2 trials at a time\) needs 240 more processes .*, and 200 of at most 400 are in use; .*ulimit -u"
    )
    with pytest.raises(SurroundingsError, match=words):
        require_limits(2)
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # whom the kernel lets exceed it
    require_limits(2)


def test_a_container_with_too_few_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker --pids-limit` sets it, for root too."""
    limits(monkeypatch)
    monkeypatch.setattr(surroundings, "group_tasks", lambda: (10, 200))
    with pytest.raises(
        SurroundingsError, match=r"and 10 of at most 200 are in use.*pids.max of this container"
    ):
        require_limits(1)
    monkeypatch.setattr(surroundings, "group_tasks", lambda: (10, 220))
    require_limits(1)


def test_the_driver_runs_the_raysweep_that_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = str(Path(raysweep.__file__).parents[1])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path, own])
    assert "PYTHONPATH" not in driver_environment(FOLDER, private=True)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != own])
    monkeypatch.setenv("PYTHONPATH", "/opt/lib")
    assert driver_environment(FOLDER, private=True)["PYTHONPATH"] == f"{own}{os.pathsep}/opt/lib"


def test_what_a_gpu_compiled_is_kept_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert driver_environment(FOLDER, private=True)["CUDA_CACHE_PATH"] == "/home/me/.nv/ComputeCache"
    monkeypatch.setenv("CUDA_CACHE_PATH", "/fast/cache")
    assert driver_environment(FOLDER, private=True)["CUDA_CACHE_PATH"] == "/fast/cache"
