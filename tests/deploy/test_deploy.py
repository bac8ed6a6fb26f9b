"""The Containerfile and the RayJob, as far as a machine without a registry and a cluster allows."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.command import RAYSWEEP, write_grid
from tests.docs.pages import ROOT
from tests.faults.hosts import own_cluster
from tests.faults.sandbox import Sandbox

CONTAINERFILE = ROOT / "deploy" / "Containerfile"
RAYJOB = ROOT / "deploy" / "rayjob.yaml"


def steps(kind: str) -> list[str]:
    """The arguments of the Containerfile's instructions of one kind."""
    return re.findall(rf"^{kind} (.*)$", CONTAINERFILE.read_text(), re.MULTILINE)


def entry_point() -> list[str]:
    (words,) = steps("ENTRYPOINT")
    found: list[str] = json.loads(words)
    return found


def test_the_dependencies_are_installed_as_by_make() -> None:
    lock, _ = (set(shlex.split(step)) for step in steps("RUN"))
    assert lock - {"--no-cache-dir"} < set((ROOT / "Makefile").read_text().split()) | {"pip"}


def test_the_package_can_be_built_from_what_is_copied(tmp_path: Path) -> None:
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    source.mkdir()
    for step in steps("COPY"):
        *names, to = step.split()
        for name in names:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, source / to, ignore=ignored)
            else:
                shutil.copy(ROOT / name, source / to)
    _, package = (shlex.split(step) for step in steps("RUN"))
    assert package[:2] == ["pip", "install"]
    options = [word for word in package[2:] if word != "."]
    build = [sys.executable, "-m", "pip", "wheel", *options, "--no-index", "--wheel-dir", str(wheels), "."]
    subprocess.run(build, cwd=source, check=True)
    (wheel,) = wheels.iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    assert "raysweep/driver/keeper.py" in names
    assert any(name.endswith("entry_points.txt") for name in names)


def test_the_images_are_of_supported_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = CONTAINERFILE.read_text()
    assert re.findall(r"rayproject/ray:([\d.]+)-", text) == [version("ray")]
    assert "python:3.12-slim" in text
    assert project["requires-python"] == ">=3.11,<3.14"
    assert manifest()["spec"]["rayClusterSpec"]["rayVersion"] == version("ray")


needs_namespaces = pytest.mark.skipif(
    subprocess.run(["unshare", "-pf", "true"], capture_output=True, check=False).returncode != 0,
    reason="no process namespace can be made here",
)


@needs_namespaces
@pytest.mark.e2e
@pytest.mark.parametrize("after_s", [0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.2, 0.4, 0.7, 1.0])
def test_docker_stop_in_the_first_second_ends_the_command_with_143(tmp_path: Path, after_s: float) -> None:
    write_grid(tmp_path)
    command = [*entry_point(), "run", "tiny.yaml", "--plain"]
    env = {**os.environ, "PATH": f"{RAYSWEEP.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    container = subprocess.Popen(
        ["unshare", "-pf", "--mount-proc", *command],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    comm = Path()
    end = time.monotonic() + 20
    while not comm.is_file() or comm.read_text().strip() == "unshare":  # it has not become `env` yet
        assert time.monotonic() < end
        comm = Path(f"/proc/{children.read_text().strip() or 'none'}/comm")
    time.sleep(after_s)
    os.kill(int(comm.parent.name), signal.SIGTERM)
    _, err = container.communicate(timeout=30)
    assert container.returncode == 143, err
    assert "Continue with: raysweep run tiny.yaml --plain" in err


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(RAYJOB.read_text())
    return found


OBJECT: dict[str, Any] = {}
"""Stands for an object of free keys."""

CONTAINER: dict[str, Any] = {
    "name": str,
    "image": str,
    "resources": {"limits": {"cpu": str, "memory": str}},
    "volumeMounts": [{"name": str, "mountPath": str}],
}
POD: dict[str, Any] = {
    "spec": {
        "securityContext": {"fsGroup": int},
        "containers": [CONTAINER],
        "volumes": [
            {"name": str, "configMap": {"name": str}, "persistentVolumeClaim": {"claimName": str}},
        ],
    }
}
RAY_JOB: dict[str, Any] = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "entrypoint": str,
        "backoffLimit": int,
        "shutdownAfterJobFinishes": bool,
        "rayClusterSpec": {
            "rayVersion": str,
            "authOptions": {"mode": str},
            "headGroupSpec": {"rayStartParams": OBJECT, "template": POD},
            "workerGroupSpecs": [
                {
                    "groupName": str,
                    "replicas": int,
                    "minReplicas": int,
                    "maxReplicas": int,
                    "rayStartParams": OBJECT,
                    "template": POD,
                }
            ],
        },
    },
}
"""The fields that the manifest uses, and their types, as read in KubeRay's API reference (v1.5 to 1.7)."""


def unknown(value: Any, schema: Any, path: str = "") -> list[str]:
    """Name what a schema does not allow."""
    if isinstance(schema, type):
        return [] if type(value) is schema else [f"{path}: {value!r} is no {schema.__name__}"]
    if isinstance(schema, list):
        return [problem for one in value for problem in unknown(one, schema[0], f"{path}[]")]
    if schema is OBJECT:
        return unknown_strings(value, path)
    problems = [f"{path}.{key}" for key in value.keys() - schema.keys()]
    known = value.keys() & schema.keys()
    return problems + [p for key in known for p in unknown(value[key], schema[key], f"{path}.{key}")]


def unknown_strings(value: dict[str, Any], path: str) -> list[str]:
    """Name values that are no strings."""
    return [f"{path}.{key}" for key, one in value.items() if not isinstance(one, str)]


def test_every_field_of_the_manifest_is_one_of_kuberays() -> None:
    job = manifest()
    assert unknown(job, RAY_JOB) == []
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        mounts = {m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])}
        assert volumes == mounts
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert cluster["authOptions"] == {"mode": "token"}


@pytest.mark.fault
@pytest.mark.ray
@pytest.mark.slow
def test_the_entry_point_of_the_job_finds_its_cluster(tmp_path: Path) -> None:
    """With the variables that `ray job submit` sets, and a head without a slot."""
    job = manifest()["spec"]
    command = shlex.split(job["entrypoint"])
    sandbox = Sandbox(tmp_path)
    places = {"/grid/grid.yaml": str(sandbox.grid), "/results": str(tmp_path / "results")}
    arguments = [places.get(word, word) for word in command[1:]]
    try:
        with own_cluster(sandbox) as address:
            env = {**sandbox.environment(), "RAY_ADDRESS": address}
            env["RAY_AUTH_TOKEN"] = Path(env.pop("RAY_AUTH_TOKEN_PATH")).read_text()
            env["RAY_JOB_CONFIG_JSON_ENV_VAR"] = json.dumps(
                {"runtime_env": {}, "metadata": {"job_submission_id": "raysweep-abc"}}
            )
            done = subprocess.run(
                [RAYSWEEP, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr + sandbox.log
            assert len(sandbox.ledger.committed()) == 6
    finally:
        sandbox.close()
