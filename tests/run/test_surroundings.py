"""What a driver finds around it, and limits that are too low for it."""

import os
import resource
import site
from pathlib import Path

import pytest

from raysweep.errors import SurroundingsError
from raysweep.run import surroundings
from raysweep.run.surroundings import driver_environment, require_limits

FOLDER = Path("/tmp/raysweep-0123abcd")


@pytest.mark.parametrize("private", [True, False])
def test_what_would_change_the_results_is_left_out(monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
    for name in ("RAY_TUNE_CALLBACKS", "RAY_RUNTIME_ENV_HOOK", "KERAS_HOME", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "1")
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.5")
    found = driver_environment(FOLDER, private=private)
    assert found.keys().isdisjoint(
        {"RAY_TUNE_CALLBACKS", "RAY_RUNTIME_ENV_HOOK", "KERAS_HOME", "PYTHONSTARTUP"}
    )
    assert found["KERAS_BACKEND"] == "tensorflow"
    assert found["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert found["RAY_memory_usage_threshold"] == "0.5"
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_paths_do_not_depend_on_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/opt/lib{os.pathsep}{os.pathsep}lib{os.pathsep}.")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "secrets/token")
    found = driver_environment(FOLDER, private=False)
    assert found["PYTHONPATH"] == "/opt/lib"
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
    with pytest.raises(SurroundingsError, match=r"limit of open files is 100, .* needs 116; .*ulimit -n 116"):
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
    limits(monkeypatch, RLIMIT_NPROC=(400, 400))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(surroundings, "num_tasks", lambda: 100)
    require_limits(2)
    monkeypatch.setattr(surroundings, "num_tasks", lambda: 200)
    with pytest.raises(
        SurroundingsError, match=r"is 400, 200 are in use, and a run needs 240 more.*ulimit -u"
    ):
        require_limits(2)
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # whom the kernel lets exceed it
    require_limits(2)
