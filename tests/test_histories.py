"""Histories are appended: what is stored decides what is asked, and a series is of one vintage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from quotewell import TickerService
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now
from quotewell.providers.appending import LONGEST
from quotewell.providers.yahoo_series import spark_range
from quotewell.records import Closes, Need
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect

DAY = 86_400.0
MORNING = 18 * 3600.0
"""From a close to the next morning, when the session of the day before is final."""
STOCKS = [f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(60)]


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(demo_now() - 7 * DAY + MORNING)


@pytest.fixture
def simulator(clock: ShiftedClock) -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=STOCKS, now=clock.now) as running:
        yield running


@pytest.fixture
def tickers(simulator: MarketSimulator, clock: ShiftedClock, tmp_path: Path) -> Iterator[TickerService]:
    settings = Settings(
        providers=("yahoo",),
        yahoo_base_url=simulator.yahoo_url,
        yahoo_rate=10_000.0,
        yahoo_burst=1_000,
        cache_dir=tmp_path,
        calendars="plain",
    )
    with connect(settings, clock=clock) as service:
        yield service


def history(symbols: Sequence[str]) -> list[Need]:
    return [(symbol, "history") for symbol in symbols]


def asked(simulator: MarketSimulator) -> list[tuple[str, int, str]]:
    """Endpoint, symbols and range of each request for closes."""
    found = []
    for request in simulator.data_requests:
        query = parse_qs(urlsplit(request.target).query)
        found.append((request.endpoint, len(request.symbols), query.get("range", ["whole"])[0]))
    return sorted(found)


def truth(simulator: MarketSimulator, clock: ShiftedClock, symbol: str) -> dict[int, float]:
    """The closes of all sessions that are over, as the market has them now."""
    listing = simulator.market.listing(symbol, bars=True)
    assert listing is not None
    today = dt.datetime.fromtimestamp(clock.now(), dt.UTC).toordinal()
    pairs = zip(listing.dates, listing.closes, strict=True)
    return {day: close for day, close in pairs if day < today and close is not None}


def assert_stored_is_true(tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock) -> None:
    for symbol, series in tickers.stored_closes(STOCKS).items():
        true = truth(simulator, clock, symbol)
        expected = sorted(true)[-len(series.dates) :]
        assert series.dates == expected
        assert series.closes == pytest.approx([true[day] for day in expected])


def test_the_next_day_costs_as_many_requests_for_a_month_each(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS))
    assert asked(simulator) == [("spark", 20, "5y")] * 3
    before = tickers.stored_closes(STOCKS[:1])[STOCKS[0]]
    simulator.clear_log()
    clock.advance(DAY)
    report = tickers.prefetch(history(STOCKS))
    assert report.counts()["fetched"] == 60
    assert asked(simulator) == [("spark", 20, "1mo")] * 3
    after = tickers.stored_closes(STOCKS[:1])[STOCKS[0]]
    assert (len(before.dates), len(after.dates)) == (LONGEST, LONGEST)
    assert after.dates[-2] == before.dates[-1]
    assert_stored_is_true(tickers, simulator, clock)
    coverage = tickers.history(STOCKS[:1])[STOCKS[0]].record
    assert coverage is not None
    assert (coverage.bars, coverage.last_date) == (LONGEST, after.dates[-1])


def test_new_symbols_share_a_request_of_the_whole_range_with_as_few_old_ones_as_can_be(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS[:30]))
    clock.advance(DAY)
    simulator.clear_log()
    tickers.prefetch(history(STOCKS[:40]))
    assert asked(simulator) == [("spark", 20, "1mo"), ("spark", 20, "5y")]
    assert_stored_is_true(tickers, simulator, clock)


def test_a_long_pause_asks_for_a_longer_range(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS[:2]))
    for days, expected in ((60, "3mo"), (120, "6mo")):
        clock.advance(days * DAY)
        simulator.clear_log()
        tickers.prefetch(history(STOCKS[:2]))
        assert asked(simulator) == [("spark", 2, expected)]
        assert_stored_is_true(tickers, simulator, clock)


def test_after_a_split_the_whole_series_is_of_the_new_vintage(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS))
    clock.advance(DAY)
    simulator.market.split(STOCKS[7], 4.0)
    simulator.clear_log()
    assert tickers.prefetch(history(STOCKS)).counts()["fetched"] == 60
    assert asked(simulator) == [("chart", 1, "whole"), *[("spark", 20, "1mo")] * 3]
    assert_stored_is_true(tickers, simulator, clock)
    series = tickers.stored_closes([STOCKS[7]])[STOCKS[7]]
    assert [split.ratio for split in series.splits] == [4.0]
    # The split stays known when a later answer, which does not tell of it, is put behind.
    clock.advance(DAY)
    tickers.prefetch(history(STOCKS))
    assert tickers.stored_closes([STOCKS[7]])[STOCKS[7]].splits == series.splits


def test_several_series_of_another_vintage_share_a_request(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS))
    stored = tickers.stored_closes(STOCKS[:5])
    clock.advance(DAY)
    for symbol, series in stored.items():
        simulator.market.correct(symbol, series.dates[-1], round(1.02 * series.closes[-1], 2))
    simulator.clear_log()
    tickers.prefetch(history(STOCKS))
    assert asked(simulator) == [("spark", 5, "5y"), *[("spark", 20, "1mo")] * 3]
    assert_stored_is_true(tickers, simulator, clock)


def test_while_the_whole_series_cannot_be_had_the_old_one_stays(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS[:1]))
    before = tickers.stored_closes(STOCKS[:1])
    clock.advance(DAY)
    simulator.market.split(STOCKS[0], 2.0)
    fault = simulator.fault("500", endpoint="chart")
    report = tickers.prefetch(history(STOCKS[:1]))
    assert fault.hits
    outcome = report.outcomes[STOCKS[0], "history"]
    assert outcome.status == "kept"
    assert outcome.reason.startswith("HTTP 500")
    assert tickers.stored_closes(STOCKS[:1]) == before
    simulator.clear_faults()
    clock.advance(DAY)
    tickers.prefetch(history(STOCKS[:1]))
    assert_stored_is_true(tickers, simulator, clock)


def test_an_invalidated_history_is_fetched_as_a_whole(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS[:1]))
    tickers.invalidate(STOCKS[:1], facets=["history"])
    simulator.clear_log()
    tickers.prefetch(history(STOCKS[:1]))
    assert asked(simulator) == [("spark", 1, "5y")]


def test_bars_that_were_lost_are_fetched_as_a_whole(
    tickers: TickerService, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    tickers.prefetch(history(STOCKS[:1]))
    store = tickers.engine.store
    records = list(store.load("history", STOCKS[:1]).values())
    empty = Closes(symbol=STOCKS[0], source="yahoo", dates=[], closes=[])
    assert store.level.put_many("history", records, begun=store.rev(), closes=[empty]) == set()
    clock.advance(DAY)
    tickers.prefetch(history(STOCKS[:1]))
    assert len(tickers.stored_closes(STOCKS[:1])[STOCKS[0]].dates) == LONGEST
    assert_stored_is_true(tickers, simulator, clock)


def test_a_beta_is_computed_from_the_appended_series(
    tickers: TickerService, clock: ShiftedClock, simulator: MarketSimulator
) -> None:
    tickers.prefetch(STOCKS[:1])
    clock.advance(8 * DAY)
    simulator.clear_log()
    tickers.prefetch(STOCKS[:1])
    assert ("spark", 2, "1mo") in asked(simulator)
    risk = tickers.risks(STOCKS[:1])[STOCKS[0]].record
    assert risk is not None
    assert (risk.n, risk.method) == (504, "ols_daily")
    assert risk.window_end is not None
    assert clock.now() - risk.window_end < 2 * DAY


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, "1mo"), (27, "1mo"), (28, "3mo"), (88, "3mo"), (178, "6mo"), (363, "1y"), (728, "2y"), (729, "5y")],
)
def test_the_shortest_range_that_reaches_back(days: int, expected: str) -> None:
    now = demo_now()
    today = dt.datetime.fromtimestamp(now, dt.UTC).toordinal()
    assert spark_range(today - days, now) == expected
    assert spark_range(None, now) == "5y"
