from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec
import pytest

from quotewell.cache.loading import Miss
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.market import MarketLoader
from quotewell.providers.chain import Chain
from quotewell.records import FailureKind, Freshness, Need, Profile, Quote, Reading, Record
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

SIX_MINUTES = 360.0


class Feed(FakeProvider):
    """Two symbols a call, with previous closes and without a currency where told so."""

    def __init__(
        self, clock: ManualClock, prices: Mapping[str, float] | None = None, *, name: str = "feed"
    ) -> None:
        super().__init__(clock, prices, name=name)
        self.endpoints = (
            Endpoint(name, "quote", frozenset(("quote",)), 2),
            Endpoint(name, "profile", frozenset(("profile",)), 2),
        )
        self.previous: dict[str, float] = {}
        self.currency: str | None = "USD"

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        fetched = super().fetch(call, lane=lane, deadline=deadline)
        for (symbol, facet), record in list(fetched.found.items()):
            if facet != "quote":
                del fetched.found[symbol, facet]
            elif isinstance(record, Quote):
                record.previous_close = self.previous.get(symbol, record.last)
                record.currency = self.currency
        return fetched


class InterruptedLevel(MemoryLevel):
    """Lets something happen between the reading of quotes and what is made of them."""

    meanwhile: Callable[[], None] | None = None

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        found = super().get_many(table, keys)
        if table == "quote" and found and self.meanwhile is not None:
            self.meanwhile()
        return found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def level(clock: ManualClock) -> InterruptedLevel:
    return InterruptedLevel(clock)


@pytest.fixture
def feed(clock: ManualClock) -> Feed:
    return Feed(clock, {"AAPL": 100.0, "MSFT": 400.0})


@pytest.fixture
def second(clock: ManualClock) -> Feed:
    return Feed(clock, name="second")


@pytest.fixture
def tickers(clock: ManualClock, level: InterruptedLevel, feed: Feed, second: Feed) -> Iterator[TickerService]:
    stores = (level, LocalCoordinator(clock))
    with connect(Settings(), clock=clock, providers=[feed, second], stores=stores) as made:
        yield made


def loader(tickers: TickerService, clock: ManualClock, *providers: FakeProvider) -> MarketLoader:
    coordinator = LocalCoordinator(clock)
    return MarketLoader(Chain.of(providers, clock), tickers.engine.store, clock, coordinator, concurrency=1)


def read(tickers: TickerService, symbol: str = "AAPL") -> Reading[Quote]:
    return tickers.quotes([symbol])[symbol]


def needs(*symbols: str) -> dict[Need, Miss | None]:
    return dict.fromkeys((symbol, "quote") for symbol in symbols)


def asked(loader: MarketLoader, attempt: int, missing: Mapping[Need, Miss | None]) -> object:
    """Who would be asked for what; None when there is no such round."""
    batches = loader.batches(attempt, missing)
    if batches is None:
        return None
    return sorted((batch.source, tuple(sorted(symbol for symbol, _ in batch.needs))) for batch in batches)


# ------------------------------------------------------------------------------------------------- rounds


def test_each_provider_is_asked_and_asked_again_for_what_it_left_out(
    tickers: TickerService, clock: ManualClock, feed: Feed, second: Feed
) -> None:
    market = loader(tickers, clock, feed, second)

    def missing(first: FailureKind, source: str, *others: str) -> dict[Need, Miss | None]:
        return {**needs(*others), ("A", "quote"): Miss(first, "", source)}

    assert asked(market, 0, needs("A", "B", "C")) == [("feed", ("A", "B")), ("feed", ("C",))]
    assert asked(market, 1, missing("omitted", "feed", "B")) == [("feed", ("A",))]
    assert asked(market, 1, missing("unknown", "feed")) == []
    assert asked(market, 1, missing("server", "feed")) == []
    assert asked(market, 2, missing("server", "feed", "B")) == [("second", ("A", "B"))]
    assert asked(market, 3, missing("omitted", "feed")) == []
    assert asked(market, 3, missing("omitted", "second")) == [("second", ("A",))]
    assert asked(market, 4, missing("omitted", "second")) is None


