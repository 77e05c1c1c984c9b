"""The read-through engine through the service: who fetches, who waits, what is served when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import pytest

from quotewell import DataUnavailable, StaleDataWarning
from quotewell.cache.flights import Flight, Flights
from quotewell.cache.memory_level import MemoryLevel
from quotewell.clock import SystemClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import FailureKind
from quotewell.protocols import Clock
from quotewell.records import Closes, Freshness, Need, Quote, Reading, Record
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

PRICES = {"AAPL": 200.0, "MSFT": 400.0, "NVDA": 100.0}
QUOTE_THROTTLE = 30.0
FIVE_MINUTES = 300.0
WEEK = 7 * 86400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, PRICES)


@pytest.fixture
def tickers(clock: ManualClock, provider: FakeProvider) -> Iterator[TickerService]:
    with service(clock, provider) as made:
        yield made


def service(
    clock: Clock,
    *providers: FakeProvider,
    stores: tuple[MemoryLevel, LocalCoordinator] | None = None,
    settings: Settings | None = None,
) -> TickerService:
    return connect(
        settings or Settings(),
        clock=clock,
        providers=providers,
        stores=stores or (MemoryLevel(clock), LocalCoordinator(clock)),
    )


def test_a_second_read_within_the_lifetime_is_free(tickers: TickerService, provider: FakeProvider) -> None:
    assert tickers.get_price("AAPL") == 200.0
    assert tickers.get_price("AAPL") == 200.0
    assert provider.requests == 1


def test_all_spellings_of_a_symbol_share_one_record(tickers: TickerService, provider: FakeProvider) -> None:
    provider.prices["BRK-B"] = 500.0
    assert [tickers.get_price(text) for text in ("BRK.B", "brk-b", "BRK/B")] == [500.0] * 3
    assert provider.asked_symbols == ["BRK-B"]


def test_only_missing_symbols_are_fetched(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.get_price("AAPL")
    tickers.quotes(["AAPL", "MSFT", "NVDA", "MSFT"])
    assert provider.asked_symbols == ["AAPL", "MSFT", "NVDA"]


def test_what_comes_along_unasked_is_kept(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.get_price("AAPL")
    data = tickers.profiles(["AAPL"])["AAPL"].record
    assert data is not None
    assert data.name == "AAPL Inc."
    assert provider.requests == 1


def test_an_expired_quote_is_fetched_again(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    provider.prices["AAPL"] = 201.0
    clock.advance(FIVE_MINUTES + 601)
    assert tickers.get_price("AAPL") == 201.0


def test_grace_answers_at_once_and_refreshes_in_passing(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    provider.prices["AAPL"] = 201.0
    clock.advance(FIVE_MINUTES + 1)
    provider.hold()
    assert tickers.get_price("AAPL") == 200.0
    provider.await_calls(2)
    provider.release()
    assert wait_for(lambda: tickers.get_price("AAPL") == 201.0)


def test_without_grace_the_caller_waits(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    provider.prices["AAPL"] = 201.0
    clock.advance(FIVE_MINUTES + 1)
    reading = tickers.read([("AAPL", "quote")], grace=False)["AAPL", "quote"]
    assert isinstance(reading.record, Quote)
    assert reading.record.last == 201.0


def test_a_failure_serves_the_stale_value_and_says_so(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    provider.failure = "server"
    clock.advance(WEEK - 3600)
    with pytest.warns(StaleDataWarning, match="AAPL: serving a quote fetched .* told to fail: server"):
        assert tickers.get_price("AAPL") == 200.0
    reading = tickers.quotes(["AAPL"])["AAPL"]
    assert reading.freshness == Freshness.STALE
    assert reading.failure is not None
    assert reading.failure.kind == "server"


def test_a_value_beyond_its_last_window_is_never_served(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    provider.failure = "server"
    clock.advance(WEEK + 1)
    with pytest.raises(DataUnavailable, match="AAPL: no quote: told to fail: server"):
        tickers.get_price("AAPL")


def test_a_failure_is_remembered_for_its_throttle_and_then_heals(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    provider.failure = "server"
    for _ in range(2):
        with pytest.raises(DataUnavailable):
            tickers.get_price("AAPL")
    assert provider.requests == 1
    provider.failure = None
    clock.advance(QUOTE_THROTTLE + 1)
    assert tickers.get_price("AAPL") == 200.0
    assert tickers.quotes(["AAPL"])["AAPL"].failure is None


@pytest.mark.parametrize(
    ("kind", "asked_again"),
    [("server", True), ("network", True), ("rate_limited", True), ("denied", False), ("unknown", False)],
)
def test_a_one_shot_run_asks_again_for_what_failed_in_passing(
    tickers: TickerService, provider: FakeProvider, kind: FailureKind, asked_again: bool
) -> None:
    provider.failure = kind
    need = ("AAPL", "quote")
    assert tickers.prefetch([need]).outcomes[need].status in ("failed", "unknown")
    provider.failure = None
    assert (tickers.prefetch([need]).outcomes[need].status == "fetched") == asked_again


def test_an_unknown_symbol_is_asked_for_once_an_hour(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    with pytest.raises(DataUnavailable, match="NOPE: no quote: fake knows no quote of NOPE"):
        tickers.get_price("NOPE")
    clock.advance(3500)
    with pytest.raises(DataUnavailable):
        tickers.get_price("NOPE")
    assert provider.requests == 1
    clock.advance(200)
    with pytest.raises(DataUnavailable):
        tickers.get_price("NOPE")
    assert provider.requests == 2


def test_an_omitted_symbol_is_asked_once_more_and_becomes_unknown_the_second_time(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    provider.omitted = {"NVDA"}
    readings = tickers.quotes(["AAPL", "NVDA"])
    assert readings["AAPL"].usable
    assert kind_of(tickers, "NVDA") == "omitted"
    assert [call.symbols for call in provider.calls] == [("AAPL", "NVDA"), ("NVDA",)]
    clock.advance(QUOTE_THROTTLE + 1)
    tickers.quotes(["NVDA"])
    assert kind_of(tickers, "NVDA") == "unknown"


def test_a_symbol_that_had_a_value_never_becomes_unknown(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    del provider.prices["AAPL"]
    for _ in range(3):
        clock.advance(3600)
        reading = tickers.quotes(["AAPL"])["AAPL"]
        assert reading.freshness == Freshness.STALE
        assert reading.failure is not None
        assert reading.failure.kind == "omitted"


def test_the_next_provider_is_asked_for_what_the_first_could_not_bring(clock: ManualClock) -> None:
    first = FakeProvider(clock, {"AAPL": 200.0}, name="first")
    second = FakeProvider(clock, {"MSFT": 400.0}, name="second")
    with service(clock, first, second) as tickers:
        readings = tickers.quotes(["AAPL", "MSFT"])
    assert {name: reading.record.source for name, reading in readings.items() if reading.record} == {
        "AAPL": "first",
        "MSFT": "second",
    }
    assert second.asked_symbols == ["MSFT"]


def test_unknown_is_believed_only_when_no_provider_failed_otherwise(clock: ManualClock) -> None:
    first, second = FakeProvider(clock, name="first"), FakeProvider(clock, name="second")
    first.failure = "rate_limited"
    with service(clock, first, second) as tickers:
        assert kind_of(tickers, "AAPL") == "rate_limited"


def test_refresh_fetches_however_fresh_and_keeps_the_old_value_on_failure(
    tickers: TickerService, provider: FakeProvider
) -> None:
    tickers.get_price("AAPL")
    provider.prices["AAPL"] = 201.0
    report = tickers.refresh([("AAPL", "quote")])
    assert report.outcomes["AAPL", "quote"].status == "fetched"
    assert tickers.get_price("AAPL") == 201.0
    provider.failure = "server"
    report = tickers.refresh([("AAPL", "quote")])
    assert report.outcomes["AAPL", "quote"].status == "kept"
    assert tickers.get_price("AAPL") == 201.0


def test_soft_invalidation_fetches_and_keeps_the_value_for_errors(
    tickers: TickerService, provider: FakeProvider
) -> None:
    tickers.get_price("AAPL")
    assert tickers.invalidate(["AAPL"], facets=["quote"]) == 1
    provider.failure = "server"
    with pytest.warns(StaleDataWarning):
        assert tickers.get_price("AAPL") == 200.0
    provider.failure = None


def test_hard_invalidation_forgets_value_and_failure(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.get_price("AAPL")
    tickers.invalidate(["AAPL"], hard=True)
    provider.failure = "server"
    with pytest.raises(DataUnavailable):
        tickers.get_price("AAPL")
    tickers.invalidate(["AAPL"], hard=True)
    provider.failure = None
    assert tickers.get_price("AAPL") == 200.0


def test_clear_cache_forgets_everything(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.quotes(["AAPL", "MSFT"])
    assert tickers.clear_cache() == 6
    tickers.get_price("AAPL")
    assert provider.requests == 2


def test_max_age_fetches_and_raises_with_the_stale_record(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    tickers.get_price("AAPL")
    clock.advance(60)
    assert tickers.get_price("AAPL", max_age=61) == 200.0
    assert provider.requests == 1
    assert tickers.get_price("AAPL", max_age=30) == 200.0
    assert provider.requests == 2
    provider.failure = "server"
    clock.advance(60)
    with pytest.raises(DataUnavailable, match="nothing younger than 30 s") as caught:
        tickers.get_price("AAPL", max_age=30)
    assert isinstance(caught.value.stale, Quote)


def test_offline_never_asks(clock: ManualClock, provider: FakeProvider) -> None:
    with service(clock, provider, settings=Settings(offline=True)) as tickers:
        with pytest.raises(DataUnavailable, match="no provider was asked"):
            tickers.get_price("AAPL")
        tickers.refresh(["AAPL"])
    assert provider.requests == 0


class NoSingleFlight(Flights):
    """The negative control: everybody fetches everything."""

    def claim(self, needs: Iterable[Need]) -> tuple[Flight | None, dict[Need, Flight]]:
        return Flight(1, dict.fromkeys(needs)), {}

    def wait(self, need: Need, flight: Flight, until: float) -> Reading[Record] | None:
        with self._changed:
            while need not in flight.readings:
                self._changed.wait()
        return flight.readings[need]


class NoLeases(LocalCoordinator):
    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        return set(keys)


@pytest.mark.parametrize(("flights", "fetched_once"), [(Flights, True), (NoSingleFlight, False)])
def test_threads_that_ask_at_once_share_one_fetch(flights: type[Flights], fetched_once: bool) -> None:
    clock = SystemClock()
    symbols = [f"S{letter}" for letter in "ABCDEFGHIJ"]
    provider = FakeProvider(clock, dict.fromkeys(symbols, 1.0))
    with service(clock, provider, stores=(MemoryLevel(clock), NoLeases(clock))) as tickers:
        tickers.engine._flights = tickers.engine._fetcher._flights = flights(clock)
        asked = threading.Barrier(9)
        answers: list[int] = []

        def ask(start: int) -> None:
            wanted = symbols[start:] + symbols[:start]
            asked.wait()
            answers.append(sum(reading.usable for reading in tickers.quotes(wanted).values()))

        provider.hold()
        threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
        for thread in threads:
            thread.start()
        asked.wait()
        provider.await_calls(1 if fetched_once else 8)
        provider.release()
        for thread in threads:
            thread.join()
    assert answers == [10] * 8
    assert (sorted(provider.asked_symbols) == sorted(symbols)) == fetched_once


class NoDetaching(Flights):
    def detach(self, needs: Iterable[Need]) -> None:
        pass


class NoRefusal(MemoryLevel):
    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        return super().put_many(table, records, begun=self.rev(), closes=closes)


@pytest.mark.parametrize(
    ("flights", "level", "price"), [(Flights, MemoryLevel, 201.0), (NoDetaching, NoRefusal, 200.0)]
)
def test_a_fetch_begun_before_an_invalidation_does_not_bring_the_old_value_back(
    flights: type[Flights], level: type[MemoryLevel], price: float
) -> None:
    clock = SystemClock()
    provider = FakeProvider(clock, {"AAPL": 200.0})
    with service(clock, provider, stores=(level(clock), LocalCoordinator(clock))) as tickers:
        tickers.engine._flights = tickers.engine._fetcher._flights = flights(clock)
        provider.hold()
        early = threading.Thread(target=tickers.quotes, args=(["AAPL"],))
        early.start()
        provider.await_calls(1)
        tickers.invalidate(["AAPL"], hard=True)
        provider.prices["AAPL"] = 201.0
        provider.release()
        early.join()
        assert tickers.get_price("AAPL") == price


def test_a_reader_gives_up_at_its_deadline_and_the_answer_still_fills_the_cache() -> None:
    clock = SystemClock()
    provider = FakeProvider(clock, {"AAPL": 200.0})
    with service(clock, provider) as tickers:
        provider.hold()
        with pytest.raises(DataUnavailable, match="no answer in time"):
            tickers.get_price("AAPL", timeout=0.02)
        provider.release()
        assert tickers.get_price("AAPL") == 200.0
    assert provider.requests == 1


def test_two_services_on_one_store_see_each_others_writes_and_invalidations(clock: ManualClock) -> None:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    provider = FakeProvider(clock, {"AAPL": 200.0})
    one, two = service(clock, provider, stores=stores), service(clock, provider, stores=stores)
    assert one.get_price("AAPL") == two.get_price("AAPL") == 200.0
    assert provider.requests == 1
    provider.prices["AAPL"] = 201.0
    two.refresh([("AAPL", "quote")])
    clock.advance(0.05)
    assert one.get_price("AAPL") == 201.0
    assert provider.requests == 2


def kind_of(tickers: TickerService, symbol: str) -> str | None:
    failure = tickers.quotes([symbol])[symbol].failure
    return failure.kind if failure else None


def wait_for(condition: Callable[[], bool]) -> bool:
    for _ in range(2000):
        if condition():
            return True
        threading.Event().wait(0.005)
    return False
