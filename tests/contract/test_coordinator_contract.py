"""What every coordinator must do; a new one is one more line in `COORDINATORS`."""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.coordination.standby import StandbyCoordinator
from quotewell.errors import CacheError, UsageError
from quotewell.protocols import Coordinator, Lane, Limit, Pause
from quotewell.testing import ManualClock


def never() -> Coordinator:
    raise CacheError("locked for ever")


def alone(clock: ManualClock) -> Coordinator:
    coordinator = StandbyCoordinator(never, clock)
    coordinator.told = True
    return coordinator


COORDINATORS: dict[str, Callable[[Path, ManualClock], Coordinator]] = {
    "local": lambda _, clock: LocalCoordinator(clock),
    "sqlite": lambda folder, clock: SqliteCoordinator(folder / "state.db", clock),
    "standby": lambda folder, clock: StandbyCoordinator(
        lambda: SqliteCoordinator(folder / "state.db", clock), clock
    ),
    "standby, alone": lambda _, clock: alone(clock),
}
NOON = 20_000 * 86_400.0 + 43_200.0
DAY = 86_400.0
WEEK = 7 * DAY
INTERVAL = 1.0 / (0.95 * 2.0)
"""Seconds between requests under `LIMIT`."""
LIMIT = Limit(rate=2.0, burst=5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=NOON)


@pytest.fixture(params=COORDINATORS)
def coordinator(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Coordinator]:
    coordinator = COORDINATORS[request.param](tmp_path, clock)
    yield coordinator
    coordinator.close()


def near(expected: Any) -> Any:
    """Equal but for the rounding of epoch seconds."""
    return pytest.approx(expected, abs=1e-5)


def waits(coordinator: Coordinator, times: int, lane: Lane = Lane.INTERACTIVE) -> list[float]:
    grants = [coordinator.spend("yahoo", LIMIT, lane=lane, max_wait=math.inf) for _ in range(times)]
    assert not any(grant.refused for grant in grants)
    return [grant.wait for grant in grants]


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


# ------------------------------------------------------------------------------------------------ budgets


def test_a_burst_goes_at_once_and_the_rest_at_95_percent_of_the_rate(coordinator: Coordinator) -> None:
    assert waits(coordinator, 8) == near([0.0] * 5 + [INTERVAL, 2 * INTERVAL, 3 * INTERVAL])


def test_the_budget_fills_up_again(coordinator: Coordinator, clock: ManualClock) -> None:
    waits(coordinator, 5)
    clock.advance(2 * INTERVAL)
    assert waits(coordinator, 3) == near([0.0, 0.0, INTERVAL])
    clock.advance(3600.0)
    assert waits(coordinator, 6) == near([0.0] * 5 + [INTERVAL])


@pytest.mark.parametrize(
    ("lane", "burst"),
    [(Lane.INTERACTIVE, 5), (Lane.PREFETCH, 4), (Lane.REFRESH, 3)],
    ids=str,
)
def test_lower_lanes_leave_part_of_the_burst(coordinator: Coordinator, lane: Lane, burst: int) -> None:
    assert waits(coordinator, burst + 1, lane) == near([0.0] * burst + [INTERVAL])


def test_an_interactive_request_finds_the_reserve_of_its_lane(coordinator: Coordinator) -> None:
    waits(coordinator, 3, Lane.REFRESH)
    assert waits(coordinator, 3) == near([0.0, 0.0, INTERVAL])


@pytest.mark.parametrize("lane", list(Lane))
def test_every_lane_may_send_with_a_burst_of_one(coordinator: Coordinator, lane: Lane) -> None:
    grant = coordinator.spend("yahoo", Limit(rate=1.0, burst=1), lane=lane, max_wait=0.0)
    assert (grant.refused, grant.wait) == (None, 0.0)


def test_a_request_may_count_for_many(coordinator: Coordinator) -> None:
    assert coordinator.spend("yahoo", LIMIT, n=4, max_wait=0.0).wait == 0.0
    assert coordinator.spend("yahoo", LIMIT, n=3, max_wait=9.0).wait == near(2 * INTERVAL)


