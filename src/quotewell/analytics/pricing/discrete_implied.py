"""Volatilities that reproduce the prices of a block with known dividends, and what they say beside.

The European volatility on the spot less the dividends' value is near. A Newton step from it, and a value on
either side of where that leads, give volatility and vega nearly, on a coarser grid; from there a few
secants settle it on the fine one. What they do not settle is bracketed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Floats, Integers
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.analytics.pricing.european import MAX_TOTAL_VOLATILITY
from quotewell.analytics.pricing.root import bracketed_root, secants
from quotewell.analytics.pricing.spot_model import FINE, SLOPES, VOLATILITY_BUMP, Block

SMALLEST_TOTAL_VOLATILITY = 1e-4
"""Volatility·√T below which an option is worth what it is without."""

_PRICE_TOLERANCE = 5e-8  # of strike
_FAR = 2.0 * VOLATILITY_BUMP  # of the volatility: how far from the root a slope says nothing of it
_FIRST_GUESS = 0.3  # where the European price without the dividends' value says nothing


class Implied(NamedTuple):
    """One-dimensional columns; NaN where no volatility reproduces the price.

    Attributes:
        volatility: A fraction a year.
        figures: Price, delta and gamma per share at it, shape (3, contracts).
        vega: ∂V/∂volatility at it.
    """

    volatility: Floats
    figures: Floats
    vega: Floats


class _Near(NamedTuple):
    """Values around a volatility: a root of the parabola through them, and its slope anywhere."""

    root: Floats
    middle: Floats
    slope: Floats
    bend: Floats

    def slope_at(self, volatility: Floats) -> Floats:
        return self.slope + 2.0 * self.bend * (volatility - self.middle)


def guess(contracts: Contracts, price: Floats, dividends: Dividends) -> Floats:
    """The European volatility on the spot less the dividends' value."""
    worth = dividends.present_value(contracts.years, contracts.rate)
    escrowed = contracts._replace(spot=np.maximum(contracts.spot - worth, 0.05 * contracts.spot))
    found = european.implied_volatility(escrowed, price)
    return np.where(np.isnan(found), _FIRST_GUESS, found)


def implied(block: Block, price: Floats, start: Floats, lower: Floats) -> Implied:
    """Solve one block.

    Args:
        block: The contracts.
        price: What they cost, between the bounds.
        start: Volatilities to start from.
        lower: The values without volatility.
    """
    strike = block.contracts.strike
    tolerance, ceiling = _PRICE_TOLERANCE * strike, MAX_TOTAL_VOLATILITY / block.contracts.root_years
    start = np.minimum(start, 0.5 * ceiling)
    out = Implied(np.empty_like(price), np.empty((3, price.size)), np.empty_like(price))

    def fine(rows: Integers, volatility: Floats) -> Floats:
        out.figures[:, rows] = block.take(rows).figures(volatility, FINE)
        return np.asarray(out.figures[0, rows])

    near = _near(block, price, start)
    nearly, slope = near.root, near.slope_at(near.root)
    out.volatility[:], _, settled = secants(fine, price, tolerance, ceiling, nearly, slope)
    out.vega[:] = near.slope_at(out.volatility)
    rest = np.flatnonzero(~settled)
    if rest.size:
        _bracket(block.take(rest), rest, price[rest], lower[rest], out)
    far = np.flatnonzero(np.abs(out.volatility - near.middle) > _FAR * near.middle)
    if far.size:
        out.vega[far] = block.take(far).vega(out.volatility[far])
    return out


def _near(block: Block, price: Floats, start: Floats) -> _Near:
    first = block.value(start, SLOPES)
    vega = european.greeks(block.contracts, start).vega
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moved = start + (price - first) / vega
    middle = np.where(np.isfinite(moved), np.clip(moved, 0.5 * start, 2.0 * start), start)
    bump = VOLATILITY_BUMP * middle
    above, below = (block.value(middle + move, SLOPES) for move in (bump, -bump))
    slope, mean = (above - below) / (2.0 * bump), 0.5 * (above + below)
    # The parabola through the three, where the first is no neighbour of the others.
    offset = start - middle
    apart = np.square(offset) - np.square(bump)
    useful = np.abs(apart) > 0.5 * np.square(bump)
    bend = np.where(useful, (first - mean - slope * offset) / np.where(useful, apart, 1.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        move = (price - mean + bend * np.square(bump)) / slope
        move -= bend * np.square(move) / slope
    inside = np.isfinite(move) & (np.abs(move) < 0.5 * middle)
    return _Near(middle + np.where(inside, move, 0.0), middle, slope, bend)


def _bracket(block: Block, rows: Integers, price: Floats, lower: Floats, out: Implied) -> None:
    """Settle the rest, where a volatility exists."""
    tolerance = _PRICE_TOLERANCE * block.contracts.strike
    ceiling = MAX_TOTAL_VOLATILITY / block.contracts.root_years

    def fine(some: Integers, volatility: Floats) -> Floats:
        return block.take(some).value(volatility, FINE)

    everything = np.arange(rows.size)
    excess = fine(everything, ceiling) - price
    vega = european.greeks(block.contracts, ceiling).vega
    some = np.flatnonzero(excess > 0.0)
    found = np.full_like(price, np.nan)
    if some.size:
        found[some] = bracketed_root(
            lambda part, volatility: fine(some[part], volatility),
            price[some],
            tolerance[some],
            ceiling[some],
            (excess[some], (lower - price)[some]),
            vega[some],
        )
    found[found * block.contracts.root_years <= SMALLEST_TOTAL_VOLATILITY] = np.nan
    out.figures[:, rows] = block.figures(np.where(np.isnan(found), ceiling, found), FINE)
    missed = np.abs(out.figures[0, rows] - price) > 2.0 * tolerance  # where the values leap
    out.volatility[rows] = np.where(missed, np.nan, found)
