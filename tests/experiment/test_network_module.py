"""A networks file, executed from memory."""

import inspect
import pickle
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

import raysweep
from raysweep.errors import NetworkError, UsageError
from raysweep.experiment import SourcedNetwork
from raysweep.experiment.keras_session import KerasSession
from raysweep.trial.network import NetworkSource
from raysweep.trial.settings import TrialSettings

FILE = "/no/such/folder/networks.py"

SOURCE = """
from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import keras
from keras import layers


@dataclass
class Sizes:
    mem: int
    more: list[int] = field(default_factory=list)


@keras.saving.register_keras_serializable("tests")
class Doubles(layers.Layer):
    def call(self, hidden):
        return 2 * hidden


def gru(*, n_in, n_out, vocab, mem, batch_size, fail=False):
    sizes = pickle.loads(pickle.dumps(Sizes(mem)))
    if fail:
        raise ValueError(f"sizes {sizes}")  # the line that is sought
    window = keras.Input(batch_shape=(batch_size, n_in, vocab))
    hidden = Doubles()(layers.GRU(sizes.mem, return_sequences=True, stateful=True)(window))
    return keras.Model(window, layers.Dense(vocab, activation="softmax")(hidden[:, :n_out]))
"""


def source(text: str, file: str = FILE) -> NetworkSource:
    return NetworkSource.of(file, dedent(text).encode())


def load_network(source: NetworkSource, arch: str) -> Callable[..., Any]:
    return SourcedNetwork(source, arch).function()


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Forget the modules of a test."""
    yield
    for name in [name for name in sys.modules if name.startswith("raysweep_networks_")]:
        del sys.modules[name]


def settings(function, **options) -> TrialSettings:
    return TrialSettings.of_network(
        function, len=2, n_in=3, mem=4, seed=0, epochs=3, eval_sequences=2, vocab=9, values=9, **options
    )


def test_a_function_of_a_file_that_is_not_here_is_trained() -> None:
    function = load_network(source(SOURCE), "gru")
    trial = settings(function)
    assert trial.network == source(SOURCE).sha256
    result = raysweep.run_trial(trial, network=function)
    assert (result.status, result.deterministic) == ("done", True)
    assert load_network(source(SOURCE), "gru") is not function  # executed for each trial


def test_what_the_file_defines_can_be_found_by_its_name() -> None:
    function = load_network(source(SOURCE), "gru")
    sizes = function.__globals__["Sizes"]
    assert pickle.loads(pickle.dumps(sizes(3))) == sizes(3)
    assert sys.modules[sizes.__module__].Sizes is sizes
    assert sys.modules[sizes.__module__].__file__ == FILE


def test_tracebacks_show_the_lines_of_a_file_that_is_not_here() -> None:
    function = load_network(source(SOURCE), "gru")
    line = 1 + SOURCE.splitlines().index(next(one for one in SOURCE.splitlines() if "is sought" in one))
    with pytest.raises(NetworkError) as caught:
        raysweep.run_trial(settings(function, fail=True), network=function)
    assert str(caught.value).startswith(f"{FILE}:{line}: gru failed: ValueError: sizes Sizes(mem=4")
    shown = "".join(traceback.format_exception(caught.value))
    assert f'File "{FILE}", line {line}, in gru' in shown
    assert "# the line that is sought" in shown
    assert "def gru(*, n_in" in inspect.getsource(function)


def test_two_versions_of_a_file_can_be_used_side_by_side() -> None:
    one, other = source("def net(*, mem):\n    return 1"), source("def net(*, mem):\n    return 2")
    functions = [load_network(each, "net") for each in (one, other, one)]
    assert [function(mem=1) for function in functions] == [1, 2, 1]
    trial = settings(functions[0])
    with pytest.raises(UsageError, match=f"another version of {FILE}"):
        raysweep.build_model(trial, network=functions[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nraise OSError('no data')", ":2: the file cannot be executed: OSError: no data"),
        ("\n\nimport no_such_package", ":3: the file cannot be executed: ModuleNotFoundError: No module"),
        ("def helper():\n    1 / 0\n\nhelper()", ":2: the file cannot be executed: ZeroDivisionError"),
        ("import sys\nsys.exit(1)", ":2: the file cannot be executed: it calls exit; remove that"),
        ("raise SystemExit", ":1: the file cannot be executed: it calls exit; remove that"),
        ("x = 1\nreturn", "line 2"),  # which `ast` parses
        ("def net(*, mem): pass\nnet = None", ":1: net: the file uses this name for something else, too"),
        ("def net(*, mem): pass\ndel net", ":1: net: the file uses this name for something else, too"),
    ],
)
def test_a_file_that_cannot_be_executed_is_one_error_each_time(text: str, said: str) -> None:
    for _ in range(2):
        with pytest.raises(NetworkError) as caught:
            load_network(source(text), "net")
        assert str(caught.value).startswith(FILE)
        assert said in str(caught.value)


def test_another_attempt_after_a_lack_of_memory_executes_the_whole_file() -> None:
    text = """
        import builtins
        builtins.attempts = getattr(builtins, "attempts", 0) + 1
        if builtins.attempts == 1:
            raise MemoryError

        def net(*, mem):
            return mem
        """
    try:
        with pytest.raises(MemoryError):
            load_network(source(text), "net")
        assert load_network(source(text), "net")(mem=3) == 3
    finally:
        del __import__("builtins").attempts


def test_a_name_that_is_no_plain_function_at_last_is_an_error() -> None:
    text = """
        from functools import partial

        def net(*, mem, width=3):
            return None

        net = partial(net, width=4)
        """
    trial = TrialSettings(arch="net", len=2, mem=3, seed=0, network=source(text).sha256)
    with pytest.raises((NetworkError, UsageError)):
        raysweep.build_model(trial, network=load_network(source(text), "net"))


DRAWN = """
import random

import numpy as np

CONSTANTS = [random.random(), *np.random.rand(2)]


def net(*, mem):
    return CONSTANTS
"""


def drawn(seed: int) -> list[float]:
    """What the file draws when it is executed for a trial of a seed."""
    with KerasSession(seed).use():
        constants: list[float] = load_network(source(DRAWN), "net")(mem=1)
    return constants


def test_constants_of_a_file_follow_from_the_seed() -> None:
    random.seed(1)
    first = drawn(seed=0)
    random.seed(2)
    assert drawn(seed=0) == first
    assert drawn(seed=1) != first


def test_a_file_leaves_the_users_random_numbers_alone() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    drawn(seed=0)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]  # noqa: NPY002
