"""What every coordinator must do: leases, usage counts, statistics."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinators import COORDINATORS, DAY, NOON, WEEK, near
from quotewell.protocols import Coordinator
from quotewell.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=NOON)


@pytest.fixture(params=COORDINATORS)
def coordinator(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Coordinator]:
    coordinator = COORDINATORS[request.param](tmp_path, clock)
    yield coordinator
    coordinator.close()


# ----------------------------------------------------------------------------------------------- leases


def test_a_lease_is_held_by_one_token(coordinator: Coordinator) -> None:
    assert coordinator.lease(["a", "b"], "me", 30.0) == {"a", "b"}
    assert coordinator.lease(["b", "c"], "you", 30.0) == {"c"}
    assert coordinator.lease(["a", "c"], "me", 30.0) == {"a"}, "one's own lease is granted again"
    assert coordinator.lease([], "me", 30.0) == set()


def test_a_released_lease_is_free(coordinator: Coordinator) -> None:
    coordinator.lease(["a", "b"], "me", 30.0)
    coordinator.release(["a"], "me")
    coordinator.release(["b"], "you")
    coordinator.release(["never taken"], "me")
    coordinator.release([], "me")
    assert coordinator.lease(["a", "b"], "you", 30.0) == {"a"}


def test_a_lease_runs_out(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.lease(["a"], "me", 30.0)
    clock.advance(29.9)
    assert coordinator.lease(["a"], "you", 30.0) == set()
    clock.advance(0.1)
    assert coordinator.lease(["a"], "you", 30.0) == {"a"}
    assert coordinator.lease(["a"], "me", 30.0) == set()


def test_taking_a_lease_again_extends_it(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.lease(["a"], "me", 30.0)
    clock.advance(20.0)
    coordinator.lease(["a"], "me", 30.0)
    clock.advance(20.0)
    assert coordinator.lease(["a"], "you", 30.0) == set()


def test_renewal_extends_what_is_still_held(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.lease(["mine", "ended"], "me", 10.0)
    coordinator.lease(["yours"], "you", 60.0)
    clock.advance(5.0)
    assert coordinator.renew(["mine", "yours", "free"], "me", 30.0) == {"mine"}
    clock.advance(20.0)
    assert coordinator.lease(["mine"], "you", 10.0) == set()
    assert coordinator.renew(["ended"], "me", 10.0) == set(), "it has run out, even if nobody took it"
    assert coordinator.renew([], "me", 10.0) == set()


def test_a_lease_blocks_twice_its_length_at_most_when_the_clock_is_set_back(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    coordinator.lease(["a"], "me", 30.0)
    clock.set_wall(NOON - 29.0)
    assert coordinator.lease(["a"], "you", 30.0) == set(), "a small correction takes no lease away"
    clock.set_wall(NOON - DAY)
    assert coordinator.lease(["a"], "you", 30.0) == {"a"}


def test_many_leases_at_once(coordinator: Coordinator) -> None:
    keys = [f"k{i}" for i in range(1234)]
    assert coordinator.lease(keys[:600], "me", 30.0) == set(keys[:600])
    assert coordinator.lease(keys, "you", 30.0) == set(keys[600:])
    assert coordinator.renew(keys, "me", 30.0) == set(keys[:600])


def test_a_lease_goes_to_one_of_many_threads(coordinator: Coordinator) -> None:
    gate = threading.Barrier(4)
    keys = [f"k{i}" for i in range(50)]

    def work(number: int) -> set[str]:
        gate.wait()
        return set().union(*(coordinator.lease([key], f"thread {number}", 30.0) for key in keys))

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(work, range(4)))
    assert sum(map(len, parts)) == len(keys)
    assert set().union(*parts) == set(keys)


# -------------------------------------------------------------------------------------------------- usage


def test_usage_adds_up_and_halves_in_a_week(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.add_usage({"AAPL": 8.0, "MSFT": 2.0})
    coordinator.add_usage({"AAPL": 2.0})
    assert coordinator.top_usage(5) == [("AAPL", 10.0), ("MSFT", 2.0)]
    clock.advance(WEEK)
    coordinator.add_usage({"MSFT": 6.0})
    assert coordinator.top_usage(5) == [("MSFT", near(7.0)), ("AAPL", near(5.0))]
    assert [symbol for symbol, _ in coordinator.top_usage(1)] == ["MSFT"]
    assert coordinator.top_usage(0) == []


def test_usage_does_not_grow_when_the_clock_is_set_back(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.add_usage({"AAPL": 8.0})
    clock.set_wall(NOON - WEEK)
    assert coordinator.top_usage(1) == [("AAPL", 8.0)]
    coordinator.add_usage({"AAPL": 1.0})
    assert coordinator.top_usage(1) == [("AAPL", 9.0)]


def test_usage_of_long_ago_is_forgotten(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.add_usage({"OLD": 1.0})
    clock.advance(21 * WEEK)
    coordinator.add_usage({})
    coordinator.add_usage({"NEW": 1.0})
    assert coordinator.top_usage(9) == [("NEW", 1.0)]


def test_usage_of_many_symbols(coordinator: Coordinator) -> None:
    counts = {f"S{i}": float(i) for i in range(1, 1300)}
    coordinator.add_usage(counts)
    coordinator.add_usage(counts)
    assert coordinator.top_usage(2) == [("S1299", 2598.0), ("S1298", 2596.0)]


# --------------------------------------------------------------------------------------- daily statistics

TODAY = dt.date(2024, 10, 4)
"""The day of `NOON`."""


def test_statistics_of_a_day_add_up_by_facet_and_event(coordinator: Coordinator) -> None:
    assert coordinator.stats_by_day(7) == {}
    coordinator.add_stats({"quote": {"misses": 2, "fetched": 1}, "fx": {"misses": 1}})
    coordinator.add_stats({"quote": {"misses": 3, "failures": 1}})
    assert coordinator.stats_by_day(7) == {
        TODAY: {"fx": {"misses": 1}, "quote": {"misses": 5, "fetched": 1, "failures": 1}}
    }


def test_what_was_not_counted_leaves_no_trace(coordinator: Coordinator) -> None:
    coordinator.add_stats({})
    coordinator.add_stats({"quote": {"misses": 0}, "fx": {}})
    assert coordinator.stats_by_day(7) == {}


def test_a_day_of_statistics_ends_at_midnight_utc(coordinator: Coordinator, clock: ManualClock) -> None:
    clock.advance(DAY / 2 - 1.0)
    coordinator.add_stats({"quote": {"misses": 1}})
    clock.advance(1.0)
    coordinator.add_stats({"quote": {"misses": 10}})
    tomorrow = TODAY + dt.timedelta(days=1)
    days = coordinator.stats_by_day(2)
    assert list(days.items()) == [
        (TODAY, {"quote": {"misses": 1}}),
        (tomorrow, {"quote": {"misses": 10}}),
    ]
    assert list(coordinator.stats_by_day(1)) == [tomorrow], "today is one of the days"


def test_days_without_statistics_are_left_out_and_the_oldest_comes_first(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    for gap in (0, 3, 2):
        clock.advance(gap * DAY)
        coordinator.add_stats({"quote": {"misses": 1}})
    assert [(day - TODAY).days for day in coordinator.stats_by_day(6)] == [0, 3, 5]
    assert [(day - TODAY).days for day in coordinator.stats_by_day(5)] == [3, 5]
    assert len(coordinator.stats_by_day(10_000_000)) == 3, "more days than there have been"


def test_a_clock_set_back_shows_no_day_of_the_future(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.add_stats({"quote": {"misses": 1}})
    clock.set_wall(NOON - DAY)
    coordinator.add_stats({"quote": {"misses": 10}})
    assert coordinator.stats_by_day(7) == {TODAY - dt.timedelta(days=1): {"quote": {"misses": 10}}}
    clock.set_wall(NOON)
    assert coordinator.stats_by_day(1) == {TODAY: {"quote": {"misses": 1}}}


def test_statistics_are_kept_for_400_days(coordinator: Coordinator, clock: ManualClock) -> None:
    coordinator.add_stats({"quote": {"misses": 1}})
    clock.advance(399 * DAY)
    coordinator.add_stats({"quote": {"misses": 2}})
    assert len(coordinator.stats_by_day(1000)) == 2
    clock.advance(DAY)
    coordinator.add_stats({"quote": {"misses": 3}})
    assert [(day - TODAY).days for day in coordinator.stats_by_day(1000)] == [399, 400]


def test_the_answer_is_the_callers_own(coordinator: Coordinator) -> None:
    coordinator.add_stats({"quote": {"misses": 1}})
    coordinator.stats_by_day(1)[TODAY]["quote"]["misses"] = 99
    assert coordinator.stats_by_day(1) == {TODAY: {"quote": {"misses": 1}}}


def test_closing_twice_is_fine(coordinator: Coordinator) -> None:
    coordinator.close()
    coordinator.close()
