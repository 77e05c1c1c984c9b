"""What a portfolio must know of the market: a pure function of its positions."""

from __future__ import annotations

import datetime as dt
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
)
from quotewell.records import Facet, Need
from quotewell.symbols import Option, currency_pair, looks_like_cusip, minor_unit

__all__ = [
    "RATE_SYMBOLS",
    "YIELD_PROXIES",
    "Entry",
    "fx_needs",
    "fx_symbol",
    "is_expired",
    "is_priced",
    "needs_of",
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
    needs: set[Need] = set()
    currencies = set()
    seen = set()
    for entry in entries:
        if entry.currency is not None:
            currencies.add(entry.currency)
        if isinstance(entry, Position):
            if (entry.kind, entry.symbol) in seen:
                continue
            seen.add((entry.kind, entry.symbol))
        if isinstance(entry, OptionPosition):
            needs |= _option_needs(entry.contract, at)
        elif isinstance(entry, StockPosition) and is_priced(entry.symbol):
            needs.update((entry.symbol, facet) for facet in _STOCK)
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


def valuation_day(at: float) -> dt.date:
    """The New York day of an instant."""
    return dt.datetime.fromtimestamp(at, _NEW_YORK).date()


def yield_symbol(underlying: str) -> str:
    """The symbol whose dividend yield counts for `underlying`: its own, or that of a fund on the index."""
    return YIELD_PROXIES.get(underlying, underlying)


def _option_needs(option: Option, at: float | None) -> set[Need]:
    if is_expired(option, at):
        return set()
    needs: set[Need] = {(option.symbol, "quote")}
    needs.update((symbol, "rate") for symbol in RATE_SYMBOLS)
    if option.underlying is not None:
        needs.update((option.underlying, facet) for facet in _STOCK)
        needs.add((yield_symbol(option.underlying), "dividend"))
    return needs
