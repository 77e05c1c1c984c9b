"""The manual clock moves only when told to, and its waits end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotewell.protocols import Clock
from quotewell.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1000.0, monotonic=10.0)


def times(clock: Clock) -> tuple[float, float]:
    return clock.now(), clock.monotonic()


def advance_while_others_wait(clock: ManualClock, condition: threading.Condition, seconds: float) -> None:
    with condition:
        clock.advance(seconds)


def test_it_stands_still(clock: ManualClock) -> None:
    assert times(clock) == (1000.0, 10.0)
    assert times(clock) == (1000.0, 10.0)


def test_advance_moves_both_times(clock: ManualClock) -> None:
    clock.advance(5.0)
    assert times(clock) == (1005.0, 15.0)


def test_monotonic_time_never_goes_back(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="cannot go back by 1"):
        clock.advance(-1.0)
    assert times(clock) == (1000.0, 10.0)


@pytest.mark.parametrize("wall", [10.0, 5000.0])
def test_set_wall_moves_the_wall_time_only(clock: ManualClock, wall: float) -> None:
    clock.set_wall(wall)
    assert times(clock) == (wall, 10.0)


def test_sleep_moves_the_clock_and_does_not_block(clock: ManualClock) -> None:
    began = time.monotonic()
    clock.sleep(3600.0)
    clock.sleep(-1.0)
    assert times(clock) == (4600.0, 3610.0)
    assert time.monotonic() - began < 1.0


def test_a_wait_that_nobody_ends_moves_the_clock_to_its_end(clock: ManualClock) -> None:
    condition = threading.Condition()
    began = time.monotonic()
    with condition:
        assert clock.wait(condition, 30.0) is False
    assert times(clock) == (1030.0, 40.0)
    assert 0.02 < time.monotonic() - began < 5.0, "it gave other threads a moment, and no more"


def test_a_wait_without_limit_returns_and_moves_nothing(clock: ManualClock) -> None:
    condition = threading.Condition()
    with condition:
        assert clock.wait(condition, None) is False
    assert times(clock) == (1000.0, 10.0)


@pytest.mark.parametrize("seconds", [30.0, None])
def test_a_notified_wait_moves_nothing(seconds: float | None) -> None:
    clock = ManualClock(patience=30.0)
    before = times(clock)
    condition = threading.Condition()
    entered = threading.Event()

    def notify() -> None:
        entered.wait()
        with condition:
            condition.notify()

    with ThreadPoolExecutor(1) as pool, condition:
        pool.submit(notify)
        entered.set()
        assert clock.wait(condition, seconds) is True
    assert times(clock) == before


def test_a_wait_that_others_have_moved_the_clock_past_does_not_move_it_again(clock: ManualClock) -> None:
    condition = threading.Condition()

    with ThreadPoolExecutor(1) as pool, condition:
        pool.submit(advance_while_others_wait, clock, condition, 31.0)
        assert clock.wait(condition, 30.0) is False
    assert times(clock) == (1031.0, 41.0), "not moved a second time"


def test_a_wait_moves_the_clock_by_what_others_have_left_of_it(clock: ManualClock) -> None:
    condition = threading.Condition()
    with ThreadPoolExecutor(1) as pool, condition:
        moved = pool.submit(advance_while_others_wait, clock, condition, 10.0)
        assert clock.wait(condition, 30.0) is False
    moved.result()
    assert times(clock) == (1030.0, 40.0)


def test_two_waits_at_once_move_the_clock_once(clock: ManualClock) -> None:
    gate = threading.Barrier(2)

    def wait() -> bool:
        condition = threading.Condition()
        with condition:
            gate.wait()
            return clock.wait(condition, 30.0)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(wait) for _ in range(2)]
    assert [future.result() for future in futures] == [False, False]
    assert clock.monotonic() == pytest.approx(40.0)


def test_advances_of_many_threads_add_up(clock: ManualClock) -> None:
    def advance(_: int) -> None:
        for _ in range(500):
            clock.advance(1.0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(advance, range(4)))
    assert times(clock) == (3000.0, 2010.0)
