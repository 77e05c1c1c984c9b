"""What the rows of a book say, as columns: what a valuation reads of positions, whoever holds them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from quotewell.analytics.arrays import Floats, Integers
from quotewell.portfolio.columns import KINDS
from quotewell.portfolio.needs import Entry

__all__ = ["Holdings", "encoded", "floats", "holdings_of"]

_Key = TypeVar("_Key", bound=Hashable)
_CODES = {kind: code for code, kind in enumerate(KINDS)}


class Holdings(msgspec.Struct, kw_only=True, frozen=True):
    """One row for each position and pending amount; NaN is what the row does not say.

    Prices and values are in `currencies`, which may be minor units, as the broker states them.
    """

    kind: Integers
    """Index into `KINDS`: what the row is in the file."""
    symbols: Sequence[str]
    """The distinct symbols; that of pending activity is empty."""
    symbol: Integers
    """Index into `symbols`."""
    currencies: Sequence[str | None]
    currency: Integers
    """Index into `currencies`."""
    quantity: Floats
    price: Floats
    value: Floats
    fx_rate: Floats
    multiplier: Floats
    """Units of premium an option contract."""

    @property
    def size(self) -> int:
        """How many rows there are."""
        return int(self.kind.size)


def holdings_of(entries: Sequence[Entry]) -> Holdings:
    """The columns of positions and pending activity, in their order."""
    symbols, symbol = encoded([getattr(entry, "symbol", "") for entry in entries])
    currencies, currency = encoded([entry.currency for entry in entries])
    return Holdings(
        kind=np.array([_CODES[entry.kind] for entry in entries], dtype=np.intp),
        symbols=symbols,
        symbol=symbol,
        currencies=currencies,
        currency=currency,
        quantity=floats([getattr(entry, "quantity", None) for entry in entries]),
        price=floats([getattr(entry, "price", None) for entry in entries]),
        value=floats([entry.value for entry in entries]),
        fx_rate=floats([entry.fx_rate for entry in entries]),
        multiplier=floats([getattr(entry, "multiplier", None) for entry in entries]),
    )


def encoded(keys: Iterable[_Key]) -> tuple[list[_Key], Integers]:
    """The distinct keys in order of appearance, and the place of each key among them."""
    places: dict[_Key, int] = {}
    codes = np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.intp)
    return list(places), codes


def floats(numbers: Sequence[float | None]) -> Floats:
    """Numbers as a column; NaN for None."""
    return np.array(numbers, dtype=np.float64)  # None becomes NaN
