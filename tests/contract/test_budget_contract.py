"""What every coordinator must do: rate budgets, quotas, pauses."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinators import COORDINATORS, DAY, INTERVAL, LIMIT, NOON, near, waits
from quotewell.endpoints import Lane, Limit, Pause
from quotewell.errors import UsageError
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


# ------------------------------------------------------------------------------------- slower after a 429


def slow_down(coordinator: Coordinator, clock: ManualClock) -> None:
    """What a 429 does, and the pause that it brings."""
    coordinator.pause("yahoo", clock.now() + 1.0, "HTTP 429", slower=True)
    coordinator.resume("yahoo")


def test_after_a_429_the_rate_is_halved_and_regained_by_requests(
    coordinator: Coordinator, clock: ManualClock
) -> None:
    waits(coordinator, 5)
    slow_down(coordinator, clock)
    first = waits(coordinator, 1)[0]
    assert first == near(2 * INTERVAL)
    gaps = []
    for _ in range(60):
        clock.advance(60.0)
        burst = waits(coordinator, 6)
        gaps.append(burst[5])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == near(INTERVAL)
    assert coordinator.spend("fmp", LIMIT, n=6, max_wait=math.inf).wait == near(INTERVAL), "another provider"


def test_the_rate_falls_to_a_sixteenth_at_most(coordinator: Coordinator, clock: ManualClock) -> None:
    waits(coordinator, 5)
    for _ in range(9):
        slow_down(coordinator, clock)
    assert waits(coordinator, 1) == near([16 * INTERVAL])


def test_a_429_during_a_pause_is_the_same_event(coordinator: Coordinator, clock: ManualClock) -> None:
    waits(coordinator, 5)
    for seconds in (30.0, 40.0, 10.0):
        coordinator.pause("yahoo", clock.now() + seconds, "HTTP 429", slower=True)
    coordinator.resume("yahoo")
    assert waits(coordinator, 1) == near([2 * INTERVAL])


# ----------------------------------------------------------------------------------- quota that is left


def test_what_is_left_of_a_quota(coordinator: Coordinator, clock: ManualClock) -> None:
    limit = Limit(rate=1000.0, burst=1000, per_day=10)
    assert coordinator.quota_left("fmp", limit) == 10
    coordinator.spend("fmp", limit, n=7, max_wait=0.0)
    assert coordinator.quota_left("fmp", limit) == 3
    assert coordinator.quota_left("yahoo", limit) == 10
    assert coordinator.quota_left("fmp", Limit(1.0, 1)) is None
    spared = coordinator.spend("fmp", limit, max_wait=0.0, leave=3)
    assert (spared.failure, spared.refused) == (
        "quota", "the daily quota of 10 requests is spent, but for 3 that are spared",
    )  # fmt: skip
    assert coordinator.spend("fmp", limit, max_wait=0.0, leave=2).refused is None
    assert coordinator.quota_left("fmp", limit) == 2
    clock.advance(DAY / 2)
    assert coordinator.quota_left("fmp", limit) == 10


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