def test_without_a_provider_there_is_no_round(tickers: TickerService, clock: ManualClock) -> None:
    assert loader(tickers, clock).batches(0, needs("A")) is None


def test_what_no_endpoint_carries_is_left_to_the_next_provider(
    tickers: TickerService, clock: ManualClock, feed: Feed
) -> None:
    market = loader(tickers, clock, feed, FakeProvider(clock))
    missing: dict[Need, Miss | None] = {("A", "history"): None}
    assert asked(market, 0, missing) == []
    assert asked(market, 2, missing) == [("fake", ("A",))]


def test_a_batch_asks_only_for_what_is_still_missing(
    tickers: TickerService, clock: ManualClock, feed: Feed
) -> None:
    batches = loader(tickers, clock, feed).batches(0, needs("AAPL", "MSFT"))
    assert batches is not None
    fetched = batches[0].fetch([("MSFT", "quote")], Lane.INTERACTIVE, 0.0)
    assert list(fetched.found) == [("MSFT", "quote")]
    assert feed.asked_symbols == ["MSFT"]


def test_what_was_left_out_is_asked_once_more_together(
    tickers: TickerService, feed: Feed, second: Feed
) -> None:
    feed.prices = dict.fromkeys("ABCDEF", 10.0)
    feed.omitted = second.omitted = {"B", "D"}
    readings = tickers.quotes("ABCDEF")
    assert sorted(call.symbols for call in feed.calls) == [("A", "B"), ("B", "D"), ("C", "D"), ("E", "F")]
    assert [sorted(call.symbols) for call in second.calls] == [["B", "D"], ["B", "D"]]
    kinds = {name: reading.failure.kind for name, reading in readings.items() if reading.failure}
    assert kinds == {"B": "omitted", "D": "omitted"}


@pytest.mark.parametrize("failure", ["server", "quota", "denied", "invalid"])
def test_the_second_provider_brings_what_the_first_failed_at(
    tickers: TickerService, feed: Feed, second: Feed, failure: FailureKind
) -> None:
    feed.failure = failure
    second.prices = {"AAPL": 101.0}
    readings = tickers.quotes(["AAPL", "MSFT"])
    record = readings["AAPL"].record
    assert record is not None
    assert (record.last, record.source, readings["AAPL"].failure) == (101.0, "second", None)
    assert readings["MSFT"].failure is not None
    assert readings["MSFT"].failure.kind == failure


# ------------------------------------------------------------------------------------------ border checks


def test_a_price_without_a_currency_takes_the_cached_profiles(tickers: TickerService, feed: Feed) -> None:
    feed.currency = None
    assert read(tickers, "MSFT").record is None
    feed.prices["NESN.SW"] = 90.0
    store = tickers.engine.store
    profile = Profile(symbol="NESN.SW", source="feed", fetched_at=1.0, currency="CHF")
    store.write("profile", [profile], begun=store.rev())
    record = read(tickers, "NESN.SW").record
    assert record is not None
    assert (record.last, record.currency) == (90.0, "CHF")


@pytest.fixture
def leap(tickers: TickerService, feed: Feed, clock: ManualClock) -> Callable[[], None]:
    """AAPL and MSFT are cached, and no longer fresh; the feed quotes AAPL at four times its last close."""

    def make() -> None:
        tickers.quotes(["AAPL", "MSFT"])
        clock.advance(SIX_MINUTES)
        feed.previous["AAPL"] = 100.0
        feed.prices |= {"AAPL": 400.0, "MSFT": 401.0}

    return make


