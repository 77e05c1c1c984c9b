"""The service at an instant in the past; the clock stands on Wednesday, 15 January 2025, 10:00 New York."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from typing import cast
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.asof import AsOfSource
from quotewell.cache.memory_level import MemoryLevel
from quotewell.calendars import close_of
from quotewell.coordination.local import LocalCoordinator
from quotewell.protocols import TickerSource
from quotewell.records import (
    Closes,
    Dividend,
    Facet,
    Freshness,
    Fx,
    History,
    Need,
    Profile,
    Quote,
    Rate,
    Reading,
    Record,
    Split,
)
from quotewell.risks import compute_risks
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

DAY = 86400.0
MARKET = "^GSPC"


def at(text: str) -> float:
    """A New York wall time as epoch seconds."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


def ordinal(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal()


# Wednesday to Tuesday, over a weekend.
BARS = {
    "2025-01-08": 100.0,
    "2025-01-09": 101.0,
    "2025-01-10": 102.0,
    "2025-01-13": 103.0,
    "2025-01-14": 104.0,
}
FETCHED = at("2025-01-15 09:45")


def series(splits: tuple[Split, ...] = ()) -> Closes:
    return Closes(
        symbol="AAPL", source="fake", dates=[ordinal(day) for day in BARS], closes=list(BARS.values()),
        splits=splits,
    )  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, {"AAPL": 200.0})


@pytest.fixture
def tickers(clock: ManualClock, provider: FakeProvider) -> Iterator[TickerService]:
    with service(clock, provider) as made:
        yield made


def service(clock: ManualClock, *providers: FakeProvider, offline: bool = False) -> TickerService:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    return connect(Settings(offline=offline), clock=clock, providers=providers, stores=stores)


def keep(tickers: TickerService, facet: Facet, *records: Record, closes: Closes | None = None) -> None:
    """Put into the cache what a provider has once brought."""
    store = tickers.engine.store
    store.write(facet, records, begun=store.rev(), closes=[] if closes is None else [closes])


def keep_history(tickers: TickerService, closes: Closes | None = None) -> None:
    history = History(symbol="AAPL", source="fake", fetched_at=FETCHED, currency="USD")
    keep(tickers, "history", history, closes=closes or series())


def quote(as_of: str | None, fetched: str) -> Quote:
    return Quote(
        symbol="AAPL", source="fake", as_of=at(as_of) if as_of else None, fetched_at=at(fetched), last=55.0,
        bid=54.0, ask=56.0, suspect=999.0,
    )  # fmt: skip


def quote_at(tickers: TickerService, instant: float) -> Reading[Quote]:
    return AsOfSource(tickers, instant).quotes(["AAPL"])["AAPL"]


def price_at(tickers: TickerService, text: str) -> float | None:
    record = quote_at(tickers, at(text)).record
    return record.last if record else None


# ------------------------------------------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("instant", "price", "previous"),
    [
        ("2025-01-08 15:59", None, None),
        ("2025-01-08 16:00", 100.0, None),
        ("2025-01-09 15:59:59", 100.0, None),
        ("2025-01-09 16:00", 101.0, 100.0),
        ("2025-01-11 12:00", 102.0, 101.0),
        ("2025-01-13 15:59", 102.0, 101.0),
        ("2025-01-14 16:00", 104.0, 103.0),
    ],
)
def test_closes_are_the_prices_of_the_past(
    tickers: TickerService, provider: FakeProvider, instant: str, price: float | None, previous: float | None
) -> None:
    keep_history(tickers)
    record = quote_at(tickers, at(instant)).record
    assert (record.last if record else None, record.previous_close if record else None) == (price, previous)
    assert record is None or (record.source, record.currency, record.symbol) == ("fake", "USD", "AAPL")
    assert provider.requests == 0


def test_a_close_carries_its_time_and_when_it_was_fetched(tickers: TickerService) -> None:
    keep_history(tickers)
    provenance = quote_at(tickers, at("2025-01-11 12:00")).provenance
    assert provenance is not None
    assert (provenance.as_of, provenance.fetched_at) == (at("2025-01-10 16:00"), FETCHED)


