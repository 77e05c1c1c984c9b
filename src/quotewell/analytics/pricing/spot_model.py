"""Options on shares that pay known dividends: a block of contracts, solved back from expiry on a grid.

With z = ln(S/S₀) - (r - q - σ²/2)·t, and values discounted to now, the Black-Scholes equation is the heat
equation, which sums of cosines solve exactly for any stretch of time (`pricing.heat`). So time
is cut only where the holder may decide: at ex-dates, where the spot falls, and, where waiting costs
something at all times, at equal steps in between.

- The last step before expiry is a Black-Scholes value, so that no kink of the payoff meets the grid.
- Calls are carried as puts: a function that is straight in spot, b·S - a, is taken out of them, which
  solves the equation by itself. What is left falls to 0 above and is bounded below, as the cosines need it.
- Exercise at steps Δt apart only is worth less than exercise at any time, by an amount of first order.
  Nearly all of it is given back by raising what exercise pays by a fixed fraction of what waiting for Δt
  would cost: next to the boundary every contract looks the same at the scale σ·√Δt, so that one fraction
  serves all. It was found by fitting values without dividends to those of `pricing.american`.
  Before the first step now, where the layer beside the boundary is read itself, steps are halved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.analytics.pricing.grids import interpolated, with_slopes
from quotewell.analytics.pricing.heat import decay, step
from quotewell.analytics.pricing.normal import cdf, pdf

VOLATILITY_BUMP = 4e-2
"""Of the volatility itself: how far to either side slopes are taken."""

_HALF_WIDTH = 4.2  # of the grid, in deviations until expiry, beside what the dividends take
_LARGEST_SHARE = 0.9  # of spot: what the grid is widened for at most
_RAISE = 0.275  # of the cost of waiting for a step: what exercise at steps is raised by
_LAST_RAISE = 0.25  # the same in the last step before expiry, where the boundary runs away from the strike
_SMOOTHED = 0.8  # of a cell: the least deviation of what starts on the grid
_NEVER = 1e9  # of strike: what is not paid for exercise
_RATE_BUMP = 4e-3
_ROUNDING = 1e-13  # of strike
_HALVINGS = 2  # of the step that ends now


class Resolution(NamedTuple):
    """How finely to cut.

    Attributes:
        nodes: Of the grid.
        steps: Multiplies the steps of the block.
    """

    nodes: int
    steps: float


FINE = Resolution(nodes=96, steps=1.0)
"""Seen within 1e-4 of spot."""

SLOPES = Resolution(nodes=64, steps=0.7)
"""For differences of values, whose errors hardly differ, and for what only leads to where `FINE` finishes."""


class Block(NamedTuple):
    """Contracts of one kind with equally many dividends before expiry.

    Attributes:
        contracts: Their terms, all calls or all puts.
        american: Whether they may be exercised early.
        dividends: All of them before expiry, by date, shape (events, contracts).
        steps: Of each segment between now, the ex-dates and expiry, shape (events + 1, contracts).
        is_continuous: Whether waiting costs something at all times, or exercise pays before ex-dates at most.
    """

    contracts: Contracts
    american: bool
    dividends: Dividends
    steps: Integers
    is_continuous: bool

    def take(self, rows: Bools | Integers) -> Block:
        """Some of the contracts."""
        return Block(
            self.contracts.take(rows),
            self.american,
            self.dividends.take(rows),
            self.steps[:, rows],
            self.is_continuous,
        )

    def value(self, volatility: Floats, resolution: Resolution) -> Floats:
        """Price per share, for positive volatility and spot."""
        return _Solution(self, volatility, resolution).value()

    def figures(self, volatility: Floats, resolution: Resolution) -> Floats:
        """Price, delta and gamma per share as rows; intrinsic, ±1 and 0 where exercise now is best."""
        return _Solution(self, volatility, resolution).figures()

    def vega(self, volatility: Floats) -> Floats:
        """∂V/∂volatility, a central difference."""
        bump = VOLATILITY_BUMP * volatility
        up, down = (self.value(volatility + move, SLOPES) for move in (bump, -bump))
        return (up - down) / (2.0 * bump)

    def rho(self, volatility: Floats) -> Floats:
        """∂V/∂rate, a central difference where both sides have one sign: early exercise changes with it."""
        rate = self.contracts.rate
        above = np.where(rate == 0.0, _RATE_BUMP, np.minimum(_RATE_BUMP, 0.25 * np.abs(rate)))
        below = np.where(rate == 0.0, 0.0, -above)
        up, down = (
            self._replace(contracts=self.contracts._replace(rate=rate + move)).value(volatility, SLOPES)
            for move in (above, below)
        )
        return np.asarray((up - down) / (above - below))


class _Solution:
    """One run back from expiry to now; nodes are rows, contracts columns."""

    def __init__(self, block: Block, volatility: Floats, resolution: Resolution) -> None:
        self._contracts, self._american = block.contracts, block.american
        self._dividends = block.dividends
        self._volatility, self._variance = volatility, np.square(volatility)
        self._nodes = resolution.nodes
        self._steps = np.maximum(np.ceil(block.steps * resolution.steps), 1.0)
        self._is_continuous = block.is_continuous
        self._is_call = bool(block.contracts.sign[0] > 0.0)
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
        held, _, _ = self._read()
        return np.asarray(np.maximum(held, self._contracts.intrinsic)) if self._american else held

    def figures(self) -> Floats:
        sign = self._contracts.sign
        out = self._read()
        if self._american:
            at_once = np.stack([self._contracts.intrinsic, sign, np.zeros_like(sign)])
            out = np.where(out[0] <= self._contracts.intrinsic, at_once, out)
        return out

    def _read(self) -> Floats:
        """Value, delta and gamma of who does not exercise now."""
        spot, cell = self._contracts.spot, self._width / self._nodes
        held, by_row, bend = with_slopes(self._values, self._below / cell - 0.5)
        by_log = by_row / cell
        delta, gamma = by_log / spot, (bend / np.square(cell) - by_log) / np.square(spot)
        if self._is_call:
            held, delta = held + self._slope * spot - self._constant, delta + self._slope
        return np.stack([np.maximum(held, 0.0), delta, gamma])

    def _solve(self) -> None:
        """Leave the values as of now."""
        when = years = self._contracts.years
        starts = [np.zeros_like(years), *self._dividends.when]
        for segment in range(len(starts) - 1, -1, -1):
            start, end = starts[segment], when
            stretches = self._cut(end - start, self._steps[segment], ends_now=segment == 0)
            if segment == len(starts) - 1:
                first, _ = stretches.pop(0)
                when = when - first
                self._start(when, first)
            for stretch, factor in stretches:
                if self._is_continuous:
                    # The first step of a segment follows on the ex-date itself.
                    self._exercise(when, np.where(when < end, stretch, 0.0), stretch > 0.0)
                self._go_back(stretch, factor)
                when = when - stretch
            if segment:
                amount = self._dividends.amount[segment - 1]
                if self._is_continuous:
                    before = (start - starts[segment - 1]) / self._steps[segment - 1]
                    self._exercise(start, self._waited_for(amount, before))
                self._pay(start, amount)
                if self._american:
                    self._exercise(start)
            when = start

    def _waited_for(self, amount: Floats, before: Floats) -> Floats:
        """For how much of the step that ends at an ex-date waiting costs a holder more than it brings.

        A put gains the dividend, and is not exercised for as long as that is worth more than the interest
        on the strike. Taking twice that time errs least: near the boundary the wait begins earlier.
        """
        if self._is_call:
            return np.zeros_like(before)
        _, _, strike, _, rate, _ = self._contracts
        with np.errstate(divide="ignore"):
            worth = np.where(rate > 0.0, np.log1p(amount / strike) / np.abs(rate), np.inf)
        return np.maximum(before - 2.0 * worth, 0.0)

    def _cut(self, span: Floats, steps: Floats, *, ends_now: bool) -> list[tuple[Floats, Floats]]:
        """The stretches of a segment from its end to its start, and what each leaves of the coefficients.

        Contracts with fewer steps than others stand still for some of them, so that nobody's figures depend
        on who else is in the block.
        """
        halvings = _HALVINGS if ends_now and self._is_continuous else 0
        stretch = span / (steps * 2.0**halvings)
        factor = decay(self._nodes, self._variance * stretch, self._width)
        halved = [(stretch, factor)] if halvings else []
        for _ in range(halvings):
            halved.append((stretch, factor))
            stretch, factor = 2.0 * stretch, np.square(factor)
        whole = steps - 1.0 if halvings else steps
        out = []
        for count in range(int(whole.max())):
            goes = count < whole
            out.append((np.where(goes, stretch, 0.0), factor if goes.all() else np.where(goes, factor, 1.0)))
        return out + halved[::-1]

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
        carried = self._growth * (
            spot * np.exp(-dividend_yield * years - 0.5 * (self._variance * when - added))
        )
        in_strike, in_spot = discounted * cdf(-d2), carried * cdf(-d2 - deviation)
        np.subtract(in_strike, in_spot, out=self._values)
        if added.any():
            self._values -= 0.5 * added * (carried * pdf(d2 + deviation) / deviation - in_spot)
        self._slope = np.exp(-dividend_yield * left)
        if self._is_continuous:
            if self._is_call:
                cost = dividend_yield * (carried - in_spot) - rate * (discounted - in_strike)
            else:
                cost = rate * in_strike - dividend_yield * in_spot
            self._values += _LAST_RAISE * left * np.maximum(cost, 0.0)

    def _go_back(self, stretch: Floats, factor: Floats) -> None:
        step(self._values, factor)
        self._slope = self._slope * np.exp(-self._contracts.dividend_yield * stretch)

    def _exercise(self, when: Floats, waited: Floats | None = None, goes: Bools | None = None) -> None:
        """Raise values to what exercise gives, and more if the holder `waited` for it.

        Not of those that do not go on: twice at one time would be once too often.
        """
        strike, spot = self._strike_at(when), self._spot_at(when)
        if self._is_call:
            self._take_out(strike, spot)
        paid_strike, paid_spot = strike, spot
        if waited is not None:
            raised = _RAISE * waited
            paid_strike = strike * (1.0 + raised * self._contracts.rate)
            paid_spot = spot * (1.0 + raised * self._contracts.dividend_yield)
        if self._is_call:
            level, slope = self._constant - paid_strike, paid_spot - self._slope * spot
        else:
            level, slope = paid_strike, -paid_spot
        if goes is not None and not goes.all():
            level = np.where(goes, level, -_NEVER * strike)
        np.multiply(self._growth, slope, out=self._work)
        self._work += level
        if self._is_call:
            self._work -= self._values
            self._raise_by(self._work)
        else:
            np.maximum(self._values, self._work, out=self._values)

    def _raise_by(self, gain: Floats) -> None:
        """Add what calls gain by exercise, which is nothing below one point between two nodes.

        Before a large dividend that point is a sharp kink. A sum over nodes is wrong there by what depends
        on where it lies, s·(f(1 - f)/2 - 1/12) cells for a slope of s a cell beginning at a fraction f from
        the one node to the other. The two take it back.
        """
        columns = np.arange(gain.shape[1])
        gains = (gain > _ROUNDING * self._contracts.strike).sum(axis=0)
        above = np.clip(self._nodes - gains, 1, self._nodes - 2)
        at_below, at_above, beyond = (gain[above + offset, columns] for offset in (-1, 0, 1))
        np.maximum(gain, 0.0, out=gain)
        self._values += gain
        begins = (at_above > 0.0) & (at_below <= 0.0)
        rise = np.where(begins, at_above - at_below, 1.0)
        part = np.where(begins, at_above / rise, 0.0)
        # The slope of this cell and that of the next, so that nothing leaps where the point meets a node.
        slope = part * rise + (1.0 - part) * (beyond - at_above)
        excess = np.where(begins, slope * (0.5 * part * (1.0 - part) - 1.0 / 12.0), 0.0)
        self._values[above, columns] -= (1.0 - part) * excess
        self._values[above - 1, columns] -= part * excess

    def _take_out(self, strike: Floats, spot: Floats) -> None:
        """Where calls far in the money are exercised, take what that gives out of them instead."""
        taken = (self._slope < 1.0) | ((self._slope == 1.0) & (strike < self._constant))
        if taken.any():
            self._values += np.where(taken, strike - self._constant, 0.0)
            self._values += self._growth * np.where(taken, (self._slope - 1.0) * spot, 0.0)
            self._constant = np.where(taken, strike, self._constant)
            self._slope = np.where(taken, 1.0, self._slope)

    def _pay(self, when: Floats, amount: Floats) -> None:
        """From just after an ex-date to just before it."""
        _, spot, strike, years, rate, dividend_yield = self._contracts
        drift = rate - dividend_yield - 0.5 * self._variance
        after = self._growth - amount / (spot * np.exp(drift * when))
        lowest = self._growth[0]
        place = np.log(np.maximum(after, lowest) / lowest) * (self._nodes / self._width)
        moved = interpolated(self._values, place)
        # Below the grid values are straight in spot, down to a share that is worth nothing.
        if self._is_call:
            worthless = self._constant
        else:
            at_once = self._american & (rate > 0.0)
            worthless = strike * np.exp(-rate * np.where(at_once, when, years))
        part = np.maximum(after / lowest, 0.0)
        self._values = np.where(part < 1.0, worthless + part * (self._values[0] - worthless), moved)
        if self._is_call:
            self._constant = self._constant + self._slope * amount * np.exp(-rate * when)
            self._values += (self._slope * self._spot_at(when)) * np.maximum(-after, 0.0)

    def _strike_at(self, when: Floats) -> Floats:
        """Discounted to now."""
        return np.asarray(self._contracts.strike * np.exp(-self._contracts.rate * when))

    def _spot_at(self, when: Floats) -> Floats:
        """What `_growth` multiplies to the spot, discounted to now."""
        _, spot, _, _, _, dividend_yield = self._contracts
        return np.asarray(spot * np.exp(-(dividend_yield + 0.5 * self._variance) * when))