def test_an_implausible_price_is_held_back_beside_the_old_one(
    tickers: TickerService, level: InterruptedLevel, feed: Feed, leap: Callable[[], None]
) -> None:
    leap()
    readings = tickers.read([(name, "quote") for name in ("AAPL", "MSFT")], grace=False)
    kept, other = readings["AAPL", "quote"], readings["MSFT", "quote"]
    assert isinstance(kept.record, Quote)
    assert (kept.record.last, kept.record.suspect, kept.freshness) == (100.0, 400.0, Freshness.GRACE)
    assert kept.failure is not None
    assert (kept.failure.kind, kept.failure.source) == ("suspect", "feed")
    assert isinstance(other.record, Quote)
    assert (other.record.last, other.failure) == (401.0, None)
    stored = level.get_many("quote", ["AAPL"])["AAPL"]
    assert isinstance(stored, Quote)
    assert (stored.last, stored.suspect, stored.failure) == (100.0, 400.0, kept.failure)


def test_the_next_provider_is_asked_for_a_price_that_was_held_back(
    tickers: TickerService, second: Feed, leap: Callable[[], None]
) -> None:
    leap()
    second.prices = {"AAPL": 102.0}
    reading = tickers.read([("AAPL", "quote")], grace=False)["AAPL", "quote"]
    assert isinstance(reading.record, Quote)
    assert (reading.record.last, reading.record.source, reading.record.suspect) == (102.0, "second", None)
    assert reading.failure is None


def test_an_implausible_price_of_an_uncached_symbol_is_a_failure(
    tickers: TickerService, level: InterruptedLevel, feed: Feed
) -> None:
    feed.previous["AAPL"] = 10.0
    reading = read(tickers)
    assert reading.record is None
    assert reading.failure is not None
    assert reading.failure.kind == "suspect"
    assert level.get_many("quote", ["AAPL"])["AAPL"].fetched_at is None


def test_a_held_back_price_does_not_bring_back_what_was_deleted_meanwhile(
    tickers: TickerService, level: InterruptedLevel, clock: ManualClock, feed: Feed, leap: Callable[[], None]
) -> None:
    leap()
    batches = loader(tickers, clock, feed).batches(0, needs("AAPL"))
    assert batches is not None

    def delete() -> None:
        level.meanwhile = None
        level.delete_many("quote", ["AAPL"])

    level.meanwhile = delete
    fetched = batches[0].fetch([("AAPL", "quote")], Lane.INTERACTIVE, 0.0)
    assert list(fetched.failed) == [("AAPL", "quote")]
    assert level.get_many("quote", ["AAPL"]) == {}


def test_a_held_back_price_does_not_restore_trust_in_an_invalidated_one(
    tickers: TickerService, level: InterruptedLevel, clock: ManualClock, feed: Feed
) -> None:
    read(tickers)
    tickers.invalidate(["AAPL"])
    feed.previous["AAPL"] = 100.0
    feed.prices["AAPL"] = 400.0
    for _ in range(2):
        reading = read(tickers)
        assert (reading.record and reading.record.last, reading.freshness) == (100.0, Freshness.STALE)
        assert reading.failure is not None
        assert reading.failure.kind == "suspect"
        clock.advance(0.05)


def test_bars_pass_the_border_too(clock: ManualClock, tickers: TickerService) -> None:
    provider = FakeProvider(clock, closes={"AAPL": [1.0, -2.0, 3.0]})
    batches = loader(tickers, clock, provider).batches(0, {("AAPL", "history"): None})
    assert batches is not None
    fetched = batches[0].fetch([("AAPL", "history")], Lane.INTERACTIVE, 0.0)
    assert fetched.closes["AAPL"].closes == [1.0, 3.0]


def test_a_stored_record_of_wrong_types_is_no_evidence(
    tickers: TickerService, feed: Feed, clock: ManualClock, level: InterruptedLevel
) -> None:
    """What a damaged disk may have left: a text where a number was."""
    assert read(tickers).record is not None
    (stored,) = level.get_many("quote", ["AAPL"]).values()
    broken = msgspec.structs.replace(stored, as_of=b"\x00")
    level.put_many("quote", [broken], begun=level.rev())
    clock.advance(600.0)
    feed.prices["AAPL"] = 101.0
    report = tickers.refresh([("AAPL", "quote")])
    assert report.counts()["fetched"] == 1
