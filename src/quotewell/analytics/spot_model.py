"""Options on shares that pay known dividends: a block of contracts, solved back from expiry on a grid.

With z = ln(S/S₀) - (r - q - σ²/2)·t, and values discounted to now, the Black-Scholes equation is the heat equation,
which sums of cosines solve exactly for any stretch of time (`quotewell.analytics.heat`). So time is cut only where
the holder may decide: at ex-dates, where the spot falls, and, where waiting costs something at all times, at equal
steps in between.

- The last step before expiry is a Black-Scholes value, so that no kink of the payoff meets the grid.
- Calls are carried as puts: a function that is straight in spot, b·S - a, is taken out of them, which solves the
  equation by itself. What is left falls to 0 above and is bounded below, as the cosines need it.
- Exercise at steps Δt apart only is worth less than exercise at any time, by an amount of first order. Nearly all of
  it is given back by raising what exercise pays by a fixed fraction of what waiting for Δt would cost: next to the
  boundary every contract looks the same at the scale σ·√Δt, so that one fraction serves all. It was found by fitting
  values without dividends to those of `quotewell.analytics.american`. Before the first step now, where the layer
  beside the boundary is read itself, steps are halved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.contracts import Contracts
from quotewell.analytics.dividends import Dividends
from quotewell.analytics.heat import decay, read, read_with_slopes, restore, transform
from quotewell.analytics.normal import cdf, pdf

_HALF_WIDTH = 4.5  # of the grid, in deviations until expiry, beside what the dividends take
_LARGEST_SHARE = 0.9  # of spot: what the grid is widened for at most
_RAISE = 0.275  # of the cost of waiting for a step: what exercise at steps is raised by
_LAST_RAISE = 0.25  # the same in the last step before expiry, where the boundary runs away from the strike
_SMOOTHED = 0.8  # of a cell: the least deviation of what starts on the grid
_HALVINGS = 3  # of the step that ends now


class Resolution(NamedTuple):
    """How finely to cut.

    Attributes:
        nodes: Of the grid.
        steps: Multiplies the steps of the block.
    """

    nodes: int
    steps: float


class Block(NamedTuple):
    """Contracts with equally many dividends before expiry.

    Attributes:
        contracts: Their terms.
        american: Whether each may be exercised early.
        dividends: All of them before expiry, by date, shape (events, contracts).
        steps: From now to expiry where waiting costs something at all times; 0 where only ex-dates matter.
    """

    contracts: Contracts
    american: Bools
    dividends: Dividends
    steps: int

    def take(self, rows: Bools | Integers) -> Block:
        """Some of the contracts."""
        return Block(self.contracts.take(rows), self.american[rows], self.dividends.take(rows), self.steps)

    def value(self, volatility: Floats, resolution: Resolution) -> Floats:
        """Price per share, for positive volatility and spot."""
        return _Solution(self, volatility, resolution).value()

    def figures(self, volatility: Floats, resolution: Resolution) -> Floats:
        """Price, delta and gamma per share as rows; intrinsic, ±1 and 0 where exercise now is best."""
        return _Solution(self, volatility, resolution).figures()


class _Solution:
    """One run back from expiry to now; nodes are rows, contracts columns."""

    def __init__(self, block: Block, volatility: Floats, resolution: Resolution) -> None:
        self._contracts, self._american = block.contracts, block.american
        self._dividends = block.dividends
        self._volatility, self._variance = volatility, np.square(volatility)
        self._nodes = resolution.nodes
        self._steps = int(np.ceil(block.steps * resolution.steps))
        self._is_call = block.contracts.sign > 0.0
        spot, total = block.contracts.spot, volatility * block.contracts.root_years
        share = np.minimum(block.dividends.amount.sum(axis=0) / spot, _LARGEST_SHARE)
        self._below = _HALF_WIDTH * total - np.log1p(-share)
        self._width = self._below + _HALF_WIDTH * total
        places = (np.arange(self._nodes)[:, np.newaxis] + 0.5) / self._nodes
        self._logs: Floats = places * self._width - self._below
        self._growth = np.exp(self._logs)
        # What is taken out of calls: `_slope` times the discounted spot, less `_constant`.
        self._constant, self._slope = self._strike_at(block.contracts.years), np.ones_like(volatility)
        self._work = np.empty_like(self._growth)
        self._values = np.empty_like(self._growth)
        self._solve()

    def value(self) -> Floats:
        held = read(self._coefficients, self._below / self._width)
        held += np.where(self._is_call, self._slope * self._contracts.spot - self._constant, 0.0)
        return np.where(self._american, np.maximum(held, self._contracts.intrinsic), held)

    def figures(self) -> Floats:
        sign, spot = self._contracts.sign, self._contracts.spot
        held, by_log, bend = read_with_slopes(self._coefficients, self._below / self._width, self._width)
        held += np.where(self._is_call, self._slope * spot - self._constant, 0.0)
        delta = by_log / spot + np.where(self._is_call, self._slope, 0.0)
        exercised = self._american & (held <= self._contracts.intrinsic)
        at_once = np.stack([self._contracts.intrinsic, sign, np.zeros_like(sign)])
        return np.where(exercised, at_once, np.stack([held, delta, (bend - by_log) / np.square(spot)]))

    def _solve(self) -> None:
        """Leave the coefficients as of now."""
        when = years = self._contracts.years
        starts = [np.zeros_like(years), *self._dividends.when]
        at_expiry = True
        for segment in range(len(starts) - 1, -1, -1):
            start = starts[segment]
            stretches = self._cut(when - start, ends_now=segment == 0)
            if at_expiry:
                first, _ = stretches.pop(0)
                when = when - first
                self._start(when, first)
            waited = at_expiry  # an ex-date ends the time in which waiting does not pay
            for stretch, factor in stretches:
                if self._steps:
                    self._exercise(when, stretch if waited else None)
                self._go_back(stretch, factor)
                when, waited = when - stretch, True
            if segment:
                self._exercise(start, None)
                self._pay(start, self._dividends.amount[segment - 1])
                self._exercise(start, None)
            when, at_expiry = start, False

    def _cut(self, span: Floats, *, ends_now: bool) -> list[tuple[Floats, Floats]]:
        """The stretches of a segment from its end to its start, and what each leaves of the coefficients.

        All contracts have as many; each has its own lengths.
        """
        share = float((span / self._contracts.years).mean())
        count = max(1, int(np.ceil(self._steps * share - 1e-9)))
        halvings = _HALVINGS if ends_now and self._steps else 0
        stretch = span / (count * 2**halvings)
        factor = decay(self._nodes, self._variance * stretch, self._width)
        halved = [(stretch, factor)] if halvings else []
        for _ in range(halvings):
            halved.append((stretch, factor))
            stretch, factor = 2.0 * stretch, np.square(factor)
        return [(stretch, factor)] * (count - 1 if halved else count) + halved[::-1]

    def _start(self, when: Floats, left: Floats) -> None:
        """Black-Scholes values of puts, `left` before expiry, raised by what the last step loses."""
        _, spot, strike, years, rate, dividend_yield = self._contracts
        variance = self._variance * left
        # A kink that is narrower than a cell is smoothed, and what that adds taken off again to first order.
        added = np.maximum(np.square(_SMOOTHED * self._width / self._nodes) - variance, 0.0)
        deviation = np.sqrt(variance + added)
        drift = np.log(spot / strike) + (rate - dividend_yield - 0.5 * self._variance) * years
        d2 = (self._logs + drift) / deviation
        discounted = self._strike_at(years)
        carried = self._growth * (spot * np.exp(-dividend_yield * years - 0.5 * (self._variance * when - added)))
        in_strike, in_spot = discounted * cdf(-d2), carried * cdf(-d2 - deviation)
        np.subtract(in_strike, in_spot, out=self._values)
        if added.any():
            self._values -= 0.5 * added * (carried * pdf(d2 + deviation) / deviation - in_spot)
        self._coefficients = transform(self._values)
        self._slope = np.exp(-dividend_yield * left)
        if self._steps:
            cost = np.where(
                self._is_call,
                dividend_yield * (carried - in_spot) - rate * (discounted - in_strike),
                rate * in_strike - dividend_yield * in_spot,
            )
            raised = np.where(self._american, _LAST_RAISE * left, 0.0)
            self._values += raised * np.maximum(cost, 0.0)

    def _go_back(self, stretch: Floats, factor: Floats) -> None:
        self._coefficients = transform(self._values)
        self._coefficients *= factor
        restore(self._coefficients, self._values)
        self._slope = self._slope * np.exp(-self._contracts.dividend_yield * stretch)

    def _exercise(self, when: Floats, waited: Floats | None) -> None:
        """Raise the values of American contracts to what exercise gives, and more if waiting costs."""
        strike, spot = self._strike_at(when), self._spot_at(when)
        # Far in the money a call is exercised or not, as a whole: that changes what is taken out of it.
        takes = self._is_call & self._american
        takes &= (self._slope < 1.0) | ((self._slope == 1.0) & (strike < self._constant))
        if takes.any():
            self._values += np.where(takes, strike - self._constant, 0.0)
            self._values += self._growth * np.where(takes, (self._slope - 1.0) * spot, 0.0)
            self._constant = np.where(takes, strike, self._constant)
            self._slope = np.where(takes, 1.0, self._slope)
        raised_strike, raised_spot = strike, spot
        if waited is not None:
            _, _, _, _, rate, dividend_yield = self._contracts
            raised_strike = strike * (1.0 + _RAISE * waited * rate)
            raised_spot = spot * (1.0 + _RAISE * waited * dividend_yield)
        level = np.where(self._is_call, self._constant - raised_strike, raised_strike)
        slope = np.where(self._is_call, raised_spot - self._slope * spot, -raised_spot)
        level = np.where(self._american, level, -np.inf)
        np.multiply(self._growth, np.where(self._american, slope, 0.0), out=self._work)
        self._work += level
        np.maximum(self._values, self._work, out=self._values)

    def _pay(self, when: Floats, amount: Floats) -> None:
        """From just after an ex-date to just before it."""
        _, spot, strike, years, rate, dividend_yield = self._contracts
        drift = rate - dividend_yield - 0.5 * self._variance
        after = self._growth - amount / (spot * np.exp(drift * when))
        lowest = self._growth[0]
        place = np.log(np.maximum(after, lowest) / lowest) * (self._nodes / self._width)
        moved = _interpolated(self._values, place)
        # Below the grid values are straight in spot, down to a share that is worth nothing.
        left = np.where(self._american & (rate > 0.0), 0.0, years - when)
        worthless = np.where(self._is_call, self._constant, strike * np.exp(-rate * (when + left)))
        part = np.maximum(after / lowest, 0.0)
        self._values = np.where(part < 1.0, worthless + part * (self._values[0] - worthless), moved)
        if self._is_call.any():
            slope = np.where(self._is_call, self._slope, 0.0)
            self._constant = self._constant + slope * amount * np.exp(-rate * when)
            self._values += (slope * self._spot_at(when)) * np.maximum(-after, 0.0)

    def _strike_at(self, when: Floats) -> Floats:
        """Discounted to now."""
        return np.asarray(self._contracts.strike * np.exp(-self._contracts.rate * when))

    def _spot_at(self, when: Floats) -> Floats:
        """What `_growth` multiplies to the spot, discounted to now."""
        _, spot, _, _, _, dividend_yield = self._contracts
        return np.asarray(spot * np.exp(-(dividend_yield + 0.5 * self._variance) * when))


def _interpolated(values: Floats, place: Floats) -> Floats:
    """Cubic interpolation of each column at fractional rows, not below the first."""
    rows, columns = values.shape
    low = np.clip(place.astype(np.intp), 1, rows - 3)
    x = place - low
    at = low * columns + np.arange(columns)
    flat = values.reshape(-1)
    before, here, ahead, beyond = (flat.take(at + offset * columns) for offset in (-1, 0, 1, 2))
    third = (beyond - before) / 6.0 + 0.5 * (here - ahead)
    second = 0.5 * (before + ahead) - here
    first = ahead - before / 3.0 - 0.5 * here - beyond / 6.0
    return np.asarray(((third * x + second) * x + first) * x + here)
