"""Refresh-ahead: what is due, who does it, how much of the rate it takes, and when it stops."""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections.abc import Collection, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_parts import fetches_ended
from quotewell import Refresher, TickerService
from quotewell.cache.memory_level import MemoryLevel
from quotewell.calendars import close_of, new_york_sessions
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Limit
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.freshness import LIFETIMES, judge, session_table
from quotewell.protocols import Coordinator
from quotewell.records import Facet, Failure, Profile, Quote
from quotewell.refresh import is_due, often_used
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
CLOSE = close_of(dt.date(2025, 1, 15))
"""A Wednesday's, 16:00 New York."""
NOON = CLOSE - 4 * HOUR
SYMBOLS = ["A", "B", "C"]
AHEAD = 30.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, dict.fromkeys(SYMBOLS, 100.0))


@pytest.fixture
def coordinator(clock: ManualClock) -> LocalCoordinator:
    return LocalCoordinator(clock)


def service(clock: ManualClock, provider: FakeProvider, coordinator: Coordinator) -> TickerService:
    stores = MemoryLevel(clock), coordinator
    return connect(Settings(calendars="plain"), clock=clock, providers=[provider], stores=stores)


@pytest.fixture
def tickers(
    clock: ManualClock, provider: FakeProvider, coordinator: LocalCoordinator
) -> Iterator[TickerService]:
    with service(clock, provider, coordinator) as made:
        made.read([(symbol, "quote") for symbol in SYMBOLS])
        fetches_ended()
        provider.calls.clear()
        yield made


def asked(provider: FakeProvider) -> list[tuple[str, ...]]:
    found = [tuple(sorted(call.symbols)) for call in provider.calls]
    provider.calls.clear()
    return found


# ----------------------------------------------------------------------------------------------- what is due


def due(record: Quote | Profile, now: float, facet: Facet = "quote") -> bool:
    sessions = session_table(record.symbol)
    judgement = judge(facet, record, LIFETIMES[facet], sessions if facet == "quote" else None, now)
    around = None if sessions is None else sessions(now)
    return is_due(facet, record, judgement, around, now=now, ahead=AHEAD)


def quote(fetched_at: float, symbol: str = "A") -> Quote:
    return Quote(symbol=symbol, last=1.0, as_of=fetched_at, fetched_at=fetched_at)


def test_a_quote_is_due_shortly_before_it_grows_old() -> None:
    judgement = judge("quote", quote(NOON), LIFETIMES["quote"], session_table("A"), NOON)
    assert not due(quote(NOON), judgement.fresh_until - AHEAD - 1.0)
    assert due(quote(NOON), judgement.fresh_until - AHEAD)
    assert due(quote(NOON), judgement.fresh_until + HOUR)


@given(st.floats(0.0, 14 * DAY), st.floats(0.0, 14 * DAY))
def test_no_quote_is_due_while_its_exchange_is_closed_but_once_for_the_closing_price(
    fetched: float, later: float
) -> None:
    fetched_at, now = CLOSE + fetched, CLOSE + fetched + later
    sessions = new_york_sessions(now)
    if due(quote(fetched_at), now) and not sessions.is_open:
        closing_price = sessions.previous.close + 20 * MINUTE
        assert fetched_at < closing_price <= now
        assert not due(quote(now), now), "once"


def test_the_closing_price_is_fetched_when_every_feed_shows_it() -> None:
    late = quote(CLOSE - MINUTE)
    assert not due(late, CLOSE + 19 * MINUTE)
    assert due(late, CLOSE + 21 * MINUTE)
    assert not due(quote(CLOSE + 21 * MINUTE), CLOSE + 12 * HOUR)


def test_currencies_follow_no_session() -> None:
    assert due(quote(CLOSE, "EURUSD=X"), CLOSE + 6 * HOUR)


