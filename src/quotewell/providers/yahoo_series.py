"""Daily bars from Yahoo's spark and chart answers; pure.

Closes are adjusted for splits only, and days are those of the exchange. The bar of a session that still runs
is left out: its close is not one yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quotewell.calendars import close_of
from quotewell.errors import ProviderError
from quotewell.providers.appending import LONGEST
from quotewell.providers.yahoo_parse import NAME, mapping, number, result_of, rows_of, text
from quotewell.records import Closes, DividendEvent, History, Payouts, Split

__all__ = ["Series", "chart_payouts", "chart_series", "spark_range", "spark_series"]

_DATA_DELAY = 1200.0
_ALL = "5y"
_RANGES = (("1mo", 27), ("3mo", 88), ("6mo", 178), ("1y", 363), ("2y", 728))
"""With the days that each surely reaches back, the shortest month and the time zones considered."""
_NEW_YORK = "America/New_York"

Series = tuple[History, Closes]
"""The coverage record and the bars it is about; both cover at least one bar."""

Wire = Mapping[str, Any]


def spark_range(since: int | None, now: float) -> str:
    """The shortest `range` of a spark request that reaches back to the day `since`; five years for None.

    Args:
        since: Ordinal day.
        now: Epoch seconds.
    """
    if since is None:
        return _ALL
    days = dt.datetime.fromtimestamp(now, dt.UTC).toordinal() - since
    return next((name for name, reach in _RANGES if days <= reach), _ALL)


def spark_series(payload: object, asked: Collection[str], fetched_at: float) -> dict[str, Series | None]:
    """The series in a spark answer, in the form of v7 (`spark.result[]`) or v8 (by symbol).

    Args:
        payload: The decoded answer.
        asked: The canonical symbols.
        fetched_at: Epoch seconds at which the answer arrived.

    Returns:
        By symbol; None where the symbol was answered without any usable close, absent where it was left out.

    Raises:
        ProviderError: `server` or `invalid`, when the answer is an error or of no known shape.
    """
    body = mapping(payload)
    flat = {symbol: mapping(body.get(symbol)) for symbol in asked if "close" in mapping(body.get(symbol))}
    if flat:
        return {
            symbol: _series(symbol, row, row.get("timestamp"), row.get("close"), fetched_at)
            for symbol, row in flat.items()
        }
    found: dict[str, Series | None] = {}
    for symbol, row in rows_of(result_of(payload, "spark"), asked):
        if found.get(symbol) is None:
            found[symbol] = _series_of(symbol, _first(row.get("response")), fetched_at)
    return found


def chart_series(payload: object, symbol: str, fetched_at: float) -> Series | None:
    """The series in an answer of `/v8/finance/chart/{symbol}`, with splits and dividends.

    Returns:
        None when there is no usable close.

    Raises:
        ProviderError: `server` or `invalid`, when the answer is an error, empty or about another symbol.
    """
    result = _first(result_of(payload, "chart"))
    answered = text(mapping(result.get("meta")).get("symbol"))
    if not result or answered not in (None, symbol):
        raise ProviderError(NAME, "invalid", f"the chart for {symbol} is about {answered or 'nothing'}")
    return _series_of(symbol, result, fetched_at)


def chart_payouts(series: Series) -> Payouts:
    """The dividends of a chart that reaches back as far as there are closes; none of them is an answer, too.

    Yahoo brings their amounts to the shares of the day on which it is asked.
    """
    history, closes = series
    return Payouts(
        symbol=history.symbol,
        source=NAME,
        as_of=history.as_of,
        fetched_at=history.fetched_at,
        events=closes.dividends,
    )


def _series_of(symbol: str, result: Wire, fetched_at: float) -> Series | None:
    bars = _first(mapping(result.get("indicators")).get("quote"))
    series = _series(
        symbol, mapping(result.get("meta")), result.get("timestamp"), bars.get("close"), fetched_at
    )
    if series is not None:
        zone = _zone(mapping(result.get("meta")))
        events = mapping(result.get("events"))
        series[1].splits = _splits(events, zone)
        series[1].dividends = _dividends(events, zone, series[0].currency)
    return series


def _series(symbol: str, meta: Wire, timestamps: object, closes: object, fetched_at: float) -> Series | None:
    """Bars from two lists of equal length; `meta` may lack any of its fields."""
    if not isinstance(timestamps, list) or not isinstance(closes, list):
        return None
    zone = _zone(meta)
    unfinished = _unfinished_day(meta, zone, fetched_at)
    bars: dict[int, float] = {}
    last_at = 0.0
    for stamp, close in list(zip(timestamps, closes, strict=False))[-LONGEST - 1 :]:
        at, price = number(stamp), number(close)
        day = None if at is None else _day(at, zone)
        if at is None or day is None or price is None or price <= 0.0 or day >= unfinished:
            continue
        bars[day] = price
        last_at = max(last_at, at)
    if not bars:
        return None
    dates = sorted(bars)[-LONGEST:]
    traded = number(meta.get("regularMarketTime"))
    if traded is not None and _day(traded, zone) == dates[-1]:
        last_at = max(last_at, traded)
    history = History(
        symbol=symbol,
        source=NAME,
        as_of=last_at,
        fetched_at=fetched_at,
        first_date=dates[0],
        last_date=dates[-1],
        bars=len(dates),
        currency=text(meta.get("currency")),
    )
    return history, Closes(symbol=symbol, source=NAME, dates=dates, closes=[bars[day] for day in dates])


def _unfinished_day(meta: Wire, zone: dt.tzinfo, now: float) -> int:
    """The first day whose bar is not final.

    A session's bar is final 20 minutes after its end, when free feeds show the closing price. Where the
    answer does not say when its session ends, New York's close counts for New York, the end of the day
    elsewhere.
    """
    today = dt.datetime.fromtimestamp(now, zone).date()
    regular = mapping(mapping(meta.get("currentTradingPeriod")).get("regular"))
    start, end = number(regular.get("start")), number(regular.get("end"))
    session = None if start is None else _day(start, zone)
    if session is None or end is None:
        if meta.get("exchangeTimezoneName") != _NEW_YORK:
            return today.toordinal()
        session, end = today.toordinal(), close_of(today)
    return session if now < end + _DATA_DELAY else session + 1


def _zone(meta: Wire) -> dt.tzinfo:
    """The exchange's zone by name, else by its offset, else UTC."""
    name = text(meta.get("exchangeTimezoneName"))
    if name is not None:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # a name that this machine does not know: the offset serves
    offset = number(meta.get("gmtoffset")) or 0.0
    return dt.timezone(dt.timedelta(seconds=offset)) if abs(offset) < 86400.0 else dt.UTC