def test_a_refusal_takes_nothing_and_says_when_to_come_back(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    waits(coordinator, 10)
    for _ in range(3):
        refused = coordinator.spend("yahoo", LIMIT, max_wait=2.0)
        assert refused.refused is not None
        assert "rate limit" in refused.refused
        assert refused.failure == "rate_limited"
        assert refused.retry_at == near(NOON + 6 * INTERVAL - 2.0)
    clock.advance(6 * INTERVAL - 2.0)
    granted = coordinator.spend("yahoo", LIMIT, max_wait=2.0)
    assert (granted.refused, granted.wait) == (None, near(2.0))


def test_budgets_of_providers_are_apart(coordinator: Coordinator) -> None:
    waits(coordinator, 5)
    assert coordinator.spend("fmp", LIMIT, max_wait=0.0).refused is None
    assert coordinator.spend("yahoo", LIMIT, max_wait=0.0).refused is not None


def test_a_rate_that_allows_nothing_is_a_usage_error(coordinator: Coordinator) -> None:
    with pytest.raises(UsageError, match="rate"):
        coordinator.spend("yahoo", Limit(rate=0.0, burst=1), max_wait=0.0)


def test_the_daily_quota_ends_at_midnight_utc(coordinator: Coordinator, clock: ManualClock) -> None:
    limit = Limit(rate=1000.0, burst=1000, per_day=10)
    assert coordinator.spend("fmp", limit, n=8, max_wait=0.0).refused is None
    refused = coordinator.spend("fmp", limit, n=3, max_wait=0.0)
    assert (refused.failure, refused.retry_at) == ("quota", NOON + DAY / 2)
    assert refused.refused == "the daily quota of 10 requests is spent"
    assert coordinator.spend("fmp", limit, n=2, max_wait=0.0).refused is None, "the rest is still there"
    clock.advance(DAY / 2 - 1.0)
    assert coordinator.spend("fmp", limit, max_wait=0.0).failure == "quota"
    clock.advance(1.0)
    assert coordinator.spend("fmp", limit, n=10, max_wait=0.0).refused is None


@pytest.mark.parametrize("per_day", [None, 0])
def test_without_a_quota_a_day_has_no_end(coordinator: Coordinator, per_day: int | None) -> None:
    limit = Limit(rate=1000.0, burst=1000, per_day=per_day)
    assert coordinator.spend("yahoo", limit, n=900, max_wait=0.0).refused is None


# ------------------------------------------------------------------------------------------------- pauses


def test_a_pause_refuses_until_it_ends(coordinator: Coordinator, clock: ManualClock) -> None:
    assert coordinator.paused("yahoo") is None
    coordinator.pause("yahoo", NOON + 60.0, "HTTP 429")
    assert coordinator.paused("yahoo") == Pause(NOON + 60.0, "HTTP 429")
    assert coordinator.paused("fmp") is None
    refused = coordinator.spend("yahoo", LIMIT, max_wait=math.inf)
    assert (refused.failure, refused.retry_at) == ("rate_limited", NOON + 60.0)
    assert refused.refused is not None
    assert "HTTP 429" in refused.refused
    clock.advance(60.0)
    assert coordinator.paused("yahoo") is None
    assert waits(coordinator, 6) == near([0.0] * 5 + [INTERVAL]), "the refusals took nothing"


def test_a_pause_never_shortens_a_longer_one(coordinator: Coordinator) -> None:
    coordinator.pause("yahoo", NOON + 60.0, "long")
    coordinator.pause("yahoo", NOON + 30.0, "short")
    assert coordinator.paused("yahoo") == Pause(NOON + 60.0, "long")
    coordinator.pause("yahoo", NOON + 90.0, "longer")
    assert coordinator.paused("yahoo") == Pause(NOON + 90.0, "longer")


def test_a_pause_can_be_ended(coordinator: Coordinator) -> None:
    coordinator.resume("yahoo")
    coordinator.pause("yahoo", math.inf, "for ever")
    assert coordinator.paused("yahoo") == Pause(math.inf, "for ever")
    assert coordinator.spend("yahoo", LIMIT, max_wait=math.inf).refused is not None
    coordinator.resume("yahoo")
    assert coordinator.paused("yahoo") is None
    assert coordinator.spend("yahoo", LIMIT, max_wait=0.0).refused is None


# -------------------------------------------------------------------------------- the wall clock set back


def test_a_clock_set_back_neither_blocks_nor_gives_requests_away(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    waits(coordinator, 6)
    clock.set_wall(NOON - 365 * DAY)
    assert waits(coordinator, 2) == near([2 * INTERVAL, 3 * INTERVAL])
    clock.advance(60.0)
    assert waits(coordinator, 6) == near([0.0] * 5 + [INTERVAL])


@pytest.mark.parametrize("asks", ["paused", "spend"])
def test_a_pause_does_not_grow_when_the_clock_is_set_back(
    coordinator: Coordinator, clock: ManualClock, asks: str
) -> None:
    def is_paused() -> bool:
        if asks == "paused":
            return coordinator.paused("yahoo") is not None
        return coordinator.spend("yahoo", LIMIT, max_wait=math.inf).refused is not None

    coordinator.pause("yahoo", NOON + 60.0, "HTTP 429")
    clock.set_wall(NOON - DAY)
    assert is_paused()
    clock.advance(59.0)
    assert is_paused()
    clock.advance(1.0)
    assert not is_paused()


def test_a_clock_that_wavers_over_midnight_does_not_renew_the_quota(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    limit = Limit(rate=1000.0, burst=1000, per_day=10)
    midnight = NOON + DAY / 2
    clock.set_wall(midnight + 1.0)
    assert coordinator.spend("fmp", limit, n=9, max_wait=0.0).refused is None
    clock.set_wall(midnight - 1.0)
    assert coordinator.spend("fmp", limit, n=1, max_wait=0.0).refused is None
    clock.set_wall(midnight + 1.0)
    assert coordinator.spend("fmp", limit, max_wait=0.0).failure == "quota"


def test_a_clock_that_was_years_ahead_does_not_block_for_years(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    limit = Limit(rate=1000.0, burst=1000, per_day=10)
    clock.set_wall(NOON + 3650 * DAY)
    assert coordinator.spend("fmp", limit, n=10, max_wait=0.0).refused is None
    clock.set_wall(NOON)
    refused = coordinator.spend("fmp", limit, max_wait=0.0)
    assert refused.retry_at is not None
    assert refused.retry_at - NOON <= 2 * DAY
    clock.set_wall(refused.retry_at)
    assert coordinator.spend("fmp", limit, max_wait=0.0).refused is None


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


# ------------------------------------------------------------------------------------------------ threads


def test_statistics_of_threads_add_up(coordinator: Coordinator) -> None:
    threads, each = 4, 25
    gate = threading.Barrier(threads)

    def work(_: int) -> None:
        gate.wait()
        for _ in range(each):
            coordinator.add_stats({"quote": {"misses": 1, "fetched": 2}})

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    total = threads * each
    assert coordinator.stats_by_day(1) == {TODAY: {"quote": {"misses": total, "fetched": 2 * total}}}


def test_threads_share_one_budget(coordinator: Coordinator) -> None:
    threads, each = 4, 10
    gate = threading.Barrier(threads)

    def work(_: int) -> list[float]:
        gate.wait()
        return waits(coordinator, each)

    with ThreadPoolExecutor(threads) as pool:
        granted = sorted(wait for part in pool.map(work, range(threads)) for wait in part)
    expected = [max(0, number - 4) * INTERVAL for number in range(threads * each)]
    assert granted == near(expected)


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


def test_closing_twice_is_fine(coordinator: Coordinator) -> None:
    coordinator.close()
    coordinator.close()
