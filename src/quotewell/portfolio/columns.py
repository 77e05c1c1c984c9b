"""A valued book as columns, one row for each position and pending amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, Objects
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.positions import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewell.portfolio.needs import Entry
    from quotewell.portfolio.snapshot import Snapshot

__all__ = ["CASH", "KINDS", "OPTION", "PENDING", "STOCK", "UNKNOWN", "Columns", "ContractColumns"]

KINDS = ("stock", "option", "cash", "pending", "unknown")
"""What the codes in `Columns.kind` mean."""
STOCK, OPTION, CASH, PENDING, UNKNOWN = range(5)


class ContractColumns(msgspec.Struct, kw_only=True, frozen=True):
    """The terms of options, by row of the book; NaN and False in rows that are none."""

    is_call: Bools
    american: Bools
    strike: Floats
    years: Floats
    rate: Floats
    dividend_yield: Floats
    volatility: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    cash: Floats
    payouts: Objects
    """A tuple of `Payout` for each; None in rows that are no options."""


class Columns(msgspec.Struct, kw_only=True, frozen=True):
    """One row for each entry; NaN is unknown, and `flags` says why.

    Prices and spots are in local currency, values, exposures and notionals in base currency.
    """

    entries: Sequence[Entry]
    snapshot: Snapshot
    kind: Integers
    """Index into `KINDS`; a fund whose profile says money market is cash, whatever its row looks like."""
    currency: Sequence[str | None]
    """Of price and spot; None if unknown."""
    underlyings: Sequence[str]
    underlying: Integers
    """Index into `underlyings`; -1 for cash and pending."""
    quantity: Floats
    """Shares, contracts, or the amount of cash."""
    multiplier: Floats
    """Units of premium a contract; 1 for stocks."""
    shares: Floats
    """Shares that a contract delivers; 1 for stocks."""
    spot: Floats
    """Price of the stock, or of the option's underlying in strike units."""
    price: Floats
    delta: Floats
    beta: Floats
    fx: Floats
    reported_fx: Floats
    """The exchange rate of the broker's figures: its own where it gives one."""
    value: Floats
    exposure: Floats
    beta_adjusted: Floats
    reported_value: Floats
    """The broker's value."""
    reported_price_value: Floats
    """Quantity times the broker's price."""
    notional: Floats
    """q·m·S of options, the strike standing in for an unknown S."""
    flags: Integers
    contracts: ContractColumns

    def has(self, flag: Flag) -> Bools:
        """The rows with any bit of `flag`."""
        return np.asarray((self.flags & int(flag)) != 0)

    def is_kind(self, *kinds: int) -> Bools:
        """The rows of some kinds."""
        return np.isin(self.kind, kinds)

    def symbol(self, row: int) -> str:
        """The symbol of a row; pending activity goes by its description."""
        entry = self.entries[row]
        return entry.symbol if isinstance(entry, Position) else entry.description

    def symbols(self, rows: Bools | Integers) -> tuple[str, ...]:
        """The distinct symbols of some rows, in their order."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return tuple(dict.fromkeys(self.symbol(row) for row in chosen.tolist()))

    @property
    def has_exposure(self) -> Bools:
        """The rows that move with the market, or may: all but cash and pending."""
        return ~self.is_kind(CASH, PENDING)
