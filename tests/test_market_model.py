"""The market that is simulated: its prices, events and hours."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from quotewell.testing import ManualClock
from quotewell.testing.simulator import Instrument, Market, MarketSimulator
from quotewell.testing.simulator.instruments import instrument_for
from wire import KNOWN, SATURDAY, WEDNESDAY_NOON


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=KNOWN, now=WEDNESDAY_NOON) as simulator:
        yield simulator


# ------------------------------------------------------------------------------------------------- market


def closes(market: Market, symbol: str) -> tuple[list[int], np.ndarray]:
    listing = market.listing(symbol, bars=True)
    assert listing is not None
    return listing.dates, np.array(listing.closes, dtype=float)


@pytest.mark.parametrize("symbol", ["AAPL", "SPY", "KO", "TSLA", "ACME"])
def test_computed_betas_are_close_to_the_known_ones(symbol: str) -> None:
    market = Market([symbol], seed=3, now=SATURDAY)
    instrument = market.instrument(symbol)
    assert instrument is not None
    _, own = closes(market, symbol)
    _, benchmark = closes(market, "^GSPC")
    x, y = (np.diff(series[-505:]) / series[-505:-1] for series in (benchmark, own))
    beta = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    assert beta == pytest.approx(instrument.beta, abs=0.1)


def test_bars_are_on_weekdays_without_gaps_and_end_with_the_last_session() -> None:
    dates, _ = closes(Market(["AAPL"], now=SATURDAY), "AAPL")
    assert len(dates) > 5 * 250
    days = [dt.date.fromordinal(date) for date in dates]
    assert all(day.weekday() < 5 for day in days)
    assert {(later - earlier).days for earlier, later in itertools.pairwise(days)} == {1, 3}
    assert days[-1] == dt.date(2026, 10, 9)


def test_the_same_seed_is_the_same_market_and_another_seed_another() -> None:
    first, same, other = (Market(["ACME"], seed=seed, now=SATURDAY) for seed in (1, 1, 2))
    assert closes(first, "ACME")[1].tolist() == closes(same, "ACME")[1].tolist()
    assert closes(first, "ACME")[1].tolist() != closes(other, "ACME")[1].tolist()


def test_price_and_previous_close_agree_with_the_bars() -> None:
    market = Market(["AAPL"], now=SATURDAY)
    listing = market.listing("AAPL", bars=True)
    assert listing is not None
    assert listing.state == "CLOSED"
    assert [listing.previous_close, listing.price] == listing.closes[-2:]
    assert listing.price == 333.69
    assert listing.time == dt.datetime(2026, 10, 9, 20, 0, 1, tzinfo=dt.UTC).timestamp()


def test_a_running_session_moves_from_the_previous_close_to_its_own() -> None:
    clock = ManualClock(WEDNESDAY_NOON)
    market = Market(["AAPL"], now=clock.now)
    noon = market.listing("AAPL", bars=True)
    clock.set_wall(WEDNESDAY_NOON + 4 * 3600)
    evening = market.listing("AAPL", bars=True)
    assert noon is not None
    assert evening is not None
    assert (noon.state, evening.state) == ("REGULAR", "CLOSED")
    assert noon.previous_close == evening.previous_close == noon.closes[-2] == 333.69
    assert len(noon.closes) == len(evening.closes)
    assert evening.price is not None
    assert noon.price is not None
    assert abs(noon.price - 333.69) < abs(evening.price - 333.69)


def test_the_path_goes_on_when_the_clock_moves() -> None:
    clock = ManualClock(SATURDAY)
    market = Market(["AAPL"], now=clock.now)
    before, _ = closes(market, "AAPL")
    clock.set_wall(SATURDAY + 300 * 86400)
    after, _ = closes(market, "AAPL")
    assert after[: len(before)] == before
    assert 200 < len(after) - len(before) < 220


def test_abroad_days_sessions_and_currencies_are_the_exchanges() -> None:
    market = Market(["VOD.L", "7203.T", "SAP.DE", "SHOP.TO"], now=WEDNESDAY_NOON)
    listings = [market.listing(symbol) for symbol in ("VOD.L", "7203.T", "SAP.DE", "SHOP.TO")]
    assert [listing.currency for listing in listings if listing] == ["GBp", "JPY", "EUR", "CAD"]
    tokyo = listings[1]
    assert tokyo is not None
    assert (tokyo.state, tokyo.session_date) == ("CLOSED", dt.date(2026, 10, 7).toordinal())


def test_treasury_yields_in_percent_and_exchange_rates_are_always_listed() -> None:
    market = Market(now=SATURDAY)
    prices = {
        symbol: market.listing(symbol) for symbol in ("^IRX", "^FVX", "^TNX", "^TYX", "EURUSD=X", "JPYEUR=X")
    }
    assert all(listing is not None and listing.price is not None for listing in prices.values())
    assert {listing.price for symbol, listing in prices.items() if listing and symbol[0] == "^"} == {
        3.85,
        3.71,
        4.12,
        4.71,
    }
    euro = prices["EURUSD=X"]
    assert euro is not None
    assert (euro.price, euro.currency, euro.type) == (1.172, "USD", "currency")
    assert market.listing("XXXUSD=X") is None


def test_options_on_listed_underlyings_trade_until_they_expire() -> None:
    clock = ManualClock(SATURDAY)
    market = Market(["AAPL", "BRK-B"], now=clock.now)
    call, put = market.listing("AAPL261218C00300000"), market.listing("AAPL261218P00300000")
    assert call is not None
    assert put is not None
    assert call.price is not None
    assert put.price is not None
    years = (dt.datetime(2026, 12, 18, 21, tzinfo=dt.UTC).timestamp() - SATURDAY) / 365 / 86400
    assert call.price - put.price == pytest.approx(333.69 - 300 * math.exp(-0.04 * years), abs=0.02)
    assert call.bid is not None
    assert call.ask is not None
    assert call.bid < call.price < call.ask
    assert (call.type, call.underlying) == ("option", "AAPL")
    assert market.listing("BRKB261218C00500000") is not None
    assert market.listing("TSLA261218C00300000") is None
    clock.set_wall(SATURDAY + 90 * 86400)
    assert market.listing("AAPL261218C00300000") is None


def test_listings_come_and_go_and_prices_can_be_set() -> None:
    market = Market(now=SATURDAY)
    assert market.listing("AAPL") is None
    market.add("AAPL", Instrument(symbol="TINY", name="Tiny", type="stock", price=0.0123))
    market.set_price("AAPL", 1000.0)
    tiny, apple = market.listing("TINY"), market.listing("AAPL")
    assert tiny is not None
    assert apple is not None
    assert (tiny.price, apple.price) == (0.0123, 1000.0)
    assert apple.previous_close == pytest.approx(333.69, rel=0.1)
    market.set_price("AAPL", None)
    market.remove("TINY")
    apple = market.listing("AAPL")
    assert apple is not None
    assert apple.price == 333.69
    assert market.listing("TINY") is None
    assert "AAPL" in market.symbols


@pytest.mark.parametrize(
    ("symbol", "kind", "currency"),
    [
        ("BTC-EUR", "crypto", "EUR"),
        ("ES=F", "future", "USD"),
        ("^STOXX", "index", "USD"),
        ("SEKNOK=X", "currency", "NOK"),
        ("XYZ", "stock", "USD"),
        ("QQQ", "etf", "USD"),
        ("SPAXX", "money_market", "USD"),
        ("VTSAX", "fund", "USD"),
    ],
)
def test_any_symbol_is_an_instrument_of_its_kind(symbol: str, kind: str, currency: str) -> None:
    instrument = instrument_for(symbol)
    assert (instrument.type, instrument.currency) == (kind, currency)
    assert instrument.price > 0


def test_a_pair_of_unknown_currencies_can_be_listed_by_name() -> None:
    assert instrument_for("XAUXAG=X").type == "currency"


def test_a_market_of_few_years_has_fewer_bars() -> None:
    assert 250 < len(closes(Market(["AAPL"], now=SATURDAY, years=1), "AAPL")[0]) < 265
