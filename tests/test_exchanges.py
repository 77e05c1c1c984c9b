from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from quotewell.calendars import close_of
from quotewell.exchange_hours import sessions_around
from quotewell.exchanges import Exchange, exchange_of, exchanges, hours_between_closes

AT = close_of(dt.date(2025, 5, 8))


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("AAPL", "XNYS"), ("BRK-B", "XNYS"), ("VTSAX", "XNYS"), ("AAPL250417C00220000", "XNYS"),
        ("^GSPC", "XNYS"), ("^VIX", "XNYS"), ("^TNX", "XNYS"),
        ("VOD.L", "XLON"), ("7203.T", "XTKS"), ("SAP.DE", "XETR"), ("MC.PA", "XPAR"), ("ASML.AS", "XAMS"),
        ("ENI.MI", "XMIL"), ("NESN.SW", "XSWX"), ("0700.HK", "XHKG"), ("SHOP.TO", "XTSE"), ("ABC.V", "XTSX"),
        ("CBA.AX", "XASX"), ("D05.SI", "XSES"), ("005930.KS", "XKRX"), ("2330.TW", "XTAI"),
        ("TCS.NS", "XBOM"), ("TCS.BO", "XBOM"), ("600519.SS", "XSHG"), ("NOVO-B.CO", "XCSE"),
        ("^N225", None), ("^FTSE", None), ("EURUSD=X", None), ("BTC-USD", None), ("ES=F", None),
        ("ESZ26.CME", None), ("SAP.F", None), ("PETR4.SA", None),
    ],
)  # fmt: skip
def test_the_exchange_of_a_symbol(symbol: str, code: str | None) -> None:
    exchange = exchange_of(symbol)
    assert (None if exchange is None else exchange.calendar) == code


def test_only_new_york_has_its_closing_prices_at_the_close() -> None:
    assert {
        symbol: exchange.closing_auction
        for symbol in ("AAPL", "VOD.L", "7203.T")
        if (exchange := exchange_of(symbol)) is not None
    } == {"AAPL": 0.0, "VOD.L": 1200.0, "7203.T": 1200.0}


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: str(exchange.calendar))
def test_regular_days_end_when_the_calendars_say(exchange: Exchange) -> None:
    """Within a quarter of an hour: some calendars count the closing auction."""
    zone = ZoneInfo(exchange.time_zone)
    sessions = sessions_around(exchange.calendar, AT)
    closes = [dt.datetime.fromtimestamp(session.close, zone) for session in sessions]
    ((hour, minute), _), *_ = Counter((close.hour, close.minute) for close in closes).most_common()
    assert abs(hour + minute / 60 - exchange.close) <= 0.25


@pytest.mark.parametrize(
    ("first", "second", "hours"),
    [
        ("AAPL", "SPY", 0.0),
        ("AAPL", "SHOP.TO", 0.0),
        ("AAPL", "VOD.L", 4.5),
        ("VOD.L", "SAP.DE", 0.0),
        ("AAPL", "7203.T", 10.5),  # Tokyo closes at 02:30 in New York
        ("7203.T", "AAPL", 10.5),
        ("CBA.AX", "AAPL", 10.0),  # around the clock, not 14
    ],
)
def test_hours_between_closes_go_around_the_clock(first: str, second: str, hours: float) -> None:
    one, other = exchange_of(first), exchange_of(second)
    assert one is not None
    assert other is not None
    assert hours_between_closes(one, other, AT) == hours