def test_closes_without_coverage_have_no_currency(tickers: TickerService) -> None:
    keep_history(tickers)
    # As a cache of an earlier version may have it, which stored closes whatever became of their record.
    level = tickers.engine.store.level
    assert isinstance(level, MemoryLevel)
    level._tables["history"].clear()
    tickers.engine.store.memory.clear()
    record = quote_at(tickers, at("2025-01-10 16:00")).record
    assert record is not None
    assert (record.last, record.currency, record.fetched_at) == (102.0, None, at("2025-01-10 16:00"))


@pytest.mark.parametrize(
    ("instant", "freshness"),
    [
        pytest.param("2025-01-10 16:00", Freshness.FRESH, id="at the close"),
        pytest.param("2025-01-10 22:00", Freshness.FRESH, id="in the evening"),
        pytest.param("2025-01-11 16:00", Freshness.FRESH, id="on Saturday"),
        pytest.param("2025-01-13 09:29", Freshness.FRESH, id="before the next open"),
        pytest.param("2025-01-13 12:00", Freshness.STALE, id="while the next session runs"),
        pytest.param("2025-01-14 16:00", Freshness.FRESH, id="the last close"),
        pytest.param("2025-06-30 16:00", Freshness.STALE, id="months later"),
    ],
)
def test_a_close_is_fresh_until_the_next_session_opens_and_never_worse_than_stale(
    tickers: TickerService, clock: ManualClock, instant: str, freshness: Freshness
) -> None:
    clock.set_wall(at("2025-07-01 10:00"))
    keep_history(tickers)
    reading = quote_at(tickers, at(instant))
    assert (reading.freshness, reading.usable) == (freshness, True)


@pytest.mark.parametrize(
    ("cached", "instant", "price"),
    [
        pytest.param(quote("2025-01-13 11:00", "2025-01-13 11:00"), "2025-01-13 12:00", 55.0, id="newer"),
        pytest.param(quote("2025-01-13 11:00", "2025-01-13 11:00"), "2025-01-13 10:59", 102.0, id="later"),
        pytest.param(
            quote("2025-01-10 11:00", "2025-01-13 11:00"), "2025-01-13 12:00", 102.0, id="older trade"
        ),
        pytest.param(quote(None, "2025-01-13 11:00"), "2025-01-13 12:00", 55.0, id="newer, undated"),
        pytest.param(quote(None, "2025-01-13 11:00"), "2025-01-13 10:59", 102.0, id="later, undated"),
        pytest.param(quote(None, "2025-01-10 11:00"), "2025-01-13 12:00", 102.0, id="older, undated"),
    ],
)
def test_a_cached_quote_counts_if_it_is_the_later_of_what_was_known(
    tickers: TickerService, cached: Quote, instant: str, price: float
) -> None:
    keep_history(tickers)
    keep(tickers, "quote", cached)
    assert price_at(tickers, instant) == price


bars = st.dictionaries(
    st.integers(ordinal("2025-01-02"), ordinal("2025-01-14")), st.floats(1.0, 2.0), max_size=8
)
times = st.floats(at("2025-01-02 00:00"), at("2025-01-15 10:00"))


@given(bars, st.none() | times, times)
def test_nothing_later_than_the_instant_is_used(
    closes: dict[int, float], traded_at: float | None, instant: float
) -> None:
    clock = ManualClock()
    with service(clock) as tickers:
        days = sorted(closes)
        kept = Closes(symbol="AAPL", source="fake", dates=days, closes=[closes[day] for day in days])
        keep_history(tickers, kept)
        known = {(close_of(dt.date.fromordinal(day)), close) for day, close in closes.items()}
        if traded_at is not None:
            keep(tickers, "quote", Quote(symbol="AAPL", as_of=traded_at, fetched_at=traded_at, last=9.0))
            if instant - traded_at <= 7 * DAY:  # an older quote is never served
                known.add((traded_at, 9.0))
        reading = quote_at(tickers, instant)
    past = {(time, price) for time, price in known if time <= instant}
    last = max((time for time, _ in past), default=0.0)
    if reading.record is None:
        assert not past
        assert reading.failure is not None
    else:
        assert reading.record.as_of == last
        assert (last, reading.record.last) in past


