"""Which exchange a symbol trades on: a table from Yahoo's suffixes and from symbol kinds, nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from quotewell.symbols import exchange_suffix, kind

__all__ = ["NEW_YORK", "Exchange", "exchange_of", "exchanges", "hours_between_closes"]

_CLOSING_AUCTION = 20 * 60.0
"""The longest (Singapore's) of them; elsewhere closing prices are set 5 to 15 minutes after trading ends."""


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """An exchange with sessions of its own."""

    calendar: str
    """Its code in exchange_calendars, which is its ISO 10383 code for most."""
    time_zone: str
    closing_auction: float = _CLOSING_AUCTION
    """For how long after the end of trading its closing price may still be open (seconds)."""
    close: float = 17.5
    """When a regular day's trading ends: hours after midnight there."""


NEW_YORK = Exchange("XNYS", "America/New_York", 0.0, 16.0)
_LONDON = Exchange("XLON", "Europe/London", close=16.5)
_TOKYO = Exchange("XTKS", "Asia/Tokyo", close=15.5)
_XETRA = Exchange("XETR", "Europe/Berlin")
_PARIS = Exchange("XPAR", "Europe/Paris")
_HONG_KONG = Exchange("XHKG", "Asia/Hong_Kong", close=16.0)
_TORONTO = Exchange("XTSE", "America/Toronto", close=16.0)
_SYDNEY = Exchange("XASX", "Australia/Sydney", close=16.0)
_SEOUL = Exchange("XKRX", "Asia/Seoul", close=15.5)
_TAIPEI = Exchange("XTAI", "Asia/Taipei", close=13.5)
_BOMBAY = Exchange("XBOM", "Asia/Kolkata", close=15.5)
_SHANGHAI = Exchange("XSHG", "Asia/Shanghai", close=15.0)

_BY_SUFFIX: Mapping[str, Exchange] = {
    "L": _LONDON,
    "T": _TOKYO,
    "DE": _XETRA,
    "PA": _PARIS,
    "AS": Exchange("XAMS", "Europe/Amsterdam"),
    "BR": Exchange("XBRU", "Europe/Brussels"),
    "LS": Exchange("XLIS", "Europe/Lisbon", close=16.5),
    "MI": Exchange("XMIL", "Europe/Rome"),
    "MC": Exchange("XMAD", "Europe/Madrid"),
    "SW": Exchange("XSWX", "Europe/Zurich"),
    "VI": Exchange("XWBO", "Europe/Vienna"),
    "ST": Exchange("XSTO", "Europe/Stockholm"),
    "CO": Exchange("XCSE", "Europe/Copenhagen", close=17.0),
    "HE": Exchange("XHEL", "Europe/Helsinki", close=18.5),
    "OL": Exchange("XOSL", "Europe/Oslo", close=16.5),
    "HK": _HONG_KONG,
    "TO": _TORONTO,
    "V": Exchange("XTSX", "America/Toronto", close=16.0),
    "AX": _SYDNEY,
    "SI": Exchange("XSES", "Asia/Singapore", close=17.0),
    "KS": _SEOUL,
    "KQ": _SEOUL,
    "TW": _TAIPEI,
    "TWO": _TAIPEI,
    "BO": _BOMBAY,
    "NS": _BOMBAY,  # Mumbai's two exchanges keep the same days and hours
    "SS": _SHANGHAI,
    "SZ": _SHANGHAI,  # so do Shanghai and Shenzhen
}

_NEW_YORK_INDICES = frozenset(
    "^DJA ^DJI ^DJT ^DJU ^DJX ^GSPC ^IXIC ^MID ^NDX ^NYA ^OEX ^RUA ^RUI "  # noqa: SIM905  reads better as words
    "^RUT ^SOX ^SP400 ^SP500TR ^SP600 ^VIX ^VXN ^W5000 ^XAX ^XEO ^XSP".split()
)
"""All other indices may move while New York is closed; a symbol does not say where."""


def exchange_of(symbol: str) -> Exchange | None:
    """The exchange whose sessions a canonical symbol follows; None for 24-hour and unmapped markets."""
    market = kind(symbol)
    if market in ("fx", "crypto", "future"):
        return None
    if market == "index":
        return NEW_YORK if symbol in _NEW_YORK_INDICES else None
    suffix = exchange_suffix(symbol)
    return NEW_YORK if suffix is None else _BY_SUFFIX.get(suffix)


def hours_between_closes(first: Exchange, second: Exchange, instant: float) -> float:
    """How far apart two exchanges end a regular day's trading, around the clock, at some instant."""
    hours = [exchange.close - _offset(exchange, instant) for exchange in (first, second)]
    apart = abs(hours[0] - hours[1]) % 24.0
    return min(apart, 24.0 - apart)


def _offset(exchange: Exchange, instant: float) -> float:
    """Hours by which its clocks are ahead of UTC."""
    offset = dt.datetime.fromtimestamp(instant, ZoneInfo(exchange.time_zone)).utcoffset()
    return (offset or dt.timedelta()).total_seconds() / 3600.0


def exchanges() -> tuple[Exchange, ...]:
    """All exchanges of the table."""
    return (NEW_YORK, *dict.fromkeys(_BY_SUFFIX.values()))