def _day(at: float, zone: dt.tzinfo) -> int | None:
    try:
        return dt.datetime.fromtimestamp(at, zone).toordinal()
    except (ValueError, OverflowError, OSError):
        return None


def _splits(events: Wire, zone: dt.tzinfo) -> tuple[Split, ...]:
    found = []
    for event in mapping(events.get("splits")).values():
        at, new = number(mapping(event).get("date")), number(mapping(event).get("numerator"))
        old = number(mapping(event).get("denominator"))
        day = None if at is None else _day(at, zone)
        if day is not None and new is not None and old is not None and new > 0.0 and old > 0.0:
            found.append(Split(day, new / old))
    return tuple(sorted(found, key=lambda split: split.date))


def _dividends(events: Wire, zone: dt.tzinfo, currency: str | None) -> tuple[DividendEvent, ...]:
    found = []
    for event in mapping(events.get("dividends")).values():
        at, amount = number(mapping(event).get("date")), number(mapping(event).get("amount"))
        day = None if at is None else _day(at, zone)
        if day is not None and amount is not None and amount > 0.0:
            found.append(DividendEvent(day, amount, currency, declared=True))
    return tuple(sorted(found, key=lambda event: event.ex_date))


def _first(value: object) -> Wire:
    return mapping(value[0]) if isinstance(value, list) and value else {}
