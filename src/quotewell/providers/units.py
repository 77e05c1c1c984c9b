"""Which currency units a listing can be quoted in; pure."""

from __future__ import annotations

from quotewell.symbols import exchange_suffix, kind, minor_unit

__all__ = ["may_be_hundredths", "unit_problem"]

_QUOTED_IN_HUNDREDTHS = frozenset(("L", "TA", "JO"))


def may_be_hundredths(symbol: str) -> bool:
    """Whether prices of `symbol` that name no unit may be in hundredths of the currency."""
    return exchange_suffix(symbol) in _QUOTED_IN_HUNDREDTHS


def unit_problem(symbol: str, currency: str | None) -> str | None:
    """Why a price of `symbol` cannot be in `currency` (minor units included); None if it may be.

    A symbol with a suffix may be in any. Without one a pair is in its second currency, a security in the
    dollars of New York, and nothing in hundredths.
    """
    if currency is None or "." in symbol:
        return None
    expected = _listed_in(symbol)
    if expected in (None, currency) and minor_unit(currency)[0] == currency:
        return None
    return f"in {currency}, where {expected or 'a major unit'} is expected"


def _listed_in(symbol: str) -> str | None:
    form = kind(symbol)
    if form == "fx":
        return symbol[3:6] if len(symbol) == len("EURUSD=X") else None
    if form == "crypto":
        return symbol[-3:]
    return "USD" if form == "security" else None
