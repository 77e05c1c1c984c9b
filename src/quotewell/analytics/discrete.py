"""Options on shares that pay known dividends: value, Greeks and implied volatility, for whole batches.

The engine of `quotewell.analytics.options` for contracts with dividends before expiry, American and
European; the equation is solved in `quotewell.analytics.spot_model`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quotewell.analytics import european, exercise
from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.contracts import Contracts, Greeks
from quotewell.analytics.dividends import Dividends, riskless, upper_bound
from quotewell.analytics.european import MAX_TOTAL_VOLATILITY
from quotewell.analytics.root import bracketed_root, secants
from quotewell.analytics.spot_model import Block, Resolution

FINE = Resolution(nodes=96, steps=1.0)
"""Seen within 1e-4 of spot."""

COARSE = Resolution(nodes=48, steps=0.5)
"""Leads implied volatilities to where `FINE` finishes, at a fifth of its cost."""

SLOPES = Resolution(nodes=64, steps=0.7)
"""For differences of values, whose errors hardly differ."""

_STEPS_A_UNIT = 360.0  # of interest or yield until expiry: 10 % a year over two years are 72 steps
_LEAST_STEPS = 8
_BLOCK = 226  # contracts at a time: what their grids take fits the processor's second cache
_SMALLEST_TOTAL_VOLATILITY = 1e-4
_VOLATILITY_BUMP = 4e-2  # of the volatility itself
_RATE_BUMP = 4e-3
_PRICE_TOLERANCE = 5e-8  # of strike
_COARSE_TOLERANCE = 1e-5
_FIRST_GUESS = 0.3  # where the European price without the dividends' value says nothing


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
        moves = (volatility * contracts.root_years > _SMALLEST_TOTAL_VOLATILITY) & (contracts.spot > 0.0)
        some = np.flatnonzero(moves)
        for rows, block in self.take(some)._blocks(contracts.take(some)):  # noqa: SLF001 - of the same class
            out[some[rows]] = block.value(volatility[some[rows]], FINE)
        return out

    def greeks(self, contracts: Contracts, volatility: Floats) -> Greeks:
        """Price and Greeks per share, for positive volatility and spot.

        Delta and gamma are read off the grid, theta comes from the Black-Scholes equation, vega and rho are
        central differences on the coarse grid. Where exercise now is best delta is ±1 and the others are 0.
        """
        _, spot, _, _, rate, dividend_yield = contracts
        out = np.empty((6, volatility.size))
        for rows, block in self._blocks(contracts):
            out[:3, rows] = block.figures(volatility[rows], FINE)
            out[3, rows], out[5, rows] = _slopes(block, volatility[rows])
        price, delta, gamma = out[:3]
        out[4] = rate * price - (rate - dividend_yield) * spot * delta
        out[4] -= 0.5 * np.square(volatility * spot) * gamma
        out[3:, self._american & (price <= contracts.intrinsic)] = 0.0
        return Greeks(*out)

    def implied_volatility(self, contracts: Contracts, price: Floats) -> Floats:
        """The volatility at which `value` gives each price.

        The European volatility on the spot less the dividends' value is near to it. From there the coarse
        grid leads to where `value` itself finishes; what secants do not settle is bracketed.

        Returns:
            Volatilities; NaN where the price is not strictly between the bounds, needs more than
            `MAX_TOTAL_VOLATILITY`, or lies where `value` jumps.
        """
        lower, upper = self.bounds(contracts)
        guess = _guess(contracts, price, self._dividends)
        out = np.full_like(price, np.nan)
        for rows, block in self._blocks(contracts):
            inside = (price[rows] > lower[rows]) & (price[rows] < upper[rows])
            own, part = rows[inside], block.take(inside)
            if own.size:
                out[own] = _solve(part, price[own], guess[own], lower[own])
        return out

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
    sign, _, _, years, rate, dividend_yield = contracts
    always = american & ~exercise.is_european(sign, rate, dividend_yield)
    wanted = _STEPS_A_UNIT * np.maximum(np.abs(rate), np.abs(dividend_yield)) * years
    steps = np.where(always, np.ceil(np.maximum(wanted, _LEAST_STEPS)), 1.0)
    return steps.astype(np.intp), always


def _slopes(block: Block, volatility: Floats) -> tuple[Floats, Floats]:
    """Vega and rho."""
    bump = _VOLATILITY_BUMP * volatility
    contracts = block.contracts
    up, down = (block.value(volatility + move, SLOPES) for move in (bump, -bump))
    # Early exercise begins and ends where the rate changes its sign.
    more = np.where(contracts.rate == 0.0, _RATE_BUMP, np.minimum(_RATE_BUMP, 0.25 * np.abs(contracts.rate)))
    less = np.where(contracts.rate == 0.0, 0.0, -more)
    dearer, cheaper = (
        block._replace(contracts=contracts._replace(rate=contracts.rate + move)).value(volatility, SLOPES)
        for move in (more, less)
    )
    return (up - down) / (2.0 * bump), (dearer - cheaper) / (more - less)


def _guess(contracts: Contracts, price: Floats, dividends: Dividends) -> Floats:
    worth = dividends.present_value(contracts.years, contracts.rate)
    escrowed = contracts._replace(spot=np.maximum(contracts.spot - worth, 0.05 * contracts.spot))
    found = european.implied_volatility(escrowed, price)
    return np.where(np.isnan(found), _FIRST_GUESS, found)


def _solve(block: Block, price: Floats, guess: Floats, lower: Floats) -> Floats:
    """The volatilities of one block, whose prices lie between the bounds."""
    ceiling = MAX_TOTAL_VOLATILITY / block.contracts.root_years
    strike = block.contracts.strike
    tolerance = _PRICE_TOLERANCE * strike

    def coarse(rows: Integers, volatility: Floats) -> Floats:
        return block.take(rows).value(volatility, COARSE)

    def fine(rows: Integers, volatility: Floats) -> Floats:
        return block.take(rows).value(volatility, FINE)

    start = np.minimum(guess, 0.5 * ceiling)
    vega = european.greeks(block.contracts, start).vega
    nearly = secants(coarse, price, _COARSE_TOLERANCE * strike, ceiling, start, vega)
    root, _, settled = secants(fine, price, tolerance, ceiling, nearly.root, nearly.slope)
    rest = np.flatnonzero(~settled)
    if rest.size:
        excess = fine(rest, ceiling[rest]) - price[rest]
        root[rest] = np.nan
        rest, excess = rest[excess > 0.0], excess[excess > 0.0]
        found = bracketed_root(
            lambda rows, volatility: fine(rest[rows], volatility),
            price[rest],
            tolerance[rest],
            ceiling[rest],
            (excess, (lower - price)[rest]),
            vega[rest],
        )
        root[rest] = found
    return root
