"""The model is TensorFlow's in float32, whatever the environment or the user's keras.json say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIAL = "raysweep.TrialSettings(arch='seq2seq', len=2, mem=4, seed=0, epochs=3, eval_sequences=2)"

DESCRIBE = f"""
import hashlib, os, raysweep
settings = {TRIAL}
result = raysweep.run_trial(settings)
model = raysweep.build_model(settings)
import keras, numpy as np
window = np.eye(100)[np.arange(21 * 5).reshape(21, 5) % 99]
loss = model.train_on_batch(window, window[:, :2])
weights = b"".join(w.tobytes() for w in model.get_weights())
print(keras.backend.backend(), *{{w.dtype for w in model.weights}}, os.environ.get("KERAS_BACKEND"))
print(hashlib.sha256(weights + np.asarray(loss).tobytes()).hexdigest(), result.loss)
"""


def described(folder: Path, **environment: str) -> list[str]:
    values = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE], env=values, capture_output=True, text=True, timeout=120, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("plain")
    return described(folder, KERAS_HOME=str(folder))


@pytest.mark.parametrize(
    ("backend", "content"),
    [("torch", {}), (None, {"backend": "jax"}), (None, {"backend": "tensorflow", "floatx": "float64"})],
)
def test_the_backend_and_the_floats_of_the_user_change_nothing(
    tmp_path: Path, plain: list[str], backend: str | None, content: dict[str, str]
) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(content))
    asked = {} if backend is None else {"KERAS_BACKEND": backend}
    found = described(tmp_path, KERAS_HOME=str(tmp_path), **asked)
    assert found[0].split() == ["tensorflow", "float32", str(backend)]  # and the environment is as it was
    assert found[1:] == plain[1:]


@pytest.mark.parametrize(
    "script",
    [
        # Stands for Keras on jax, which is not installed here.
        "import types, sys; keras = types.ModuleType('keras'); sys.modules['keras'] = keras;"
        "keras.backend = types.SimpleNamespace(backend=lambda: 'jax')",
        "import tensorflow",
    ],
)
def test_keras_with_another_backend_is_one_clear_error(tmp_path: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport raysweep\nraysweep.build_model({TRIAL})"],
        env={**os.environ, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("raysweep.errors.UsageError: Keras was imported with the backend 'jax'")
    assert "set KERAS_BACKEND=tensorflow before the first import of keras or tensorflow" in last
