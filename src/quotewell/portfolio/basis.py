"""The basis of valuation: base currency, benchmark, and what the user gives where the market says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quotewell.records import DividendEvent

__all__ = ["Basis", "Deliverable"]


class Deliverable(msgspec.Struct, frozen=True):
    """What an adjusted option delivers: `shares` and `cash`, for `multiplier` units of premium."""

    shares: float
    cash: float = 0.0
    multiplier: float = 100.0


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a valuation rests on besides prices.

    Args:
        base_currency: The currency of every figure of a report.
        benchmark: The symbol that betas are measured against.
        rates: Risk-free rates by currency (continuous, fraction a year), used where no curve is known.
        dividend_yield: Yield (fraction a year) for underlyings whose own is not known.
        beta: Beta for underlyings whose own is not known.
        deliverables: What adjusted option roots deliver, by root (`SPY7`).
        prices: The user's own prices by symbol, per share in the symbol's currency, in place of all others.
        betas: The user's own betas by underlying, likewise.
        dividend_yields: The user's own yields by underlying, fractions a year, likewise.
        dividends: The user's own dividends by underlying, past ones too, likewise; they come before yields.
        blume: Whether betas of our own regressions are moved a third of the way to 1 (Blume's adjustment).
        cash_like: Securities that count as cash: valued at their price, without exposure.
    """

    base_currency: str = "USD"
    benchmark: str = "^GSPC"
    rates: Mapping[str, float] = {}
    dividend_yield: float | None = None
    beta: float | None = None
    deliverables: Mapping[str, Deliverable] = {}
    prices: Mapping[str, float] = {}
    betas: Mapping[str, float] = {}
    dividend_yields: Mapping[str, float] = {}
    dividends: Mapping[str, tuple[DividendEvent, ...]] = {}
    blume: bool = False
    cash_like: frozenset[str] = frozenset()
