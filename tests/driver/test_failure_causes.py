"""What an error of Ray's means: the kind of failure, one line, and whom a lost controller is blamed on."""

from typing import Any

import pytest

pytestmark = pytest.mark.ray


def explain(error: Exception, *, out_of_memory: bool = False) -> Any:
    from raysweep.driver.failure_causes import explain

    return explain(error, out_of_memory=out_of_memory)


def task_error(cause: Exception) -> Exception:
    from ray.exceptions import RayTaskError

    return RayTaskError("step", "Traceback: \x1b[36mray::Worker.step()\x1b[39m", cause)


@pytest.mark.parametrize("out_of_memory", [False, True])
def test_an_exception_of_a_worker_is_named_with_its_first_line(out_of_memory: bool) -> None:
    error = task_error(ValueError("no \x1b[31muse\nat all"))
    found = explain(error, out_of_memory=out_of_memory)
    assert (found.kind, found.message) == ("error", "ValueError: no use")
    assert "ray::Worker.step()" in found.traceback
    assert "\x1b" not in found.traceback
    assert "[36m" not in found.traceback


def test_an_exception_without_a_message_is_named_alone() -> None:
    assert explain(task_error(KeyboardInterrupt())).message == "KeyboardInterrupt"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "out_of_memory", "kind", "message"),
    [
        ("The actor died unexpectedly.", False, "worker_lost", "its process died"),
        ("The actor died because its node has died.", False, "worker_lost", "its host was lost"),
        ("The actor died because its node has died.", True, "worker_lost", "its host was lost"),
        (
            "The actor died unexpectedly.",
            True,
            "memory",
            "the kernel ended its process: this container's memory is used up",
        ),
    ],
)
def test_an_actor_that_died(cause: str, out_of_memory: bool, kind: str, message: str) -> None:
    from ray.core.generated.common_pb2 import ActorDiedErrorContext  # type: ignore[attr-defined]  # generated
    from ray.exceptions import ActorDiedError

    context = ActorDiedErrorContext(error_message=cause, actor_id=bytes(16))
    found = explain(ActorDiedError(context), out_of_memory=out_of_memory)
    assert (found.kind, found.message) == (kind, message)


def test_an_actor_that_does_not_answer() -> None:
    from ray.exceptions import ActorUnavailableError

    found = explain(ActorUnavailableError("no answer", None), out_of_memory=True)
    assert (found.kind, found.message) == ("worker_lost", "its host does not answer")


RUNNING = {"t0": "aaaa", "t1": "bbbb", "t2": ""}


@pytest.mark.parametrize(
    ("reason", "trials", "kind"),
    [
        ("low on memory; actor bbbb was killed", {"t1"}, "memory"),
        ("actor aaaa and actor bbbb", {"t0", "t1"}, "worker_lost"),
        ("lost its head", {"t0", "t1", "t2"}, "worker_lost"),
    ],
)
def test_a_lost_controller_is_blamed_on_those_that_it_names_or_on_all(
    reason: str, trials: set[str], kind: str
) -> None:
    from raysweep.driver.failure_causes import blamed

    found = blamed(reason, RUNNING)
    assert found.keys() == trials
    assert {cause.kind for cause in found.values()} == {kind}
    assert blamed(reason, {}) == {}