@pytest.mark.parametrize(
    ("instant", "price", "previous"),
    [
        pytest.param("2025-01-09 16:00", 1010.0, 1000.0, id="well before the split"),
        pytest.param("2025-01-10 20:00", 1020.0, 1010.0, id="the evening before"),
        pytest.param("2025-01-12 12:00", 1020.0, 1010.0, id="the day before"),
        pytest.param("2025-01-13 12:00", 102.0, 101.0, id="the new shares trade, the close is of the old"),
        pytest.param("2025-01-13 16:00", 103.0, 102.0, id="after the split"),
    ],
)
def test_splits_after_the_instant_are_undone(
    tickers: TickerService, instant: str, price: float, previous: float
) -> None:
    keep_history(tickers, series((Split(ordinal("2025-01-06"), 7.0), Split(ordinal("2025-01-13"), 10.0))))
    record = quote_at(tickers, at(instant)).record
    assert record is not None
    assert (record.last, record.previous_close) == (price, previous)


@pytest.mark.parametrize(
    ("fetched", "instant", "has_book"),
    [
        pytest.param("2025-01-13 15:00", "2025-01-13 15:00", True, id="asked for then"),
        pytest.param("2025-01-13 15:00", "2025-01-13 14:00", False, id="asked for later that day"),
        pytest.param("2025-01-13 20:00", "2025-01-13 16:00", True, id="the book of the close"),
        pytest.param("2025-01-13 20:00", "2025-01-13 15:00", False, id="the book of a later close"),
        pytest.param("2025-01-14 12:00", "2025-01-13 16:00", False, id="asked for in the next session"),
    ],
)
def test_bid_and_ask_of_after_the_instant_are_left_out(
    tickers: TickerService, fetched: str, instant: str, has_book: bool
) -> None:
    keep(tickers, "quote", quote("2025-01-13 10:00", fetched))
    record = quote_at(tickers, at(instant)).record
    assert record is not None
    assert (record.last, record.bid, record.ask, record.suspect) == (
        (55.0, 54.0, 56.0, 999.0) if has_book else (55.0, None, None, None)
    )


# ------------------------------------------------------------------------------------------- other facets

Reader = Callable[[TickerSource, str], Reading[Record]]
KNOWN_AT = at("2025-01-13 12:00")
READERS: dict[Facet, tuple[Reader, Record]] = {
    "dividend": (
        lambda source, name: cast("Reading[Record]", source.dividends([name])[name]),
        Dividend(symbol="X", source="fake", fetched_at=KNOWN_AT, dividend_yield=0.02),
    ),
    "rate": (
        lambda source, name: cast("Reading[Record]", source.rates([name])[name]),
        Rate(symbol="X", source="fake", fetched_at=KNOWN_AT, rate=0.04),
    ),
    "fx": (
        lambda source, name: cast("Reading[Record]", source.fx([name])[name]),
        Fx(symbol="X", source="fake", fetched_at=KNOWN_AT, rate=1.1),
    ),
}


@pytest.mark.parametrize("facet", READERS)
def test_what_was_known_at_the_instant_is_served_and_judged_then(
    tickers: TickerService, clock: ManualClock, provider: FakeProvider, facet: Facet
) -> None:
    read, record = READERS[facet]
    keep(tickers, facet, msgspec.structs.replace(record))
    clock.advance(400 * DAY)  # far too old by now

    def at_age(seconds: float) -> Reading[Record]:
        return read(AsOfSource(tickers, KNOWN_AT + seconds), "X")

    found = [at_age(seconds) for seconds in (-1.0, 0.0, 6 * DAY, 31 * DAY)]
    assert [reading.freshness for reading in found] == [
        Freshness.NONE, Freshness.FRESH, Freshness.STALE, Freshness.NONE,
    ]  # fmt: skip
    fetched = [reading.record.fetched_at if reading.record else None for reading in found]
    assert fetched == [None, KNOWN_AT, KNOWN_AT, None]
    reasons = [reading.failure.reason if reading.failure else "" for reading in found]
    assert reasons == [
        f"no {facet} is cached from before the valuation instant", "", "",
        f"the cached {facet} was too old at the valuation instant",
    ]  # fmt: skip
    assert provider.requests == 0


