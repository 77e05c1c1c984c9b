"""A level that was damaged and built anew: what memory has answers for errors, and only for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_parts import fetches_ended
from quotewell import DataUnavailable, TickerService
from quotewell.cache.memory import MemoryCache
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.cache.store import Store, TablePolicy
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import CacheDegradedWarning, StaleDataWarning
from quotewell.freshness import LIFETIMES
from quotewell.protocols import Changes, Level
from quotewell.records import Freshness, History, Quote
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect
from survival import checkpointed

SYMBOLS = ["A", "B", "C"]
POLL = 0.05


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, {"A": 1.0, "B": 2.0, "C": 3.0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def tickers(path: Path, clock: ManualClock, provider: FakeProvider) -> Iterator[TickerService]:
    stores = SqliteLevel(path, clock), LocalCoordinator(clock)
    with connect(Settings(calendars="plain"), clock=clock, providers=[provider], stores=stores) as service:
        service.get_many(SYMBOLS)
        yield service


def damage(path: Path) -> None:
    checkpointed(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))


def put(level: Level, symbol: str, last: float, fetched_at: float) -> None:
    quote = Quote(symbol=symbol, source="other", last=last, fetched_at=fetched_at, currency="USD")
    level.put_many("quote", [quote], begun=level.rev())


def test_while_no_provider_answers_the_old_values_are_served_marked(
    tickers: TickerService, path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    provider.failure = "network"
    damage(path)
    clock.advance(POLL)
    with pytest.warns(CacheDegradedWarning, match="was damaged"), pytest.warns(StaleDataWarning):
        assert [tickers.get_price(symbol) for symbol in SYMBOLS] == [1.0, 2.0, 3.0]
    reading = tickers.quotes(["A"])["A"]
    assert (reading.freshness, reading.failure is not None) == (Freshness.STALE, True)


def test_a_provider_that_answers_is_asked_anew(
    tickers: TickerService, path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    damage(path)
    provider.prices["A"] = 1.5
    clock.advance(POLL)
    with pytest.warns(CacheDegradedWarning, match="was damaged"):
        assert tickers.get_price("A") == 1.5
    fetches_ended()
    other = SqliteLevel(path, clock)
    assert {
        key: getattr(record, "last", None) for key, record in other.get_many("quote", SYMBOLS).items()
    } == {"A": 1.5}
    other.close()


def test_what_others_withdrew_in_the_new_file_is_gone_and_what_they_wrote_counts(
    tickers: TickerService, path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    damage(path)
    with pytest.warns(CacheDegradedWarning, match="was damaged"):
        other = SqliteLevel(path, clock)
    other.delete_many("quote", ["A"])
    put(other, "B", 2.5, clock.now() + 1.0)
    other.close()
    provider.failure = "network"
    clock.advance(1.0)
    with pytest.raises(DataUnavailable):
        tickers.get_price("A")
    assert tickers.get_price("B") == 2.5
    with pytest.warns(StaleDataWarning):
        assert tickers.get_price("C") == 3.0


def test_a_table_deleted_in_the_new_file_is_gone_altogether(
    tickers: TickerService, path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    damage(path)
    with pytest.warns(CacheDegradedWarning, match="was damaged"):
        other = SqliteLevel(path, clock)
    other.delete_many("quote", None)
    other.close()
    provider.failure = "network"
    clock.advance(1.0)
    with pytest.raises(DataUnavailable):
        tickers.get_price("C")


class RebuiltLevel(MemoryLevel):
    """Says once that it was built anew."""

    rebuilt = False

    def changes_since(self, rev: int) -> Changes:
        if self.rebuilt:
            self.rebuilt = False
            return Changes(self.rev(), {}, rebuilt=True)
        return super().changes_since(rev)


def test_histories_go_as_their_bars_have_gone(clock: ManualClock) -> None:
    level = RebuiltLevel(clock)
    policies = {table: TablePolicy(LIFETIMES[table]) for table in ("quote", "history")}
    store = Store(MemoryCache(10), level, policies, clock)
    store.write("quote", [Quote(symbol="A", last=1.0, fetched_at=clock.now())], begun=0)
    store.write("history", [History(symbol="A", bars=3, fetched_at=clock.now())], begun=0)
    store.sync()
    level.rebuilt = True
    clock.advance(POLL)
    store.sync()
    assert store.memory.table("history") == {}
    (kept,) = store.memory.table("quote").values()
    assert (kept.invalidated, kept.fresh_until) == (True, 0.0)
