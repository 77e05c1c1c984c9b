"""Small books and market data for the tests of valuation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from quotewell.calendars import close_of
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.flags import names
from quotewell.portfolio.needs import Entry, needs_of
from quotewell.portfolio.positions import (
    OptionPosition,
    Position,
    StockPosition,
)
from quotewell.portfolio.reported import ReportedPrices
from quotewell.portfolio.snapshot import take
from quotewell.portfolio.valuation import value_book
from quotewell.protocols import TickerSource
from quotewell.records import Quote
from quotewell.testing.source import FakeSource

AT = close_of(dt.date(2025, 5, 8))
HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0
CALL = "AMZN250620C00200000"
EXPIRY = close_of(dt.date(2025, 6, 20))


def stock(symbol: str = "AMZN", quantity: float | None = 10.0, **fields: Any) -> StockPosition:
    return StockPosition(symbol=symbol, quantity=quantity, **{"currency": "USD", **fields})


def option(symbol: str = CALL, quantity: float | None = -2.0, **fields: Any) -> OptionPosition:
    return OptionPosition(symbol=symbol, quantity=quantity, **{"currency": "USD", **fields})


def valued(
    entries: Sequence[Entry], source: TickerSource, basis: Basis | None = None, *, dated: bool = True
) -> Columns:
    basis = basis or Basis()
    needs = needs_of(entries, basis, source.now() if dated else None)
    return value_book(entries, take(source, needs, basis.base_currency, dated=dated), basis)


def one(
    entry: Entry, prices: Mapping[str, float | Quote] | None = None, basis: Basis | None = None, **given: Any
) -> Columns:
    return valued([entry], FakeSource(prices, **{"now": AT, **given}), basis)


def flags(columns: Columns, row: int = 0) -> set[str]:
    return set(names(int(columns.flags[row]))) - {"no_beta"}


def quote(symbol: str, last: float | None, as_of: float, source: str = "fake", **fields: Any) -> Quote:
    known = {"fetched_at": as_of, **fields}
    return Quote(symbol=symbol, last=last, source=source, currency="USD", as_of=as_of, **known)


def overlay(
    service: FakeSource, positions: Sequence[Position], as_of: float | None, at: float | None = None
) -> ReportedPrices:
    return ReportedPrices(service, positions, broker="Fidelity", as_of=as_of, at=at)
