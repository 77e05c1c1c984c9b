"""What a portfolio must know of the market: a pure function of its positions."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable
from typing import TypeAlias
from zoneinfo import ZoneInfo

from quotewell.errors import SymbolError
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.positions import (
    OptionPosition,
    PendingActivity,
    Position,
    StockPosition,
    contract_of,
)
from quotewell.records import Facet, Need
from quotewell.symbols import Option, currency_pair, kind, looks_like_cusip, minor_unit

__all__ = [
    "RATE_SYMBOLS",
    "YIELD_PROXIES",
    "Entry",
    "fx_needs",
    "fx_symbol",
    "is_expired",
    "is_priced",
    "needs_of",
    "needs_of_symbols",
    "valuation_day",
    "yield_symbol",
]

Entry: TypeAlias = Position | PendingActivity

RATE_SYMBOLS = ("^IRX", "^FVX", "^TNX", "^TYX")
"""The points of the US dollar curve."""
YIELD_PROXIES = {"^GSPC": "SPY", "^NDX": "QQQ", "^RUT": "IWM", "^DJI": "DIA"}
"""The funds whose yields stand for those of indices."""

_NEW_YORK = ZoneInfo("America/New_York")
_STOCK: tuple[Facet, ...] = ("quote", "profile", "risk")


def needs_of(entries: Iterable[Entry], basis: Basis, at: float | None) -> set[Need]:
    """The symbols and facets that the valuation of `entries` reads.

    Cash in base currency, CUSIPs, unknown rows and options that have expired need nothing. The history
    behind a beta is the ticker service's own business.

    Args:
        entries: Positions and pending activity.
        basis: For its base currency.
        at: The valuation instant; None if unknown, so that no option counts as expired.
    """
    stocks: set[str] = set()
    options: set[str] = set()
    currencies: set[str] = set()
    for entry in entries:
        if entry.currency is not None:
            currencies.add(entry.currency)
        if isinstance(entry, OptionPosition):
            options.add(entry.symbol)
        elif isinstance(entry, StockPosition):
            stocks.add(entry.symbol)
    return needs_of_symbols(stocks, options, currencies, basis, at)


def needs_of_symbols(
    stocks: Iterable[str], options: Iterable[str], currencies: Iterable[str], basis: Basis, at: float | None
) -> set[Need]:
    """The same for distinct symbols.

    Args:
        stocks: Canonical symbols of stocks and funds.
        options: OCC symbols.
        currencies: That rows are in.
        basis: As in `needs_of`.
        at: As in `needs_of`.
    """
    moving = {symbol for symbol in stocks if is_priced(symbol)}
    day = None if at is None else valuation_day(at)
    needs: set[Need] = set()
    for symbol in options:
        option = contract_of(symbol)
        if day is not None and option.expiry < day:
            continue
        needs.add((symbol, "quote"))
        if option.underlying is not None:
            moving.add(option.underlying)
            payer = yield_symbol(option.underlying)
            needs.add((payer, "dividend"))
            if payer == option.underlying and _may_pay(payer) and (day is None or day < option.expiry):
                needs.add((payer, "payouts"))
    if needs:
        needs.update((symbol, "rate") for symbol in RATE_SYMBOLS)
    needs.update((symbol, facet) for symbol in moving for facet in _STOCK)
    return needs | fx_needs(currencies, basis.base_currency)


def fx_needs(currencies: Iterable[str], base: str) -> set[Need]:
    """The exchange rates from `currencies`, minor units among them, to `base`."""
    pairs = {fx_symbol(currency, base) for currency in currencies}
    return {(pair, "fx") for pair in pairs if pair is not None}


def fx_symbol(currency: str, base: str) -> str | None:
    """The symbol of the rate from a currency to `base`; None if none exists or none is needed."""
    major, _ = minor_unit(currency)
    if major == base:
        return None
    try:
        return currency_pair(major, base)
    except SymbolError:
        return None  # no code of a currency: the rows in it have no rate, and their flag says so


def is_priced(symbol: str) -> bool:
    """Whether a market can know the symbol: no CUSIP or escrow number."""
    return not looks_like_cusip(symbol)


def is_expired(option: Option, at: float | None) -> bool:
    """Whether the option's last day is before that of the valuation instant; False if that is unknown."""
    return at is not None and option.expiry < valuation_day(at)


@functools.lru_cache(maxsize=64)
def valuation_day(at: float) -> dt.date:
    """The New York day of an instant; remembered, for every contract of a book asks it of the same one."""
    return dt.datetime.fromtimestamp(at, _NEW_YORK).date()


def _may_pay(underlying: str) -> bool:
    """Whether the underlying may pay dividends of its own: no index does."""
    return kind(underlying) == "security"


def yield_symbol(underlying: str) -> str:
    """The symbol whose dividend yield counts for `underlying`: its own, or that of a fund on the index."""
    return YIELD_PROXIES.get(underlying, underlying)
