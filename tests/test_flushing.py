"""When statistics are written out, who waits for it, and that nothing is lost when it fails."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine_parts import fetches_ended, service_on
from fragile_coordinator import FragileCoordinator, written
from quotewell import TickerService, cached
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.errors import CacheDegradedWarning
from quotewell.protocols import Level
from quotewell.testing import FakeProvider, ManualClock

NOON = 1_736_942_400.0
"""15 January 2025, 12:00 UTC."""
EVENING = 11 * 3600.0
"""From noon to 23:00 UTC, when New York's exchange is closed and a quote is final until it opens."""


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
