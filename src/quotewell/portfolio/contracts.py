"""The distinct option contracts of a book: from matched prices to volatilities, values and Greeks.

Where the underlying's price is newer than the matched pair, price and Greeks are those of the model at the
newer price, with the pair's volatility.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, Objects
from quotewell.analytics.options import Solved, Status, solve, value
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.inputs import NAN, curve_of
from quotewell.portfolio.pairs import ContractTerms, terms_of
from quotewell.portfolio.payouts import dividends_of
from quotewell.portfolio.snapshot import Snapshot
from quotewell.symbols import Option

__all__ = ["ContractTable", "price_contracts"]

_UNKNOWN = Deliverable(NAN, NAN, NAN)
_STATUS_FLAGS = {
    Status.OK: Flag(0),
    Status.ESTIMATED: Flag.ESTIMATED,
    Status.EXERCISE: Flag.EXERCISE,
    Status.EXPIRES_TODAY: Flag.EXPIRES_TODAY,
    Status.EXPIRED: Flag.EXPIRED,
    Status.BELOW_BOUND: Flag.BELOW_BOUND,
    Status.ABOVE_BOUND: Flag.ABOVE_BOUND,
    Status.NO_VOLATILITY: Flag.NO_VOLATILITY,
    Status.MISSING_INPUT: Flag(0),  # the flags of `pairs` say which
}
_FLAG_OF_CODE = np.array([int(_STATUS_FLAGS[code]) for code in sorted(Status)], dtype=np.int64)
_NO_GREEKS = int(Flag.STYLE_UNKNOWN | Flag.DELIVERABLE_UNKNOWN | Flag.EXPIRED | Flag.CORPORATE_ACTION)
_EXERCISED = int(Flag.EXERCISE | Flag.EXPIRES_TODAY)
_OF_DELTAS = int(
    Flag.ASSUMED_RATE
    | Flag.GIVEN_RATE
    | Flag.ASSUMED_DIVIDEND
    | Flag.GIVEN_DIVIDEND
    | Flag.PROXY_DIVIDEND
    | Flag.DISCRETE_DIVIDENDS
    | Flag.PROJECTED_DIVIDEND
)


class ContractTable(NamedTuple):
    """Columns over the distinct contracts; prices and Greeks per share delivered, in local currency.

    Attributes:
        currency: Of each contract; None if unknown.
        price: Valuation price: the market's, or the model's at a newer underlying price.
        spot: Underlying price in strike units (a tenth of ^GSPC for XSP).
        is_call: True for calls.
        american: True where early exercise is allowed.
        strike: Strike.
        years: Time to expiry at the valuation instant.
        rate: Continuous rate to expiry.
        dividend_yield: Continuous yield; 0 beside dividends at their ex-dates.
        payouts: Those dividends, a tuple of `Payout` for each contract.
        volatility: Solved volatility.
        delta: ∂V/∂S.
        gamma: Per 1.00 of spot.
        vega: Per 1.00 of volatility.
        theta: Per year.
        rho: Per 1.00 of rate.
        shares: Shares delivered n; NaN where unknown.
        cash: Cash delivered c.
        multiplier: Premium multiplier m; NaN where unknown.
        flags: `Flag` bits.
    """

    currency: list[str | None]
    price: Floats
    spot: Floats
    is_call: Bools
    american: Bools
    strike: Floats
    years: Floats
    rate: Floats
    dividend_yield: Floats
    payouts: Objects
    volatility: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    shares: Floats
    cash: Floats
    multiplier: Floats
    flags: Integers


def price_contracts(contracts: Sequence[Option], snapshot: Snapshot, basis: Basis) -> ContractTable:
    """Value distinct contracts.

    Args:
        contracts: Each contract once.
        snapshot: Quotes of contracts and underlyings, yields and rates.
        basis: What the user gave.
    """
    rows = [terms_of(option, snapshot, basis) for option in contracts]

    def column(name: str) -> Floats:
        return np.array([getattr(row, name) for row in rows], dtype=np.float64)

    deliverables = [row.deliverable or _UNKNOWN for row in rows]
    shares, cash, multiplier = (
        np.array([getattr(one, name) for one in deliverables], dtype=np.float64)
        for name in ("shares", "cash", "multiplier")
    )
    is_call = np.array([option.is_call for option in contracts], dtype=bool)
    american = np.array([option.style == "american" for option in contracts], dtype=bool)
    strike = np.array([option.strike for option in contracts], dtype=np.float64)
    years, price, spot = column("years"), column("price"), column("spot")
    rate, flags = _rates(rows, years, snapshot, basis)

    # An adjusted contract is priced on what one unit of premium delivers: (n·S + c) / m.
    underlying, pair_underlying = ((shares * one + cash) / multiplier for one in (spot, column("pair_spot")))
    payouts = _objects([row.payouts for row in rows])
    terms = _Terms(is_call, american, strike, rate, column("dividend_yield"), years, dividends_of(payouts))
    solved = terms.solve(pair_underlying, column("pair_years"), column("pair_price"), column("half_spread"))
    moved = np.array([row.is_moved for row in rows], dtype=bool) & ~np.isnan(solved.volatility)
    if moved.any():
        model = terms.value(underlying, years, solved.volatility)
        again = terms.solve(underlying, years, np.where(moved, model, NAN), np.full_like(model, NAN))
        solved = _chosen(moved, again, solved)
        repriced = moved & np.array([row.is_repriced for row in rows], dtype=bool)
        price = np.where(repriced, model, price)
        flags |= np.where(moved, int(Flag.MODEL), 0)
    settled = years <= 0.0
    if settled.any():
        price = np.where(settled, terms.value(underlying, years, np.zeros_like(years)), price)

    flags |= _FLAG_OF_CODE[solved.status.astype(np.int64)]
    intrinsic = np.where(is_call, 1.0, -1.0) * (underlying - strike)
    gains = (flags & _EXERCISED) != 0
    # A call is exercised before a dividend that is worth more than the time value it ends.
    gains |= is_call & american & (price - intrinsic < column("dividend"))
    flags |= np.where(gains & (intrinsic > 0.0), int(Flag.ASSIGNMENT), 0)
    known = (flags & _NO_GREEKS) == 0
    greeks = [np.where(known, figure, NAN) for figure in solved[1:]]
    flags = np.where(np.isnan(greeks[1]), flags & ~_OF_DELTAS, flags)
    return ContractTable._make((
        [row.currency for row in rows], price, spot, is_call, american, strike, years, rate,
        terms.dividend_yield, payouts, *greeks, shares, cash, multiplier, flags,
    ))  # fmt: skip


def _chosen(rows: Bools, first: Solved, second: Solved) -> Solved:
    """`first` in `rows`, `second` elsewhere."""
    status = np.where(rows, first.status, second.status).astype(np.int8)
    return Solved._make(
        (status, *(np.where(rows, *pair) for pair in zip(first[1:], second[1:], strict=True)))
    )


class _Terms(NamedTuple):
    """The terms of contracts that no price changes."""

    is_call: Bools
    american: Bools
    strike: Floats
    rate: Floats
    dividend_yield: Floats
    years: Floats
    """At the valuation, from which the dividends are counted."""
    dividends: Dividends | None

    def solve(self, spot: Floats, years: Floats, price: Floats, half_spread: Floats) -> Solved:
        return solve(
            self.is_call, self.american, spot, self.strike, years, price, self.rate, self.dividend_yield,
            half_spread=half_spread, dividends=self._seen_with(years),
        )  # fmt: skip

    def value(self, spot: Floats, years: Floats, volatility: Floats) -> Floats:
        return value(
            self.is_call, self.american, spot, self.strike, years, volatility, self.rate, self.dividend_yield,
            dividends=self._seen_with(years),
        )  # fmt: skip

    def _seen_with(self, years: Floats) -> Dividends | None:
        """The dividends as of when so many years are left."""
        if self.dividends is None:
            return None
        return self.dividends._replace(when=self.dividends.when + (years - self.years))


def _objects(items: Sequence[object]) -> Objects:
    """An array of objects that are sequences themselves."""
    out = np.empty(len(items), dtype=np.object_)
    out[:] = items
    return out


def _rates(
    rows: Sequence[ContractTerms], years: Floats, snapshot: Snapshot, basis: Basis
) -> tuple[Floats, Integers]:
    """Rate to each contract's expiry, linear in time between a curve's points and flat outside, and flags."""
    rate = np.full(len(rows), NAN)
    flags = np.array([int(row.flags) for row in rows], dtype=np.int64)
    alive = (flags & int(Flag.EXPIRED)) == 0
    for currency in {row.currency for row in rows}:
        own = alive & np.array([row.currency == currency for row in rows], dtype=bool)
        times, rates, flag = curve_of(currency or "", snapshot, basis)
        rate[own] = np.interp(years[own], times, rates)
        flags[own] |= int(flag)
    return rate, flags
