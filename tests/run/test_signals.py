"""Which signals wait for an end in order, and which exit at once."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from raysweep.run.signals import ENDING, Signals

EXIT_CODES = {
    signal.SIGINT: 130,
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGUSR1: 143,
    signal.SIGUSR2: 143,
}


@pytest.fixture
def left() -> list[int]:
    """The exit codes with which the process would have been left."""
    return []


@pytest.fixture
def signals(left: list[int]) -> Iterator[Signals]:
    before = {signum: signal.getsignal(signum) for signum in ENDING}
    signals = Signals()
    signals.leave = left.append
    signals.install()
    yield signals
    signals.stop_waiting()
    signal.set_wakeup_fd(-1)
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize(("signum", "exit_code"), EXIT_CODES.items())
def test_before_the_training_a_first_signal_exits_at_once(
    signals: Signals, left: list[int], signum: int, exit_code: int
) -> None:
    assert not signals.wait(0)
    os.kill(os.getpid(), signum)
    assert left == [exit_code]
    assert signals.wait(0)


def test_during_the_training_only_a_second_one_does(signals: Signals, left: list[int]) -> None:
    signals.orderly = True
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.pending
    assert left == []
    os.kill(os.getpid(), signal.SIGINT)
    assert left == [143]  # the code of the first


def test_an_end_in_order_that_takes_too_long_is_cut_short(
    signals: Signals, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysweep.run.signals.GRACE_S", 0.05)
    signals.orderly = True
    os.kill(os.getpid(), signal.SIGINT)
    timer = signals._deadline
    assert timer is not None
    timer.join(timeout=10)
    assert left == [130]


def test_an_end_in_order_in_time_is_not(signals: Signals, left: list[int]) -> None:
    signals.orderly = True
    os.kill(os.getpid(), signal.SIGINT)
    signals.stop_waiting()
    timer = signals._deadline
    assert timer is not None
    timer.join(timeout=10)
    assert left == []


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_what_nohup_or_trap_ignores_stays_ignored(left: list[int], ignored: signal.Signals) -> None:
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in ENDING}
    try:
        signals = Signals()
        signals.leave = left.append
        signals.install()
        os.kill(os.getpid(), ignored)
        assert not signals.pending
        os.kill(os.getpid(), signal.SIGINT)  # which a shell ignores for what runs in the background
        assert left == [130]
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def test_a_flood_of_signals_is_one(signals: Signals, left: list[int]) -> None:
    for _ in range(70_000):  # more than the pipe takes
        os.kill(os.getpid(), signal.SIGTERM)
    assert set(left) == {143}
    assert signals.wait(0)


def test_a_signal_that_comes_to_another_thread_wakes_the_main_one(signals: Signals) -> None:
    signals.orderly = True
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    sender = threading.Timer(0.2, lambda: signal.pthread_kill(other.ident or 0, signal.SIGTERM))
    began = time.monotonic()
    sender.start()
    assert signals.wait(20)
    assert time.monotonic() - began < 10
    over.set()
    other.join()
