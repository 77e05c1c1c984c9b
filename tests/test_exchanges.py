from __future__ import annotations

import pytest

from quotewell.exchanges import exchange_of


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
