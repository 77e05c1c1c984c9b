"""American options: value, Greeks and implied volatility, for a whole batch of contracts at once.

The European value is exact; what the right to exercise early adds comes from the exercise boundary
(`quotewell.analytics.pricing.right` and below it). Prices and volatilities are one-dimensional columns beside
`Contracts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing import european, exercise
from quotewell.analytics.pricing.coarse import CoarseValue
from quotewell.analytics.pricing.contracts import Contracts, Greeks
from quotewell.analytics.pricing.european import MAX_TOTAL_VOLATILITY
from quotewell.analytics.pricing.puts import Tolerance
from quotewell.analytics.pricing.right import NONE, Accuracy, Right, right, value_by
from quotewell.analytics.pricing.root import bracketed_root, secants

__all__ = ["DEFAULT", "ENGINES", "HIGH", "AccuracyName", "American"]

AccuracyName: TypeAlias = Literal["default", "high"]

_SMALLEST_TOTAL_VOLATILITY = 1e-7
_VOLATILITY_BUMP = 4e-3  # of the volatility itself
_RATE_BUMP = 4e-4
_PRICE_TOLERANCE = 5e-10  # of spot or strike
_COARSE_ERROR = 1e-4  # likewise: more than the coarsest scheme is wrong by, corners aside
_COARSE_TOLERANCE = 20.0  # times that of the price


@dataclass(frozen=True, slots=True)
class American:
    """The engine for American contracts.

    Attributes:
        accuracy: How exactly it values the right to exercise early.
    """

    accuracy: Accuracy

    def bounds(self, contracts: Contracts) -> tuple[Floats, Floats]:
        """Values at zero and at infinite volatility."""
        return exercise.bounds(contracts)

    def in_exercise_region(self, contracts: Contracts) -> Bools:
        """Whether some volatility makes immediate exercise best."""
        return exercise.in_exercise_region(contracts)

    def delta_without_volatility(self, contracts: Contracts) -> Floats:
        """Limit of delta as volatility goes to zero."""
        return exercise.delta_without_volatility(contracts)

    def value(self, contracts: Contracts, volatility: Floats) -> Floats:
        """Price per share; zero volatility and zero spot give their limits."""
        riskless, _ = exercise.best_exercise(contracts)
        exact = european.value(contracts, volatility)
        out = np.maximum(riskless, exact)
        rows = (volatility * contracts.root_years > _SMALLEST_TOTAL_VOLATILITY) & (contracts.spot > 0.0)
        if rows.any():
            held, deviation, known = contracts.take(rows), volatility[rows], exact[rows]
            out[rows] = _price(held, known, right(held, deviation, known, self.accuracy))
        return out

    def spot_greeks(self, contracts: Contracts, volatility: Floats) -> tuple[Floats, Floats, Floats]:
        """Price, delta and gamma per share as in `greeks`, at half of its cost."""
        exact = european.greeks(contracts, volatility)
        return _spot_greeks(contracts, volatility, exact, self._right(contracts, volatility, exact))

    def greeks(self, contracts: Contracts, volatility: Floats) -> Greeks:
        """Price and Greeks per share, for positive volatility and spot.

        Delta and gamma are derivatives of the integral over the boundary, theta comes from the
        Black-Scholes equation, vega and rho are the European ones plus the difference quotients of the
        premium. Inside the exercise region the value is intrinsic, delta ±1 and the others 0. Theta is
        never positive, since a longer life includes the shorter one: gamma is raised to what that takes,
        which matters only within rounding of the boundary, where it jumps.
        """
        _, spot, _, _, rate, dividend_yield = contracts
        exact = european.greeks(contracts, volatility)
        early = self._right(contracts, volatility, exact)
        price, delta, gamma = _spot_greeks(contracts, volatility, exact, early)
        theta = rate * price - (rate - dividend_yield) * spot * delta
        theta -= 0.5 * np.square(volatility * spot) * gamma
        theta = np.where(_never_early(contracts), exact.theta, np.minimum(theta, 0.0))
        by_volatility, by_rate = _slopes(contracts, volatility, early)
        vega, rho = np.maximum(exact.vega + by_volatility, 0.0), exact.rho + by_rate
        return Greeks(
            price, delta, gamma, *(np.where(early.exercised, 0.0, each) for each in (vega, theta, rho))
        )

    def _right(self, contracts: Contracts, volatility: Floats, exact: Greeks) -> Right:
        return right(contracts, volatility, exact.value, self.accuracy)

    def implied_volatility(self, contracts: Contracts, price: Floats) -> Floats:
        """The volatility at which `value` gives each price.

        An American option is worth at least the European one, so the European implied volatility bounds
        the root from above, and is near to it. From there the coarsest scheme alone, whose value is right
        to about 1e-6 (in corners not at all), leads to where `value` itself finishes.

        Returns:
            Volatilities; NaN where the price is not strictly between the bounds or needs more than
            `MAX_TOTAL_VOLATILITY`.
        """
        lower, _ = exercise.bounds(contracts)
        ceiling = european.implied_volatility(contracts, price)
        ceiling = np.where(np.isnan(ceiling), MAX_TOTAL_VOLATILITY / contracts.root_years, ceiling)
        scale = np.maximum(contracts.spot, contracts.strike)
        tolerance = _PRICE_TOLERANCE * scale
        coarse = CoarseValue.starting(contracts, ceiling)
        excess = coarse(np.arange(price.size), ceiling) - price
        near = np.flatnonzero(excess <= _COARSE_ERROR * scale)
        excess[near] = self.value(contracts.take(near), ceiling[near]) - price[near]
        out = np.where(np.abs(excess) <= tolerance, ceiling, np.nan)
        rows = np.flatnonzero((price > lower) & (excess > tolerance))
        if rows.size:
            out[rows] = self._root(
                contracts.take(rows),
                price[rows],
                tolerance[rows],
                ceiling[rows],
                (lower - price)[rows],
                coarse.take(rows),
            )
        return out

    def _root(
        self,
        contracts: Contracts,
        price: Floats,
        tolerance: Floats,
        ceiling: Floats,
        low: Floats,
        coarse: CoarseValue,
    ) -> Floats:
        """The volatility below `ceiling` at which `value` gives the price; NaN if there is none after all.

        By secants on the coarsest scheme, then on `value`; what they do not settle is bracketed with `value`.
        `low` is value - price without volatility.
        """

        def value(rows: Integers, volatility: Floats) -> Floats:
            return self.value(contracts.take(rows), volatility)

        vega = european.greeks(contracts, ceiling).vega
        nearly = secants(coarse, price, _COARSE_TOLERANCE * tolerance, ceiling, ceiling, vega)
        out, _, settled = secants(value, price, tolerance, ceiling, nearly.root, nearly.slope)
        rest = np.flatnonzero(~settled)
        if rest.size:
            top = value(rest, ceiling[rest]) - price[rest]
            out[rest] = np.where(np.abs(top) <= tolerance[rest], ceiling[rest], np.nan)
            rest, top = rest[top > tolerance[rest]], top[top > tolerance[rest]]
            out[rest] = bracketed_root(
                lambda rows, volatility: value(rest[rows], volatility),
                price[rest],
                tolerance[rest],
                ceiling[rest],
                (top, low[rest]),
                vega[rest],
            )
        return out


DEFAULT = American(Accuracy(Tolerance(value=5e-6, delta=2e-5, boundary=1e-5), refinement=1))
"""Seen within 4e-6 of spot for ordinary contracts, within 2e-5 for extreme ones."""

HIGH = American(Accuracy(Tolerance(value=3e-7, delta=3e-6, boundary=1e-6), refinement=4))
"""Seen within 7e-7 of spot for ordinary contracts, within 9e-6 for extreme ones; several times as slow."""

ENGINES: dict[AccuracyName, American] = {"default": DEFAULT, "high": HIGH}
"""By the name of their accuracy."""


def _price(contracts: Contracts, european_value: Floats, early: Right) -> Floats:
    premium = np.where(early.exercised, 0.0, np.maximum(early.value, 0.0))
    return np.maximum(european_value + premium, contracts.intrinsic)


def _never_early(contracts: Contracts) -> Bools:
    return exercise.is_european(contracts.sign, contracts.rate, contracts.dividend_yield)


def _spot_greeks(
    contracts: Contracts, volatility: Floats, exact: Greeks, early: Right
) -> tuple[Floats, Floats, Floats]:
    """Price, delta and gamma from the European ones and the right to exercise early."""
    sign, spot, _, _, rate, dividend_yield = contracts
    price = _price(contracts, exact.value, early)
    delta = np.where(early.exercised, sign, exact.delta + early.delta)
    carried = rate * price - (rate - dividend_yield) * spot * delta
    least = np.maximum(carried / (0.5 * np.square(volatility * spot)), 0.0)
    gamma = np.where(_never_early(contracts), exact.gamma, np.maximum(exact.gamma + early.gamma, least))
    return price, delta, np.where(early.exercised, 0.0, gamma)


def _slopes(contracts: Contracts, volatility: Floats, early: Right) -> tuple[Floats, Floats]:
    """The premium's derivatives by volatility and by rate, by central differences where both sides exist.

    One scheme coarser than the premium itself: what it is wrong by hardly differs between the two sides.
    """
    step = _VOLATILITY_BUMP * volatility
    up, down = _rate_steps(contracts)
    moved = [
        (contracts, volatility + step),
        (contracts, volatility - step),
        (contracts._replace(rate=contracts.rate + up), volatility),
        (contracts._replace(rate=contracts.rate - down), volatility),
    ]
    batch = Contracts(*(np.concatenate(column) for column in zip(*(pair[0] for pair in moved), strict=True)))
    deviation = np.concatenate([pair[1] for pair in moved])
    scheme = np.where(early.scheme > 0, early.scheme - 1, early.scheme)
    scheme[early.exercised] = NONE
    count = len(moved)
    nearly = np.tile(early.coarse, count) * (deviation / np.tile(volatility, count))
    values, _ = value_by(batch, deviation, np.tile(scheme, count), nearly)
    values = values.reshape(count, volatility.size)
    return (values[0] - values[1]) / (2.0 * step), (values[2] - values[3]) / (up + down)


def _rate_steps(contracts: Contracts) -> tuple[Floats, Floats]:
    """How far the rate may move up and down without the exercise boundary ceasing to exist.

    A put has one for positive rates, and for a rate of 0 beside a negative yield; a call on a share without
    yield has one for negative rates.
    """
    sign, _, _, _, rate, dividend_yield = contracts
    bound = np.where(sign < 0.0, rate > 0.0, dividend_yield == 0.0)
    up = np.where(bound, np.minimum(_RATE_BUMP, 0.25 * np.abs(rate)), _RATE_BUMP)
    up = np.where(up > 0.0, up, _RATE_BUMP)
    return up, np.where((sign < 0.0) & (rate == 0.0), 0.0, up)
