from __future__ import annotations

import datetime as dt

from quotewell.calendars import close_of
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.needs import Entry, fx_symbol, is_expired, needs_of
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    PendingActivity,
    StockPosition,
    UnknownPosition,
)
from quotewell.symbols import parse_option

AT = close_of(dt.date(2025, 5, 8))
RATES = {("^IRX", "rate"), ("^FVX", "rate"), ("^TNX", "rate"), ("^TYX", "rate")}


def needs(*entries: Entry, at: float | None = AT) -> set[tuple[str, str]]:
    return set(needs_of(entries, Basis(), at))


def test_a_stock_needs_quote_profile_and_risk() -> None:
    assert needs(StockPosition(symbol="AMZN", quantity=1.0, currency="USD")) == {
        ("AMZN", "quote"),
        ("AMZN", "profile"),
        ("AMZN", "risk"),
    }


def test_an_option_needs_itself_its_underlying_and_the_curve() -> None:
    option = OptionPosition(symbol="AMZN250620C00200000", quantity=1.0, currency="USD")
    assert needs(option) == RATES | {
        ("AMZN250620C00200000", "quote"),
        ("AMZN", "quote"),
        ("AMZN", "profile"),
        ("AMZN", "risk"),
        ("AMZN", "dividend"),
        ("AMZN", "payouts"),
    }


def test_only_an_option_that_lives_on_needs_the_dividends_of_an_underlying_that_may_pay() -> None:
    def asks(symbol: str, at: float | None = AT) -> bool:
        return any(
            facet == "payouts" for _, facet in needs(OptionPosition(symbol=symbol, quantity=1.0), at=at)
        )

    assert asks("AMZN250509C00200000")
    assert not asks("AMZN250508C00200000")  # nothing goes ex after the open of its last day
    assert asks("AMZN250508C00200000", at=None)
    assert asks("SPY250620C00560000")
    assert not asks("SPXW250620C05800000")
    assert not asks("VIX250618C00020000")


def test_a_stock_of_the_symbol_of_a_cash_row_is_needed_and_once() -> None:
    fund = StockPosition(symbol="FMPXX", quantity=1.0)
    found = needs(CashPosition(symbol="FMPXX", value=1.0), fund, fund)
    assert found == {("FMPXX", "quote"), ("FMPXX", "profile"), ("FMPXX", "risk")}


def test_an_index_options_yield_is_that_of_a_fund_on_it() -> None:
    found = needs(OptionPosition(symbol="SPXW250620C05800000", quantity=1.0))
    assert ("^GSPC", "quote") in found
    assert ("SPY", "dividend") in found
    assert ("^GSPC", "dividend") not in found


def test_an_option_on_vix_futures_needs_no_underlying() -> None:
    found = needs(OptionPosition(symbol="VIX250618C00020000", quantity=1.0))
    assert found == RATES | {("VIX250618C00020000", "quote")}


def test_cash_cusips_unknowns_pending_and_expired_options_need_nothing() -> None:
    entries: list[Entry] = [
        CashPosition(symbol="SPAXX", value=1.0, currency="USD"),
        StockPosition(symbol="021ESC017", quantity=33.0, currency="USD"),
        UnknownPosition(symbol="???", value=1.0, currency="USD"),
        PendingActivity(value=1.0, currency="USD"),
        OptionPosition(symbol="AMZN250417C00200000", quantity=1.0, currency="USD"),
    ]
    assert needs(*entries) == set()
    assert ("AMZN250417C00200000", "quote") in needs(*entries, at=None)


def test_foreign_currencies_need_their_rate_once() -> None:
    entries: list[Entry] = [
        CashPosition(symbol="CASH", value=1.0, currency="EUR"),
        CashPosition(symbol="CASH", value=1.0, currency="GBp"),
        CashPosition(symbol="CASH", value=1.0, currency="GBP"),
        CashPosition(symbol="CASH", value=1.0, currency="Gbp"),
    ]
    assert needs(*entries) == {("EURUSD=X", "fx"), ("GBPUSD=X", "fx")}
    assert fx_symbol("Gbp", "USD") is None


def test_an_option_expires_with_its_last_new_york_day() -> None:
    option = parse_option("AMZN250508C00200000")
    assert option is not None
    midnight = AT + 8 * 3600
    assert not is_expired(option, AT)
    assert not is_expired(option, midnight - 1)
    assert is_expired(option, midnight)
    assert not is_expired(option, None)
