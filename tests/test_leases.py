from __future__ import annotations

import threading
from collections.abc import Collection

import pytest

from engine_parts import LONGEST_WAIT, Errand
from quotewell.cache.leases import Leases
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

A, B = ("A", "quote"), ("B", "quote")
SECONDS = 30.0


class BrokenCoordinator(LocalCoordinator):
    """Raises from leases while `broken`."""

    broken = False

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        self._check()
        return super().lease(keys, token, seconds)

    def release(self, keys: Collection[str], token: str) -> None:
        self._check()
        super().release(keys, token)

    def _check(self) -> None:
        if self.broken:
            raise CacheError("state.db: out of order")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def coordinator(clock: ManualClock) -> BrokenCoordinator:
    return BrokenCoordinator(clock)


@pytest.fixture
def leases(coordinator: BrokenCoordinator, clock: ManualClock) -> Leases:
    return Leases(coordinator, SECONDS, clock)


def test_a_lease_is_held_until_it_is_given_back(
    leases: Leases, coordinator: BrokenCoordinator, clock: ManualClock
) -> None:
    other_process = Leases(coordinator, SECONDS, clock)
    assert leases.take([A, B], "one") == {A, B}
    assert leases.take([A], "one") == {A}
    assert other_process.take([A, B], "two") == set()
    other_process.give_back([A], "two")
    leases.give_back([B], "one")
    assert other_process.take([A, B], "two") == {B}


def test_a_lease_runs_out(leases: Leases, clock: ManualClock) -> None:
    leases.take([A], "one")
    clock.advance(SECONDS - 1)
    assert leases.take([A], "two") == set()
    clock.advance(1)
    assert leases.take([A], "two") == {A}


def test_facets_of_a_symbol_are_leased_apart(leases: Leases) -> None:
    leases.take([A], "one")
    assert leases.take([("A", "history")], "two") == {("A", "history")}


@pytest.mark.parametrize("first", ["take", "give_back"])
def test_without_a_coordinator_all_is_granted_with_one_warning(
    leases: Leases, coordinator: BrokenCoordinator, first: str
) -> None:
    leases.take([A], "another")
    coordinator.broken = True
    with pytest.warns(CacheDegradedWarning, match=r"state\.db: out of order; other processes may") as caught:
        getattr(leases, first)([A], "one")
    assert len(caught) == 1
    assert leases.take(iter([A, B]), "one") == {A, B}
    leases.give_back([A, B], "one")
    coordinator.broken = False
    assert leases.take([A, B], "one") == {B}  # in order again: the other's lease counts


def test_at_the_end_all_that_is_held_is_given_back_in_silence(
    leases: Leases, coordinator: BrokenCoordinator, clock: ManualClock
) -> None:
    leases.take([A], "one")
    leases.take([B], "two")
    leases.take([("C", "quote")], "two")
    leases.give_back([B], "two")
    Leases(coordinator, SECONDS, clock).take([B], "three")
    leases.end()
    assert Leases(coordinator, SECONDS, clock).take([A, B, ("C", "quote")], "four") == {A, ("C", "quote")}
    coordinator.broken = True
    leases.give_back([A], "one")  # a warning would be an error here


class SlowCoordinator(LocalCoordinator):
    """Holds the first release back until `gate` opens, and then is too late: it is closed."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked = threading.Event()
        self.gate = threading.Event()

    def release(self, keys: Collection[str], token: str) -> None:
        if not self.asked.is_set():
            self.asked.set()
            assert self.gate.wait(LONGEST_WAIT)
            raise CacheError("state.db: the cache is closed")
        super().release(keys, token)


def test_the_end_in_the_middle_of_giving_back_leaves_no_lease(clock: ManualClock) -> None:
    coordinator = SlowCoordinator(clock)
    leases = Leases(coordinator, SECONDS, clock)
    leases.take([A], "one", until=-1.0)
    giving_back = Errand(lambda: leases.give_back([A], "one"))
    assert coordinator.asked.wait(LONGEST_WAIT)
    leases.end()
    coordinator.gate.set()
    giving_back.result()
    assert Leases(coordinator, SECONDS, clock).take([A], "two", until=-1.0) == {A}


def test_the_service_goes_on_without_its_coordinator(clock: ManualClock) -> None:
    coordinator = BrokenCoordinator(clock)
    coordinator.broken = True
    provider = FakeProvider(clock, {"AAPL": 200.0, "MSFT": 400.0})
    stores = (MemoryLevel(clock), coordinator)
    with connect(Settings(), clock=clock, providers=[provider], stores=stores) as tickers:
        with pytest.warns(CacheDegradedWarning, match=r"state\.db"):
            assert tickers.get_price("AAPL") == 200.0
        assert tickers.get_price("MSFT") == 400.0
    assert provider.requests == 2
