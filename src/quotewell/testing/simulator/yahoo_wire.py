"""What Yahoo's endpoints answer, made from listings; shapes as recorded in autumn 2026."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from quotewell.records import InstrumentType
from quotewell.testing.simulator.market import Listing

__all__ = [
    "chart_answer",
    "not_found",
    "quote_answer",
    "range_start",
    "spark_answer",
    "summary_answer",
    "timeseries_answer",
    "unauthorized",
]

QUOTE_TYPES: dict[InstrumentType, str] = {
    "stock": "EQUITY",
    "etf": "ETF",
    "fund": "MUTUALFUND",
    "money_market": "MONEYMARKET",
    "index": "INDEX",
    "option": "OPTION",
    "currency": "CURRENCY",
    "crypto": "CRYPTOCURRENCY",
    "future": "FUTURE",
    "bond": "BOND",
}
_ALWAYS = frozenset(
    (
        "language",
        "region",
        "quoteType",
        "typeDisp",
        "exchange",
        "exchangeTimezoneName",
        "gmtOffSetMilliseconds",
        "fullExchangeName",
        "market",
        "marketState",
        "sourceInterval",
        "exchangeDataDelayedBy",
        "tradeable",
        "symbol",
    )
)
_ONLY_WHEN_LISTED = frozenset(("beta",))
_RANGE_DAYS = {
    "1d": 1,
    "5d": 7,
    "1mo": 31,
    "3mo": 92,
    "6mo": 183,
    "1y": 366,
    "2y": 731,
    "5y": 1827,
    "10y": 3653,
    "max": 1_000_000,
}


def quote_answer(listings: Sequence[Listing], fields: Sequence[str] = ()) -> dict[str, Any]:
    """The body of `/v7/finance/quote`; `fields` limits the row, and only there `beta` is given."""
    return {"quoteResponse": {"result": [_quote_row(listing, fields) for listing in listings], "error": None}}


def spark_answer(listings: Sequence[Listing], range_: str, now: float) -> dict[str, Any]:
    """The body of `/v7/finance/spark` for listings with bars."""
    rows = []
    for listing in listings:
        timestamps, closes = _bars(listing, range_start(range_, now), now)
        response = {
            "meta": _meta(listing, closes),
            "timestamp": timestamps,
            "indicators": {"quote": [{"close": closes}]},
        }
        rows.append({"symbol": listing.symbol, "response": [response]})
    return {"spark": {"result": rows, "error": None}}


def range_start(range_: str, now: float) -> float:
    """The instant at which a range like `1mo` that ends now begins; a range that is not known is a day."""
    return now - _RANGE_DAYS.get(range_, 1) * 86400.0


def chart_answer(listing: Listing, start: float, end: float) -> dict[str, Any]:
    """The body of `/v8/finance/chart/{symbol}` for a listing with bars."""
    timestamps, closes = _bars(listing, start, end)
    result: dict[str, Any] = {"meta": _meta(listing, closes)}
    if timestamps:
        events = _events(listing, start, end)
        if events:
            result["events"] = events
        result["timestamp"] = timestamps
        result["indicators"] = {
            # The market trades without volumes.
            "quote": [
                {
                    "close": closes,
                    "open": closes,
                    "high": closes,
                    "low": closes,
                    "volume": [None] * len(closes),
                }
            ],
            "adjclose": [{"adjclose": closes}],
        }
    else:
        result["indicators"] = {"quote": [{}], "adjclose": [{}]}
    return {"chart": {"result": [result], "error": None}}


def summary_answer(listing: Listing) -> dict[str, Any]:
    """The body of `/v10/finance/quoteSummary/{symbol}`."""
    detail = {
        "maxAge": 1,
        "previousClose": listing.previous_close,
        "dividendYield": listing.dividend_yield or None,
        "trailingAnnualDividendYield": listing.dividend_yield,
        "beta": listing.beta,
        "currency": listing.currency,
    }
    described = {
        "symbol": listing.symbol,
        "quoteType": QUOTE_TYPES[listing.type],
        "shortName": listing.name,
        "longName": listing.name,
        "exchange": listing.exchange,
        "timeZoneFullName": listing.time_zone,
    }
    is_fund = listing.type in ("fund", "etf")
    modules = {
        "summaryDetail": {key: value for key, value in detail.items() if value is not None},
        "defaultKeyStatistics": {"maxAge": 1, "beta3Year": 1.0} if is_fund else {"maxAge": 1},
        "quoteType": described,
    }
    return {"quoteSummary": {"result": [modules], "error": None}}


def timeseries_answer(symbol: str, types: Sequence[str]) -> dict[str, Any]:
    """The body of `/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}`: the market has no figures."""
    rows = [{"meta": {"symbol": [symbol], "type": [type_]}} for type_ in types]
    return {"timeseries": {"result": rows, "error": None}}


def unauthorized(description: str) -> dict[str, Any]:
    """The body of a 401."""
    return {"finance": {"result": None, "error": {"code": "Unauthorized", "description": description}}}


def not_found(endpoint: str, symbol: str) -> dict[str, Any]:
    """The body of the 404 with which `chart` and `quote_summary` answer for an unknown symbol."""
    if endpoint == "chart":
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return {"chart": {"result": None, "error": error}}
    error = {"code": "Not Found", "description": f"Quote not found for symbol: {symbol}"}
    return {"quoteSummary": {"result": None, "error": error}}


def _quote_row(listing: Listing, fields: Sequence[str]) -> dict[str, Any]:
    offset = (
        dt.datetime.fromtimestamp(listing.time, ZoneInfo(listing.time_zone)).utcoffset() or dt.timedelta()
    )
    row = {
        "language": "en-US",
        "region": "US",
        "quoteType": QUOTE_TYPES[listing.type],
        "typeDisp": QUOTE_TYPES[listing.type].title(),
        "currency": listing.currency,
        "symbol": listing.symbol,
        "shortName": listing.name,
        "longName": listing.name,
        "regularMarketPrice": listing.price,
        "regularMarketPreviousClose": listing.previous_close,
        "regularMarketTime": listing.time,
        "bid": listing.bid,
        "ask": listing.ask,
        "marketState": listing.state,
        "exchange": listing.exchange,
        "fullExchangeName": listing.exchange,
        "exchangeTimezoneName": listing.time_zone,
        "gmtOffSetMilliseconds": int(offset.total_seconds() * 1000),
        "market": "us_market",
        "sourceInterval": 15,
        "exchangeDataDelayedBy": 0,
        "tradeable": False,
        "beta": listing.beta,
    }
    if listing.dividend_yield is not None:
        row["trailingAnnualDividendYield"] = listing.dividend_yield
        if listing.dividend_yield > 0.0:
            row["dividendYield"] = round(listing.dividend_yield * 100, 2)
    if listing.underlying is not None:
        row["underlyingSymbol"] = listing.underlying
    wanted = _ALWAYS | set(fields) if fields else row.keys() - _ONLY_WHEN_LISTED
    # `currency: null` is a thing that happens; other fields are left out when there is nothing to say.
    return {
        key: value for key, value in row.items() if key in wanted and (value is not None or key in _NULLABLE)
    }


_NULLABLE = frozenset(("currency", "regularMarketPrice", "regularMarketPreviousClose"))


def _meta(listing: Listing, closes: Sequence[float | None]) -> dict[str, Any]:
    zone = ZoneInfo(listing.time_zone)
    offset = dt.datetime.fromtimestamp(listing.session_open, zone).utcoffset() or dt.timedelta()
    seconds = int(offset.total_seconds())
    regular = {
        "timezone": zone.key,
        "start": listing.session_open,
        "end": listing.session_close,
        "gmtoffset": seconds,
    }
    return {
        "currency": listing.currency,
        "symbol": listing.symbol,
        "exchangeName": listing.exchange,
        "instrumentType": QUOTE_TYPES[listing.type],
        "regularMarketTime": listing.time,
        "gmtoffset": seconds,
        "exchangeTimezoneName": listing.time_zone,
        "regularMarketPrice": listing.price,
        "chartPreviousClose": closes[0] if closes else None,
        "currentTradingPeriod": {"regular": regular},
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": list(_RANGE_DAYS),
    }


def _bars(listing: Listing, start: float, end: float) -> tuple[list[int], list[float | None]]:
    """Timestamps (the session's opening) and closes between two instants."""
    timestamps, closes = [], []
    for day, close in zip(listing.dates, listing.closes, strict=True):
        opening = _opening(listing.time_zone, day)
        if start <= opening <= end:
            timestamps.append(opening)
            closes.append(close)
    return timestamps, closes


@functools.lru_cache(maxsize=65_536)  # every symbol of an exchange has the same days
def _opening(time_zone: str, day: int) -> int:
    return int(dt.datetime.combine(dt.date.fromordinal(day), dt.time(9, 30), ZoneInfo(time_zone)).timestamp())


def _events(listing: Listing, start: float, end: float) -> dict[str, Any]:
    dividends, splits = {}, {}
    for day, amount in listing.dividends:
        at = _opening(listing.time_zone, day)
        if start <= at <= end:
            dividends[str(at)] = {"amount": amount, "date": at}
    for day, ratio in listing.splits:
        at = _opening(listing.time_zone, day)
        if start <= at <= end:
            splits[str(at)] = {
                "date": at,
                "numerator": ratio,
                "denominator": 1.0,
                "splitRatio": f"{ratio:g}:1",
            }
    return {name: events for name, events in (("dividends", dividends), ("splits", splits)) if events}
