"""Statistics since the start and by day: what is counted, when it is written out, and what cannot be lost."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine_parts import fetches_ended, service_on
from quotewell import TickerService, cached
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite import SqliteLevel
from quotewell.cache.stats import FacetStats
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Clock, Coordinator, Level
from quotewell.testing import FakeProvider, ManualClock

NOON = 1_736_942_400.0
"""15 January 2025, 12:00 UTC."""
DAY = 86_400.0
EVENING = 11 * 3600.0
"""From noon to 23:00 UTC, when New York's exchange is closed and a quote is final until it opens."""


class FragileCoordinator(LocalCoordinator):
    """Cannot be written to while told so; knows how often it was written to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.broken: set[str] = set()
        self.writes = 0

    def add_usage(self, counts: Mapping[str, float]) -> None:
        self._check("usage")
        super().add_usage(counts)

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        self._check("stats")
        self.writes += 1
        super().add_stats(counts)

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise CacheError(f"state.db: {what} cannot be written", hint="this is a test")


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


def written(coordinator: Coordinator, facet: str = "quote") -> dict[str, int]:
    """What has been written out of one facet, today."""
    return next(iter(coordinator.stats_by_day(1).values()), {}).get(facet, {})


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


# ---------------------------------------------------------------------------------------------- in passing


def test_what_is_not_a_memory_hit_writes_out_every_half_minute(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    tickers.quotes(["AAPL"])
    clock.advance(29.9)
    tickers.quotes(["MSFT"])
    fetches_ended()
    assert coordinator.writes == 0
    clock.advance(0.1)
    for symbol in ("NVDA", "NOPE", "NOPE"):
        tickers.quotes([symbol])
    fetches_ended()
    assert coordinator.writes == 1
    assert written(coordinator)["misses"] >= 2
    clock.advance(30.0)
    tickers.quotes(["NOPE"])
    fetches_ended()
    assert coordinator.writes == 2


def test_a_memory_hit_never_writes(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    clock.advance(EVENING)
    tickers.quotes(["AAPL"])
    fetches_ended()
    coordinator.writes = 0
    for _ in range(5):
        clock.advance(31.0)
        assert tickers.get_price("AAPL") == 200.0
        tickers.get_many(["AAPL"])
        tickers.quotes(["AAPL"])
    fetches_ended()
    assert coordinator.writes == 0
    assert tickers.cache_stats().facets["quote"].memory_hits == 15
    tickers.profiles(["MSFT"])
    fetches_ended()
    assert coordinator.writes == 1
    assert written(coordinator)["memory_hits"] == 15
    assert coordinator.top_usage(1) == [("AAPL", 15.0)], "usage goes out along with it"


def test_users_own_functions_write_out_too(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    @cached(tickers, fresh=60.0, namespace="double")
    def double(number: int) -> int:
        return 2 * number

    assert double(1) == 2
    clock.advance(31.0)
    assert double(1) == 2
    assert double(2) == 4
    fetches_ended()
    assert written(coordinator, "result:double")["misses"] >= 1
    assert double.stats().misses == 2
    assert tickers.daily_stats()[0].facets["result:double"].memory_hits == 1


def test_nobody_waits_while_it_is_written(
    tickers: TickerService,
    coordinator: FragileCoordinator,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, began = threading.Event(), threading.Event()
    add = coordinator.add_stats

    def slow(counts: Mapping[str, Mapping[str, int]]) -> None:
        began.set()
        assert gate.wait(30.0)
        add(counts)

    monkeypatch.setattr(coordinator, "add_stats", slow)
    clock.advance(31.0)
    assert tickers.quotes(["AAPL"])["AAPL"].usable
    assert began.wait(30.0)
    assert tickers.quotes(["MSFT"])["MSFT"].usable
    assert written(coordinator) == {}
    gate.set()
    tickers.close()
    assert written(coordinator)["misses"] == 2, "closing waits for the one on its way, and writes the rest"


def test_without_a_thread_it_is_written_later(
    tickers: TickerService,
    coordinator: FragileCoordinator,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "quotewell-flush":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    clock.advance(31.0)
    tickers.quotes(["AAPL"])
    fetches_ended()
    assert coordinator.writes == 0
    tickers.close()
    assert written(coordinator)["misses"] == 1


# ------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("broken", [{"usage"}, {"stats"}, {"usage", "stats"}], ids=["usage", "stats", "both"])
def test_a_write_that_fails_loses_nothing_and_is_told_once(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock, broken: set[str]
) -> None:
    coordinator.broken = broken

    def use() -> None:
        for _ in range(3):
            tickers.quotes(["AAPL", "NOPE"])
            tickers.quotes(["AAPL", "NOPE"])
            clock.advance(31.0)
            tickers.quotes(["MSFT", "NOPE"])
            fetches_ended()

    with pytest.warns(CacheDegradedWarning, match="kept in memory until it works again") as told:
        use()
    assert len(told) == 1
    assert written(coordinator) == {}
    assert coordinator.top_usage(9) == [] or broken == {"stats"}
    coordinator.broken = set()
    counted = tickers.cache_stats().facets["quote"]
    tickers.close()
    assert written(coordinator)["misses"] == counted.misses
    assert written(coordinator)["memory_hits"] == counted.memory_hits
    usage = sum(count for _, count in coordinator.top_usage(9))
    assert usage == pytest.approx(counted.memory_hits, rel=0.01)


def test_what_is_lost_at_closing_is_told(tickers: TickerService, coordinator: FragileCoordinator) -> None:
    tickers.quotes(["AAPL"])
    coordinator.broken = {"stats"}
    with pytest.warns(CacheDegradedWarning, match=r"state\.db: .*; usage .* are lost"):
        tickers.close()
    coordinator.broken = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tickers.close()
    assert written(coordinator) == {}, "closed is closed"


def test_a_locked_state_file_costs_the_reader_nothing(
    tmp_path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    path = tmp_path / "state.db"
    stores = (MemoryLevel(clock), SqliteCoordinator(path, clock, timeout=0.01))
    # Sessions that are read from a calendar take a lease, and so the lock.
    service_on(stores, clock, provider, calendars="plain").quotes(["AAPL"])
    fetches_ended()
    with service_on(stores, clock, provider, calendars="plain") as other:
        clock.advance(31.0)
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("begin immediate")

        def read() -> None:
            assert other.quotes(["AAPL"])["AAPL"].usable
            fetches_ended()

        with pytest.warns(CacheDegradedWarning, match="locked by another process"):
            read()
        lock.close()
        assert other.daily_stats()[0].facets["quote"].level_hits == 1


def test_a_hit_lost_between_threads_takes_nothing_away(
    tickers: TickerService, coordinator: FragileCoordinator, level: Level
) -> None:
    for _ in range(5):
        tickers.quotes(["AAPL"])
    tickers.daily_stats()
    record = tickers.engine.store.memory.table("quote")["AAPL"]
    record.hits -= 2  # as when a thread that was asleep writes back what it had read
    tickers.quotes(["MSFT"])
    tickers.daily_stats()
    record.hits += 3
    tickers.close()
    assert written(coordinator)["memory_hits"] == 5


def test_a_day_belongs_to_when_it_was_written(
    tickers: TickerService, coordinator: FragileCoordinator, clock: ManualClock
) -> None:
    tickers.quotes(["AAPL"])
    clock.advance(DAY)
    tickers.close()
    assert list(coordinator.stats_by_day(7)) == [dt.date(2025, 1, 16)]


def test_a_child_does_not_wait_for_a_flush_of_its_parents(
    tickers: TickerService, coordinator: FragileCoordinator
) -> None:
    """The thread that held the lock when a process was forked is not there to give it back."""
    tickers.quotes(["AAPL"])
    reporter = tickers._reporter
    reporter._lock.acquire()
    reporter._pid = -1
    tickers.close()
    assert written(coordinator)["misses"] == 1
