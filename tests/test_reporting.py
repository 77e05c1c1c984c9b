"""Statistics since the start and by day: what is counted, and to which day it belongs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_parts import service_on
from fragile_coordinator import FragileCoordinator, written
from quotewell import TickerService
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.cache.stats import FacetStats
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.protocols import Level
from quotewell.testing import FakeProvider, ManualClock

NOON = 1_736_942_400.0
"""15 January 2025, 12:00 UTC."""
DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, {"AAPL": 200.0, "MSFT": 400.0, "NVDA": 100.0})


@pytest.fixture
def coordinator(clock: ManualClock) -> FragileCoordinator:
    return FragileCoordinator(clock)


@pytest.fixture
def level(clock: ManualClock) -> Level:
    return MemoryLevel(clock)


@pytest.fixture
def tickers(
    level: Level, coordinator: FragileCoordinator, clock: ManualClock, provider: FakeProvider
) -> Iterator[TickerService]:
    with service_on((level, coordinator), clock, provider) as service:
        yield service


# ------------------------------------------------------------------------------------------- since the start


def test_statistics_by_facet_and_level(tickers: TickerService) -> None:
    nothing = tickers.cache_stats()
    assert (nothing.facets, nothing.total.hit_rate, nothing.memory.records) == ({}, None, {})
    tickers.quotes(["AAPL", "NOPE"])
    tickers.quotes(["AAPL", "NOPE"])
    assert tickers.get_price("AAPL") == 200.0
    tickers.profiles(["MSFT"])
    stats = tickers.cache_stats()
    assert stats.facets["quote"] == FacetStats.of(
        {"memory_hits": 2, "negative_hits": 1, "misses": 2, "fetched": 2, "failures": 1}
    ), "the answer about MSFT's profile brought its quote along"
    assert stats.facets["quote"].hit_rate == 0.6
    assert stats.facets["profile"].misses == 1
    assert stats.total.misses == 3
    assert (stats.memory.hits, stats.level.misses) == (2, 3)
    assert list(stats.facets) == sorted(stats.facets)
    assert stats.memory.records["quote"] == 3, "a remembered failure is a record, too"
    assert stats.level.records["quote"] == 3
    assert stats.level.name == "memory"
    assert stats.memory.bytes > 200
    assert stats.requests == 2


def test_the_persistent_level_has_hits_of_its_own(
    level: Level, coordinator: FragileCoordinator, clock: ManualClock, provider: FakeProvider
) -> None:
    stores = (level, coordinator)
    service_on(stores, clock, provider).quotes(["AAPL", "MSFT"])
    stats = (other := service_on(stores, clock, provider)).cache_stats()
    assert (stats.memory.records, stats.level.records["quote"]) == ({}, 2)
    other.quotes(["AAPL", "MSFT"])
    stats = other.cache_stats()
    assert (stats.level.hits, stats.level.misses, stats.memory.hits) == (2, 0, 0)
    assert stats.total.hit_rate == 1.0


def test_stale_values_and_evictions_are_counted(clock: ManualClock, provider: FakeProvider) -> None:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    tickers = service_on(stores, clock, provider, memory_records=2)
    tickers.quotes(["AAPL"])
    clock.advance(3 * DAY)
    provider.failure = "network"
    assert tickers.quotes(["AAPL"])["AAPL"].usable
    provider.failure = None
    tickers.quotes(["MSFT", "NVDA"])
    stats = tickers.cache_stats()
    assert stats.facets["quote"].stale_served == 1
    assert stats.memory.max_records == 2
    assert stats.memory.evictions == stats.total.evictions > stats.facets["quote"].evictions > 0


# -------------------------------------------------------------------------------------------------- by day


def test_statistics_are_written_at_closing_and_read_by_the_next_process(
    tmp_path: Path, clock: ManualClock
) -> None:
    def process() -> TickerService:
        stores = (SqliteLevel(tmp_path / "cache.db", clock), SqliteCoordinator(tmp_path / "state.db", clock))
        return service_on(stores, clock, FakeProvider(clock, {"AAPL": 200.0, "MSFT": 400.0}))

    with process() as first:
        first.quotes(["AAPL", "NOPE"])
        first.get_price("AAPL")
        assert SqliteCoordinator(tmp_path / "state.db", clock).stats_by_day(7) == {}
    clock.advance(DAY)
    with process() as second:
        second.quotes(["MSFT"])
        yesterday, today = second.daily_stats()
    assert (yesterday.day, today.day) == ("2025-01-15", "2025-01-16")
    assert yesterday.facets["quote"] == FacetStats.of(
        {"memory_hits": 1, "misses": 2, "fetched": 1, "failures": 1}
    )
    assert yesterday.total.hit_rate == pytest.approx(1 / 3)
    assert yesterday.total.fetched == 3, "an answer brings profile and dividend along"
    assert (yesterday.requests, today.requests) == (1, 1)
    assert today.facets["quote"].misses == 1, "what this process has counted so far is in it"
    with process() as third:
        assert [day.day for day in third.daily_stats(1)] == ["2025-01-16"]
        assert third.daily_stats(1)[0].facets["quote"].misses == 1, "reading adds nothing"


def test_two_services_add_up(
    level: Level, coordinator: FragileCoordinator, clock: ManualClock, provider: FakeProvider
) -> None:
    services = [service_on((level, coordinator), clock, provider) for _ in range(2)]
    for tickers in services:
        tickers.quotes(["AAPL"])
        tickers.quotes(["AAPL"])
        tickers.daily_stats()
        tickers.quotes(["AAPL"])
    for tickers in services:
        tickers.close()
    assert written(coordinator) == {"misses": 1, "fetched": 1, "level_hits": 1, "memory_hits": 4}
    assert coordinator.top_usage(1) == [("AAPL", 4.0)]


def test_all_that_is_counted_is_written_once(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    for _ in range(5):
        tickers.quotes(["AAPL"])
        tickers.get_price("AAPL")
        tickers.daily_stats()
        clock.advance(3600.0)
    counted = tickers.cache_stats().facets["quote"]
    tickers.close()
    assert written(coordinator) == {
        event: n
        for event in FacetStats.__struct_fields__
        if event != "hit_rate" and (n := getattr(counted, event))
    }
    assert coordinator.top_usage(1)[0][1] == pytest.approx(counted.memory_hits, rel=0.02), "it has faded"


def test_a_day_belongs_to_when_it_was_written(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    tickers.quotes(["AAPL"])
    clock.advance(DAY)
    tickers.close()
    assert list(coordinator.stats_by_day(7)) == [dt.date(2025, 1, 16)]
