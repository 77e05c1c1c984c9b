"""The `snapshot` provider: the bundled, dated market of the demo, for use without a network.

Prices are facts (source `snapshot`): closes of 20 US companies and the S&P 500, 2020 to 2022, adjusted for
splits and dividends. The rates are not (source `demo`): a flat 4 %, which the option prices of the demo's
portfolio assume. Option quotes are not in it; the portfolio file itself reports them.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from quotewell import demo
from quotewell.calendars import close_of
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Clock
from quotewell.providers.treasury import TREASURY_YEARS
from quotewell.records import Closes, History, InstrumentType, Need, Profile, Quote, Rate, Record
from quotewell.symbols import kind

__all__ = ["SnapshotProvider"]

_NAME = "snapshot"
_ANY_NUMBER = 1_000_000


class _Instrument(msgspec.Struct, frozen=True):
    name: str
    type: InstrumentType
    exchange: str
    sector: str | None


class _Market(msgspec.Struct, frozen=True):
    source: str
    currency: str
    time_zone: str
    rate: float
    dates: list[dt.date]
    instruments: dict[str, _Instrument]
    closes: dict[str, list[float]]


class SnapshotProvider:
    """Answers from the bundled data; sends no requests.

    Args:
        clock: The time, for `fetched_at`; every price is as of `demo.demo_now()`.
    """

    name = _NAME
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(_NAME, "quote", frozenset(("quote", "profile", "rate")), _ANY_NUMBER, cost=0.0),
        Endpoint(_NAME, "history", frozenset(("history",)), _ANY_NUMBER, cost=0.0),
    )
    requests = 0
    handshake = 0
    limit = None
    waited = 0.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._market: _Market | None = None

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Look the call's symbols up. What the snapshot does not know is unknown."""
        del lane, deadline
        market = self._market
        if market is None:
            data = demo.content(demo.MARKET_FILE)
            market = self._market = msgspec.json.decode(data, type=_Market)
        now = self._clock.now()
        fetched = Fetched()
        for symbol in call.symbols:
            if symbol in TREASURY_YEARS:
                fetched.found[symbol, "rate"] = _rate(symbol, market, now)
            elif symbol in market.instruments and call.endpoint.name == "quote":
                fetched.found |= _quote_and_profile(symbol, market, now)
            elif symbol in market.instruments:
                fetched.closes[symbol] = closes = _closes(symbol, market)
                fetched.found[symbol, "history"] = _coverage(closes, market, now)
        for need in call.needs - fetched.found.keys():
            reason = _unsupported(need, market)
            if reason:
                fetched.failed[need] = ProviderError(_NAME, "unsupported", reason)
            else:
                fetched.unknown.add(need)
        return fetched

    def close(self) -> None:
        """Nothing is held open."""


def _quote_and_profile(symbol: str, market: _Market, now: float) -> dict[Need, Record]:
    instrument = market.instruments[symbol]
    previous, last = market.closes[symbol][-2:]
    return {
        (symbol, "quote"): Quote(
            symbol=symbol,
            source=_NAME,
            as_of=close_of(market.dates[-1]),
            fetched_at=now,
            last=last,
            previous_close=previous,
            currency=market.currency,
            exchange=instrument.exchange,
            type=instrument.type,
            market_state="CLOSED",
        ),
        (symbol, "profile"): Profile(
            symbol=symbol,
            source=_NAME,
            fetched_at=now,
            name=instrument.name,
            type=instrument.type,
            exchange=instrument.exchange,
            time_zone=market.time_zone,
            sector=instrument.sector,
            currency=market.currency,
        ),
    }


def _rate(symbol: str, market: _Market, now: float) -> Rate:
    return Rate(
        symbol=symbol,
        source="demo",
        as_of=close_of(market.dates[-1]),
        fetched_at=now,
        years=TREASURY_YEARS[symbol],
        rate=market.rate,
    )


def _closes(symbol: str, market: _Market) -> Closes:
    dates = [date.toordinal() for date in market.dates]
    return Closes(symbol=symbol, source=_NAME, dates=dates, closes=list(market.closes[symbol]))


def _coverage(closes: Closes, market: _Market, now: float) -> History:
    return History(
        symbol=closes.symbol,
        source=_NAME,
        as_of=close_of(market.dates[-1]),
        fetched_at=now,
        first_date=closes.dates[0],
        last_date=closes.dates[-1],
        bars=len(closes.dates),
        currency=market.currency,
    )


def _unsupported(need: Need, market: _Market) -> str | None:
    """Why the snapshot lacks this facet of a symbol that exists; None for a symbol that it does not know."""
    symbol, facet = need
    if symbol in market.instruments or symbol in TREASURY_YEARS:
        return f"the bundled snapshot has no {facet} of {symbol}"
    if kind(symbol) == "option":
        return f"the bundled snapshot has no options, so no {facet} of {symbol}"
    return None
