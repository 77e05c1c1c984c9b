"""The coordinator of one process alone, while the shared one is out of order."""

from __future__ import annotations

import os
from collections.abc import Collection

import pytest

from child_process import in_child
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.standby import StandbyCoordinator
from quotewell.endpoints import Grant, Lane, Limit, Pause
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Coordinator
from quotewell.testing import ManualClock

LIMIT = Limit(rate=2.0, burst=5)
RETRY = 30.0


class Shared(LocalCoordinator):
    """Raises while `broken`; counts what it is asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.name = "shared"
        self.broken = False
        self.asked = 0

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        self.check()
        return super().lease(keys, token, seconds)

    def release(self, keys: Collection[str], token: str) -> None:
        self.check()
        super().release(keys, token)

    def spend(
        self,
        provider: str,
        limit: Limit,
        *,
        n: int = 1,
        lane: Lane = Lane.INTERACTIVE,
        max_wait: float,
        leave: int = 0,
    ) -> Grant:
        self.check()
        return super().spend(provider, limit, n=n, lane=lane, max_wait=max_wait, leave=leave)

    def pause(self, provider: str, until: float, reason: str, *, slower: bool = False) -> None:
        self.check()
        super().pause(provider, until, reason, slower=slower)

    def check(self) -> None:
        self.asked += 1
        if self.broken:
            raise CacheError("state.db: out of order")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shared(clock: ManualClock) -> Shared:
    return Shared(clock)


@pytest.fixture
def coordinator(shared: Shared, clock: ManualClock) -> StandbyCoordinator:
    return StandbyCoordinator(lambda: shared, clock)


def broken(coordinator: Coordinator, shared: Shared) -> None:
    shared.broken = True
    with pytest.warns(CacheDegradedWarning, match=r"state\.db: out of order; other processes may") as told:
        assert coordinator.lease(["a"], "me", 10.0) == {"a"}
    assert len(told) == 1


def test_in_order_everything_is_shared(coordinator: StandbyCoordinator, shared: Shared) -> None:
    assert coordinator.name == "shared"
    assert coordinator.first_error is None
    assert coordinator.lease(["a"], "me", 10.0) == {"a"}
    assert shared.lease(["a"], "you", 10.0) == set()


def test_out_of_order_it_grants_by_itself_and_keeps_to_the_limit(
    coordinator: StandbyCoordinator, shared: Shared
) -> None:
    broken(coordinator, shared)
    assert coordinator.lease(["a"], "another thread's", 10.0) == set()
    coordinator.release(["a"], "me")
    assert coordinator.lease(["a"], "another thread's", 10.0) == {"a"}
    waits = [coordinator.spend("yahoo", LIMIT, max_wait=60.0).wait for _ in range(8)]
    assert waits[:5] == [0.0] * 5
    assert all(wait > 0.0 for wait in waits[5:])
    assert shared.asked == 1


def test_it_is_asked_again_after_a_while_and_nothing_more_is_said(
    coordinator: StandbyCoordinator, shared: Shared, clock: ManualClock
) -> None:
    broken(coordinator, shared)
    clock.advance(RETRY - 0.001)
    coordinator.lease(["b"], "me", 10.0)
    assert shared.asked == 1
    clock.advance(0.001)
    coordinator.lease(["b"], "me", 10.0)
    assert shared.asked == 2
    shared.broken = False
    clock.advance(RETRY)
    assert coordinator.lease(["c"], "me", 10.0) == {"c"}
    assert shared.lease(["c"], "you", 10.0) == set()


def test_a_pause_that_began_meanwhile_is_told_to_the_others(
    coordinator: StandbyCoordinator, shared: Shared, clock: ManualClock
) -> None:
    broken(coordinator, shared)
    until = clock.now() + 600.0
    coordinator.pause("yahoo", until, "HTTP 429")
    coordinator.pause("fmp", until, "HTTP 429")
    coordinator.resume("fmp")
    assert coordinator.paused("yahoo") == Pause(until, "HTTP 429")
    shared.broken = False
    clock.advance(RETRY)
    coordinator.lease(["b"], "me", 10.0)
    assert shared.paused("yahoo") == Pause(until, "HTTP 429")
    assert shared.paused("fmp") is None


def test_a_pause_that_began_before_is_known_when_the_others_cannot_be_asked(
    coordinator: StandbyCoordinator, shared: Shared, clock: ManualClock
) -> None:
    coordinator.pause("yahoo", clock.now() + 600.0, "HTTP 429")
    broken(coordinator, shared)
    assert coordinator.spend("yahoo", LIMIT, max_wait=60.0).refused


def test_counts_follow_once(coordinator: StandbyCoordinator, shared: Shared, clock: ManualClock) -> None:
    broken(coordinator, shared)
    coordinator.add_usage({"AAPL": 3.0})
    coordinator.add_stats({"quote": {"fetches": 2}})
    assert coordinator.top_usage(1) == [("AAPL", 3.0)]
    assert (shared.top_usage(1), shared.stats_by_day(1)) == ([], {})
    shared.broken = False
    clock.advance(RETRY)
    for _ in range(2):
        [(symbol, count)] = coordinator.top_usage(1)
        assert (symbol, round(count, 3)) == ("AAPL", 3.0)
        assert list(coordinator.stats_by_day(1).values()) == [{"quote": {"fetches": 2}}]


def test_what_cannot_be_opened_is_opened_later(shared: Shared, clock: ManualClock) -> None:
    errors = [CacheError("state.db: locked"), CacheError("state.db: locked still")]

    def opened() -> Coordinator:
        if errors:
            raise errors.pop(0)
        return shared

    coordinator = StandbyCoordinator(opened, clock)
    assert str(coordinator.first_error) == "state.db: locked"
    assert coordinator.name == "local"
    coordinator.told = True
    clock.advance(RETRY)
    coordinator.lease(["a"], "me", 100.0)
    assert coordinator.name == "local"
    clock.advance(RETRY)
    coordinator.lease(["b"], "me", 100.0)
    assert coordinator.name == "shared"
    coordinator.close()


def test_a_closed_one_says_so_instead_of_going_alone(coordinator: StandbyCoordinator, shared: Shared) -> None:
    coordinator.close()
    shared.broken = True
    with pytest.raises(CacheError, match="out of order"):
        coordinator.lease(["a"], "me", 10.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_in_the_middle_of_a_grant_does_not_lock_the_child(
    coordinator: StandbyCoordinator, shared: Shared
) -> None:
    broken(coordinator, shared)
    with coordinator._own._lock:
        assert in_child(lambda: coordinator.lease(["b"], "me", 10.0)) == "returned {'b'}"
