"""Options on shares that pay known dividends: value, Greeks and implied volatility, for whole batches.

The engine of `quotewell.analytics.options` for contracts with dividends before expiry, American and
European; the equation is solved in `quotewell.analytics.pricing.spot_model`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing import exercise
from quotewell.analytics.pricing.contracts import Contracts, Greeks
from quotewell.analytics.pricing.discrete_implied import SMALLEST_TOTAL_VOLATILITY, Implied, guess, implied
from quotewell.analytics.pricing.dividends import Dividends, riskless, upper_bound
from quotewell.analytics.pricing.spot_model import FINE, Block

_STEPS_A_UNIT = 320.0  # of interest or yield until expiry: 10 % a year over two years are 64 steps
_DEEPEST = 4.0  # strike / spot up to which it holds
_LEAST_STEPS = 8
_BLOCK = 226  # contracts at a time: what their grids take fits the processor's second cache


class Discrete:
    """The engine for contracts with known dividends; its rows are those of the contracts that it is given."""

    def __init__(self, american: Bools, dividends: Dividends) -> None:
        """An engine for as many contracts as the columns are long.

        Args:
            american: Whether each may be exercised early.
            dividends: What the underlying of each pays, beside the continuous yield of the contracts.
        """
        self._american, self._dividends = american, dividends

    def take(self, rows: Bools | Integers) -> Discrete:
        """The engine for some of the contracts."""
        return Discrete(self._american[rows], self._dividends.take(rows))

    def bounds(self, contracts: Contracts) -> tuple[Floats, Floats]:
        """Values at zero and at infinite volatility."""
        lower = riskless(contracts, self._american, self._dividends).value
        return lower, upper_bound(contracts, self._american)

    def in_exercise_region(self, contracts: Contracts) -> Bools:
        """Whether some volatility makes immediate exercise best."""
        lower = riskless(contracts, self._american, self._dividends).value
        pays = (contracts.intrinsic > 0.0) & (exercise.waiting_cost(contracts) > 0.0)
        return self._american & pays & (lower <= contracts.intrinsic)

    def delta_without_volatility(self, contracts: Contracts) -> Floats:
        """Limit of delta as volatility goes to zero."""
        _, paid, when = riskless(contracts, self._american, self._dividends)
        weight = np.where(paid > 0.0, 1.0, np.where(paid == 0.0, 0.5, 0.0))
        return np.asarray(contracts.sign * weight * np.exp(-contracts.dividend_yield * when))

    def value(self, contracts: Contracts, volatility: Floats) -> Floats:
        """Price per share; zero volatility and zero spot give their limits."""
        out = riskless(contracts, self._american, self._dividends).value
        moves = (volatility * contracts.root_years > SMALLEST_TOTAL_VOLATILITY) & (contracts.spot > 0.0)
        some = np.flatnonzero(moves)
        for rows, block in self.take(some)._blocks(contracts.take(some)):  # noqa: SLF001 - of the same class
            out[some[rows]] = block.value(volatility[some[rows]], FINE)
        return out

    def greeks(self, contracts: Contracts, volatility: Floats) -> Greeks:
        """Price and Greeks per share, for positive volatility and spot.

        Delta and gamma are read off the grid, theta comes from the Black-Scholes equation, vega and rho are
        central differences on the coarse grid. Where exercise now is best delta is ±1 and the others are 0.
        """
        figures, slopes = np.empty((3, volatility.size)), np.empty((2, volatility.size))
        for rows, block in self._blocks(contracts):
            figures[:, rows] = block.figures(volatility[rows], FINE)
            slopes[:, rows] = block.vega(volatility[rows]), block.rho(volatility[rows])
        return self._greeks(contracts, volatility, figures, *slopes)

    def implied_volatility(self, contracts: Contracts, price: Floats) -> Floats:
        """The volatility at which `value` gives each price.

        Returns:
            Volatilities; NaN where the price is not strictly between the bounds, needs more than
            `MAX_TOTAL_VOLATILITY`, or lies where `value` leaps.
        """
        out = np.full_like(price, np.nan)
        for rows, _, found in self._implied(contracts, price):
            out[rows] = found.volatility
        return out

    def solve(self, contracts: Contracts, price: Floats) -> tuple[Floats, Greeks]:
        """`implied_volatility` and the Greeks at it, at half the cost of both."""
        volatility, slopes = np.full_like(price, np.nan), np.full((2, price.size), np.nan)
        figures = np.full((3, price.size), np.nan)
        for rows, block, found in self._implied(contracts, price):
            volatility[rows], figures[:, rows] = found.volatility, found.figures
            known = np.flatnonzero(~np.isnan(found.volatility))
            slopes[0, rows] = found.vega
            if known.size:
                slopes[1, rows[known]] = block.take(known).rho(found.volatility[known])
        return volatility, self._greeks(contracts, volatility, figures, *slopes)

    def _implied(self, contracts: Contracts, price: Floats) -> Iterator[tuple[Integers, Block, Implied]]:
        lower, upper = self.bounds(contracts)
        start = guess(contracts, price, self._dividends)
        for rows, block in self._blocks(contracts):
            inside = (price[rows] > lower[rows]) & (price[rows] < upper[rows])
            own, part = rows[inside], block.take(inside)
            if own.size:
                yield own, part, implied(part, price[own], start[own], lower[own])

    def _greeks(
        self, contracts: Contracts, volatility: Floats, figures: Floats, vega: Floats, rho: Floats
    ) -> Greeks:
        sign, spot, _, years, rate, dividend_yield = contracts
        price, delta, gamma = figures
        # Values are convex in spot and rise with volatility; what a grid says else is its error at a kink.
        most = np.exp(np.maximum(-dividend_yield * years, 0.0))
        delta = sign * np.clip(sign * delta, 0.0, most)
        gamma, vega = np.maximum(gamma, 0.0), np.maximum(vega, 0.0)
        theta = rate * price - (rate - dividend_yield) * spot * delta
        theta -= 0.5 * np.square(volatility * spot) * gamma
        exercised = self._american & (price <= contracts.intrinsic)
        return Greeks(price, delta, gamma, *(np.where(exercised, 0.0, each) for each in (vega, theta, rho)))

    def _blocks(self, contracts: Contracts) -> Iterator[tuple[Integers, Block]]:
        """Contracts of one kind with as many dividends, those with as many steps and near dates together."""
        years = contracts.years
        count, ordered = self._dividends.counts(years), self._dividends.in_order(years)
        total, is_continuous = _steps(contracts, self._american)
        dates = np.concatenate([np.zeros((1, years.size)), ordered.when, years[np.newaxis]])
        steps = np.ceil(total * np.diff(dates, axis=0) / years - 1e-9)
        style = 4 * self._american + 2 * is_continuous + (contracts.sign > 0.0)
        order = np.lexsort((dates[1], total, style, count))
        kind = 8 * count[order] + style[order]
        for group in np.split(order, np.flatnonzero(np.diff(kind)) + 1):
            for start in range(0, group.size, _BLOCK):
                rows = group[start : start + _BLOCK]
                events = int(count[rows[0]])
                paid = Dividends(*(column[:events] for column in ordered.take(rows)))
                own = steps[: events + 1, rows].astype(np.intp)
                first = rows[0]
                flags = bool(self._american[first]), bool(is_continuous[first])
                yield rows, Block(contracts.take(rows), flags[0], paid, own, flags[1])


def _steps(contracts: Contracts, american: Bools) -> tuple[Integers, Bools]:
    """Steps until expiry, and whether waiting costs something at all times; if not, one a segment will do."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    always = american & ~exercise.is_european(sign, rate, dividend_yield)
    at_stake = np.maximum(np.abs(rate), np.abs(dividend_yield)) * years
    # Errors grow with the strike, and are held to a part of the spot.
    wanted = _STEPS_A_UNIT * at_stake * np.clip(strike / spot, 1.0, _DEEPEST)
    steps = np.where(always, np.ceil(np.maximum(wanted, _LEAST_STEPS)), 1.0)
    return steps.astype(np.intp), always