def test_the_time_of_the_market_counts_before_the_time_of_the_fetch(tickers: TickerService) -> None:
    keep(tickers, "rate", Rate(symbol="^IRX", as_of=at("2025-01-13 16:00"), fetched_at=FETCHED, rate=0.04))
    keep(tickers, "fx", Fx(symbol="EURUSD=X", as_of=at("2025-01-14 12:00"), fetched_at=FETCHED, rate=1.1))
    source = AsOfSource(tickers, at("2025-01-13 16:00"))
    assert source.rates(["^IRX"])["^IRX"].freshness == Freshness.FRESH
    assert source.fx(["eur/usd"])["EURUSD=X"].record is None


def test_profiles_have_no_past(tickers: TickerService, provider: FakeProvider) -> None:
    keep(tickers, "profile", Profile(symbol="AAPL", source="fake", fetched_at=FETCHED, name="Apple"))
    readings = AsOfSource(tickers, at("2020-01-02 16:00")).profiles(["aapl", "MSFT"])
    assert readings["AAPL"].record is not None
    assert readings["AAPL"].record.name == "Apple"
    assert readings["MSFT"].record is None
    assert provider.requests == 0


def wave(n: int, phase: float) -> list[float]:
    return [100.0 + 5.0 * math.sin(day + phase) for day in range(n)]


def test_betas_come_from_the_closes_up_to_the_instant(clock: ManualClock, provider: FakeProvider) -> None:
    provider.histories = {"AAPL": wave(300, 0.3), MARKET: wave(300, 0.0), "NEW": wave(50, 0.0)}
    with service(clock, provider) as tickers:
        instant = at("2024-12-02 16:00")
        source = AsOfSource(tickers, instant)
        as_protocol: TickerSource = source
        assert as_protocol.now() == instant
        assert source.settings is tickers.settings
        names = ("AAPL", "NEW")
        source.prefetch((name, "risk") for name in names)
        requests = provider.requests
        readings = source.risks(["aapl", "NEW", MARKET])
        stored = tickers.stored_closes([*names, MARKET])
        expected, _, _ = compute_risks([*names, MARKET], MARKET, stored, instant)
        today, _, _ = compute_risks([*names, MARKET], MARKET, stored, clock.now())
    assert readings["AAPL"].record == expected["AAPL"] != today["AAPL"]
    assert readings["AAPL"].freshness == Freshness.FRESH
    assert (expected["AAPL"].window_end or 0.0) <= instant
    assert readings["NEW"].record is None
    assert readings["NEW"].failure is not None
    assert readings["NEW"].failure.reason.endswith("126 are needed before the valuation instant")
    assert readings[MARKET].record == expected[MARKET]
    assert provider.requests == requests


# ----------------------------------------------------------------------------------------------- prefetch


NEEDS: list[Need] = [
    ("AAPL", "quote"), ("AAPL", "risk"), ("MSFT", "risk"), ("TLT", "dividend"), ("IBM", "profile"),
    ("EURUSD=X", "fx"), ("AAPL250417C00220000", "quote"),
]  # fmt: skip


def test_prefetch_asks_for_nothing_but_histories(tickers: TickerService, provider: FakeProvider) -> None:
    provider.histories = {"AAPL": [1.0, 2.0], MARKET: [3.0, 4.0]}
    report = AsOfSource(tickers, at("2025-01-13 16:00")).prefetch(NEEDS)
    assert {need: outcome.status for need, outcome in report.outcomes.items()} == {
        ("AAPL", "history"): "fetched", ("MSFT", "history"): "unknown", (MARKET, "history"): "fetched",
    }  # fmt: skip
    assert {call.endpoint.name for call in provider.calls} == {"history"}
    assert price_at(tickers, "2025-01-13 16:00") == 1.0


def test_offline_it_asks_for_nothing_and_answers_from_what_is_stored(
    clock: ManualClock, provider: FakeProvider
) -> None:
    with service(clock, provider, offline=True) as tickers:
        keep_history(tickers)
        source = AsOfSource(tickers, at("2025-01-13 16:00"))
        report = source.prefetch(NEEDS)
        assert report.outcomes["AAPL", "history"].status == "fresh"
        assert report.outcomes["MSFT", "history"].status == "failed"
        assert price_at(tickers, "2025-01-13 16:00") == 103.0
        price, beta = source.quotes(["MSFT"])["MSFT"], source.risks(["MSFT"])["MSFT"]
        assert price.record is None
        assert beta.record is None
        assert price.failure is not None
        assert beta.failure is not None
    assert provider.requests == 0