def test_what_has_no_value_or_failed_lately_is_not_due() -> None:
    assert not due(Quote(symbol="A", failure=Failure("unknown", "", "x", 1, 0.0, 0.0, 0.0)), NOON)
    failed = quote(NOON - HOUR)
    failed.failure = Failure("server", "", "x", 1, NOON, NOON, NOON + 60.0)
    assert not due(failed, NOON + 59.0)
    assert due(failed, NOON + 60.0)


def test_a_name_is_due_a_month_later() -> None:
    profile = Profile(symbol="A", name="A", fetched_at=NOON)
    assert not due(profile, NOON + 26 * DAY, "profile")
    assert due(profile, NOON + 30 * DAY, "profile")


def test_the_watched_come_first_and_the_seldom_used_not_at_all() -> None:
    usage = [("A", 9.0), ("B", 5.0), ("C", 2.9)]
    assert often_used(["Z", "B"], usage) == ["Z", "B", "A"]
    assert often_used(["Z", "B"], usage, most=2) == ["Z", "B"]
    assert often_used([], usage, least=2.0) == ["A", "B", "C"]
    assert often_used([], []) == []


# ---------------------------------------------------------------------------------------------------- rounds


def test_a_round_refreshes_what_is_due_in_one_request(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    refresher = Refresher(tickers, SYMBOLS)
    assert refresher.round().refreshed == 0
    assert asked(provider) == []
    clock.advance(5 * MINUTE)
    provider.prices["A"] = 101.0
    status = refresher.round()
    assert (status.leads, status.symbols, status.requests, status.failed) == (True, 3, 1, 0)
    assert status.refreshed >= 3
    assert asked(provider) == [("A", "B", "C")]
    assert tickers.get_price("A") == 101.0
    assert asked(provider) == [], "it was fresh already"
    refresher.close()


def test_what_others_use_often_is_kept_warm_too(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock, coordinator: LocalCoordinator
) -> None:
    coordinator.add_usage({"B": 50.0, "C": 1.0})
    clock.advance(5 * MINUTE)
    refresher = Refresher(tickers)
    assert refresher.round().symbols == 1
    assert asked(provider) == [("B",)]
    refresher.close()


def test_to_look_for_what_is_due_counts_as_no_use(tickers: TickerService, clock: ManualClock) -> None:
    refresher = Refresher(tickers, SYMBOLS)
    before = tickers.engine.store.memory.hits("quote")
    for _ in range(5):
        refresher.round()
        clock.advance(30.0)
    assert tickers.engine.store.memory.hits("quote") == before
    refresher.close()


def test_nothing_is_asked_over_night_and_at_the_weekend(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    refresher = Refresher(tickers, SYMBOLS, period=300.0)
    clock.set_wall(CLOSE + 25 * MINUTE)
    refresher.round()
    assert len(asked(provider)) == 1, "the closing prices"
    friday = CLOSE + 2 * DAY + 25 * MINUTE
    opens = {new_york_sessions(CLOSE + day * DAY + 20 * HOUR).previous.open for day in range(5)}
    while clock.now() < friday + 3 * DAY:
        refresher.round()
        requests = asked(provider)
        sessions = new_york_sessions(clock.now())
        after_close = clock.now() - sessions.previous.close
        assert not requests or sessions.is_open or 20 * MINUTE <= after_close < 26 * MINUTE, clock.now()
        clock.advance(300.0)
    assert len(opens) >= 3
    refresher.close()


class NoLease(LocalCoordinator):
    """Negative control: everybody gets every lease."""

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        del token, seconds
        return set(keys)


@pytest.mark.parametrize("leases", [True, False])
def test_one_of_two_processes_refreshes(clock: ManualClock, leases: bool) -> None:
    shared = LocalCoordinator(clock) if leases else NoLease(clock)
    providers = [FakeProvider(clock, dict.fromkeys(SYMBOLS, 100.0)) for _ in range(2)]
    services = [service(clock, provider, shared) for provider in providers]
    refreshers = [Refresher(one, SYMBOLS) for one in services]
    for one in services:
        one.read([(symbol, "quote") for symbol in SYMBOLS])
    fetches_ended()
    clock.advance(5 * MINUTE)
    leading = [refresher.round().leads for refresher in refreshers]
    assert leading == ([True, False] if leases else [True, True])
    refreshers[0].close()
    clock.advance(5 * MINUTE)
    assert refreshers[1].round().leads, "the first has given it up"
    refreshers[1].close()
    for one in services:
        one.close()


def test_a_refresher_that_died_is_followed_after_its_lease(
    tickers: TickerService, clock: ManualClock, coordinator: LocalCoordinator
) -> None:
    assert coordinator.lease(["refresher"], "dead", 90.0)
    refresher = Refresher(tickers, SYMBOLS)
    assert not refresher.round().leads
    clock.advance(90.0)
    assert refresher.round().leads
    refresher.close()


def test_rounds_that_bring_nothing_come_less_often(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    provider.failure = "server"
    refresher = Refresher(tickers, SYMBOLS)
    waits = []
    for _ in range(8):
        clock.advance(HOUR / 4)
        status = refresher.round()
        assert status.error
        assert status.next_at is not None
        waits.append(status.next_at - clock.now())
    assert waits[:4] == [60.0, 120.0, 240.0, 480.0]
    assert waits[-1] == 900.0
    provider.failure = None
    clock.advance(HOUR / 4)
    status = refresher.round()
    assert (status.error, status.next_at) == ("", clock.now() + 30.0)
    refresher.close()


def test_a_round_takes_half_of_the_rate_at_most(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    names = [f"X{number}" for number in range(2_000)]
    provider.prices.update(dict.fromkeys(names, 1.0))
    tickers.read([(name, "quote") for name in names])
    fetches_ended()
    provider.limit = Limit(rate=1.0, burst=5)
    clock.advance(5 * MINUTE)
    refresher = Refresher(tickers, names, period=30.0, most=5_000)
    provider.calls.clear()
    status = refresher.round()
    assert len(provider.calls) <= 15
    assert status.postponed > 0
    assert asked(provider)[0] == tuple(sorted(names[:50])), "the most used first"
    refresher.close()


def test_offline_nothing_is_refreshed(clock: ManualClock, provider: FakeProvider) -> None:
    stores = MemoryLevel(clock), LocalCoordinator(clock)
    settings = Settings(offline=True, calendars="plain")
    with connect(settings, clock=clock, providers=[provider], stores=stores) as tickers:
        assert Refresher(tickers, SYMBOLS).round().error == "offline"
    assert provider.calls == []


class Broken(LocalCoordinator):
    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        raise CacheError("state.db: disk I/O error")


def test_a_coordinator_out_of_order_is_said_once(clock: ManualClock, provider: FakeProvider) -> None:
    with service(clock, provider, Broken(clock)) as tickers:
        refresher = Refresher(tickers, SYMBOLS)
        with pytest.warns(CacheDegradedWarning, match="nothing is refreshed in the background") as told:
            refresher.round()
        refresher.round()
        assert len(told) == 1
        assert "disk I/O error" in refresher.status().error
        refresher.close()


# ---------------------------------------------------------------------------------------------------- thread


def test_the_thread_makes_rounds_until_it_is_closed(
    tickers: TickerService, provider: FakeProvider, clock: ManualClock
) -> None:
    with Refresher(tickers, SYMBOLS) as refresher:
        for number in range(1, 4):
            assert settled(lambda number=number: refresher.status().rounds >= number)
            clock.advance(5 * MINUTE)
        with pytest.raises(RuntimeError, match="started once"):
            refresher.start()
    assert not [thread for thread in threading.enumerate() if thread.name == "quotewell-refresher"]
    refresher.close()


def settled(condition: object) -> bool:
    wait = threading.Event()
    for _ in range(3_000):
        if condition():  # type: ignore[operator]
            return True
        wait.wait(0.01)
    return False


def test_closing_does_not_wait_for_the_next_round(tickers: TickerService) -> None:
    refresher = Refresher(tickers, SYMBOLS, period=math.inf)
    refresher.start()
    assert settled(lambda: refresher.status().rounds == 1)
    refresher.close()
