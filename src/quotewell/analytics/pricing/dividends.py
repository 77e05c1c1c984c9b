"""Cash dividends that a share pays before expiry, and what an option on it is worth without volatility.

The spot model: at each ex-date the price falls by the dividend, or to 0 if it is less than that; between
them it is lognormal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing import exercise
from quotewell.analytics.pricing.contracts import Contracts


class Dividends(NamedTuple):
    """Cash dividends per share, shape (events, contracts); those outside the life of a contract do not count.

    Attributes:
        when: Years from now to the ex-date.
        amount: Per share, in the currency of the spot; 0 for none.
    """

    when: Floats
    amount: Floats

    def take(self, rows: Bools | Integers | slice) -> Dividends:
        """Those of some of the contracts."""
        return Dividends(self.when[:, rows], self.amount[:, rows])

    def counts(self, years: Floats) -> Integers:
        """How many each contract lives to see."""
        return np.asarray(self._alive(years).sum(axis=0))

    def in_order(self, years: Floats) -> Dividends:
        """By date, those that do not count last, as payments of 0 at expiry."""
        alive = self._alive(years)
        when = np.where(alive, self.when, years)
        order = np.argsort(np.where(alive, self.when, np.inf), axis=0, kind="stable")
        amount = np.where(alive, self.amount, 0.0)
        return Dividends(np.take_along_axis(when, order, axis=0), np.take_along_axis(amount, order, axis=0))

    def present_value(self, years: Floats, rate: Floats) -> Floats:
        """The sum of what is paid until expiry, discounted."""
        paid = np.where(self._alive(years), self.amount * np.exp(-rate * self.when), 0.0)
        return np.asarray(paid.sum(axis=0))

    def _alive(self, years: Floats) -> Bools:
        return np.asarray((self.when > 0.0) & (self.when <= years) & (self.amount > 0.0))


class Riskless(NamedTuple):
    """What a holder gets without volatility, per share.

    Attributes:
        value: The most, and at least 0.
        paid: Exercise at the best moment, which may be negative.
        when: Years to that moment.
    """

    value: Floats
    paid: Floats
    when: Floats


def riskless(contracts: Contracts, american: Bools, dividends: Dividends) -> Riskless:
    """The best exercise on the path that spot takes without volatility.

    An American option may be exercised now, before and after each ex-date, at a turning point between them,
    or at expiry; a European one at expiry only.
    """
    best = np.full(contracts.years.shape, -np.inf)
    best_when = np.zeros_like(best)
    for when, paid, early in _moments(contracts, dividends):
        better = (paid > best) & (american | ~early)
        best, best_when = np.where(better, paid, best), np.where(better, when, best_when)
    return Riskless(np.maximum(best, 0.0), best, best_when)


def _moments(contracts: Contracts, dividends: Dividends) -> Iterator[tuple[Floats, Floats, bool]]:
    """Times, the present values of exercise then, and whether that is before expiry."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    held, start = spot, np.zeros_like(years)  # `held`: the spot now that would lead to the same path, unpaid
    ordered = dividends.in_order(years)

    def paid(when: Floats) -> Floats:
        return np.asarray(sign * (held * np.exp(-dividend_yield * when) - strike * np.exp(-rate * when)))

    yield start, paid(start), True
    for ex_date, amount in zip(*ordered, strict=True):
        turning = _turning(contracts, held, start, ex_date)
        yield turning, paid(turning), True
        yield ex_date, paid(ex_date), True
        held = np.maximum(held - amount * np.exp((dividend_yield - rate) * ex_date), 0.0)
        yield ex_date, paid(ex_date), True
        start = ex_date
    turning = _turning(contracts, held, start, years)
    yield turning, paid(turning), True
    yield years, paid(years), False


def _turning(contracts: Contracts, held: Floats, start: Floats, end: Floats) -> Floats:
    """Where r·K·e^(-rt) = q·S·e^(-qt) between two times; `start` where nowhere."""
    _, _, strike, _, rate, dividend_yield = contracts
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        turning = np.log(rate * strike / (dividend_yield * held)) / (rate - dividend_yield)
    return np.where((turning > start) & (turning < end), turning, start)


def upper_bound(contracts: Contracts, american: Bools) -> Floats:
    """The value at infinite volatility, which makes dividends worth nothing beside the share."""
    _, spot, strike, years, rate, dividend_yield = contracts
    carried, discounted = spot * np.exp(-dividend_yield * years), strike * np.exp(-rate * years)
    at_expiry = np.where(contracts.sign > 0.0, carried, discounted)
    return np.where(american, exercise.bounds(contracts)[1], at_expiry)
