"""Options on shares that pay known dividends: finite differences over a block of contracts at once.

The spot model: at each ex-date the price falls by the dividend, or to 0 if it is less than that; between them
it is lognormal. With z = ln S - (r - q - σ²/2)·t, and values discounted to now, the Black-Scholes equation is
the heat equation, so that one explicit scheme serves all contracts, each on a grid of its own width. It is of
fourth order in space and second in time; that American contracts are exercised only at its steps is an error
of first order, which two grids extrapolate away. The last step before expiry is a Black-Scholes value, so
that no kink of the payoff meets the grid; at an ex-date values are moved by cubic interpolation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from quotewell.analytics import european
from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.contracts import Contracts

_NODES = 320
_HALF_WIDTH = 6.0  # of the grid, in deviations until expiry, beside what the dividends take
_COURANT = 0.95  # σ²·Δt/Δz²; the scheme is stable up to 4/3
_BLOCK = 64  # contracts at a time: grids that fit the processor's second cache
_LARGEST_SHARE = 0.9  # of spot: what the grid is widened for at most


class Dividends(NamedTuple):
    """Cash dividends per share, shape (events, contracts); those outside the life of a contract do not count.

    Attributes:
        when: Years from now to the ex-date.
        amount: Per share, in the currency of the spot; 0 for none.
    """

    when: Floats
    amount: Floats


class Figures(NamedTuple):
    """Per share, one-dimensional columns.

    Attributes:
        value: Model price.
        delta: ∂V/∂S.
        gamma: ∂²V/∂S².
    """

    value: Floats
    delta: Floats
    gamma: Floats


def figures(contracts: Contracts, volatility: Floats, american: Bools, dividends: Dividends) -> Figures:
    """Value, delta and gamma with known dividends, beside the continuous yield of the contracts.

    Args:
        contracts: The contracts, with positive spot.
        volatility: Positive, a fraction a year.
        american: Whether each may be exercised early.
        dividends: What the underlying of each pays.
    """
    counts = (dividends.when > 0.0) & (dividends.when <= contracts.years) & (dividends.amount > 0.0)
    order = np.argsort(np.where(counts, dividends.when, np.inf), axis=0)
    when = np.take_along_axis(dividends.when, order, axis=0)
    amount = np.take_along_axis(dividends.amount, order, axis=0)
    events = counts.sum(axis=0)
    value, delta, gamma = out = np.empty((3, volatility.size))
    for rows in _blocks(events, when):
        some = slice(events[rows[0]])
        paid = Dividends(when[some, rows], amount[some, rows])
        terms = contracts.take(rows), volatility[rows], american[rows], paid
        fine, coarse = (_Grid(*terms, nodes).solve() for nodes in (_NODES, _NODES // 2))
        out[:, rows] = _extrapolated(terms[0], terms[2], fine, coarse)
    return Figures(value, delta, gamma)


def _blocks(events: Integers, when: Floats) -> Iterator[Integers]:
    """Contracts with as many events, those with near first dates together."""
    first = when[0] if len(when) else np.zeros(events.size)
    order = np.lexsort((first, events))
    for group in np.split(order, np.flatnonzero(np.diff(events[order])) + 1):
        for start in range(0, group.size, _BLOCK):
            yield group[start : start + _BLOCK]


def _extrapolated(contracts: Contracts, american: Bools, fine: Floats, coarse: Floats) -> Floats:
    """Values, deltas and gammas as of exercise at any time, not only at the steps."""
    exercised = american & (fine[0] <= contracts.intrinsic)
    better = np.where(american, fine + (fine - coarse) / 3.0, fine)
    better[0] = np.where(american, np.maximum(better[0], contracts.intrinsic), better[0])
    at_once = np.stack([contracts.intrinsic, contracts.sign, np.zeros_like(contracts.sign)])
    return np.where(exercised, at_once, better)


class _Grid:
    """A block of contracts with equally many dividends, going back from expiry; nodes are rows."""

    def __init__(
        self, contracts: Contracts, volatility: Floats, american: Bools, dividends: Dividends, nodes: int
    ) -> None:
        self._contracts, self._volatility = contracts, volatility
        self._american = american
        self._dividends = dividends
        _, spot, _, _, rate, dividend_yield = contracts
        total = volatility * contracts.root_years
        share = np.minimum(dividends.amount.sum(axis=0) / spot, _LARGEST_SHARE)
        below = _HALF_WIDTH * total - np.log1p(-share)
        self._step = (below + _HALF_WIDTH * total) / (nodes - 1)
        self._at_spot = np.rint(below / self._step).astype(np.intp)
        places = np.arange(nodes)[:, np.newaxis] - self._at_spot
        self._spots = spot * np.exp(places * self._step)  # at t = 0
        self._drift = rate - dividend_yield - 0.5 * np.square(volatility)
        self._values = np.empty_like(self._spots)  # discounted to now
        self._work = np.empty_like(self._spots)
        self._sides = np.exp(self._step)

    def solve(self) -> Floats:
        """Value, delta and gamma as rows."""
        years = self._contracts.years
        ends = [*self._dividends.when, years]
        starts = [np.zeros_like(years), *self._dividends.when]
        last = self._last_step(years - starts[-1])
        self._start(years - last)
        ends[-1] = years - last
        for event in range(len(starts) - 1, -1, -1):
            self._go_back(ends[event], starts[event])
            if event:
                self._pay(starts[event], self._dividends.amount[event - 1])
        return self._read()

    def _last_step(self, room: Floats) -> Floats:
        return np.asarray(np.minimum(room, np.square(self._step / self._volatility)))

    def _start(self, when: Floats) -> None:
        """Black-Scholes values a short time before expiry; the payoff where no time is left."""
        sign, _, strike, years, rate, dividend_yield = self._contracts
        spots = self._spots * np.exp(self._drift * when)
        left = years - when
        columns = np.broadcast_arrays(sign, spots, strike, left, rate, dividend_yield, self._volatility)
        *terms, volatility = (np.ascontiguousarray(column).reshape(-1) for column in columns)
        values = european.value(Contracts(*terms), volatility).reshape(spots.shape)
        np.multiply(values, np.exp(-rate * when), out=self._values)
        self._exercise(when)

    def _go_back(self, end: Floats, start: Floats) -> None:
        variance = np.square(self._volatility) * (end - start) / np.square(self._step)
        steps = int(np.ceil(variance.max() / _COURANT))
        if not steps:
            return
        courant = variance / steps
        first, second = 0.5 * courant, courant * courant / 8.0 - courant / 24.0
        bend = np.empty_like(self._values)
        for step in range(1, steps + 1):
            self._bend(self._values, bend)
            self._bend(bend, self._work)
            self._work *= second
            bend *= first
            self._values += bend
            self._values[2:-2] += self._work[2:-2]
            self._edges()
            self._exercise(end - (end - start) * (step / steps))

    @staticmethod
    def _bend(values: Floats, out: Floats) -> None:
        """Second differences, 0 at the edges."""
        inner = out[1:-1]
        np.add(values[:-2], values[2:], out=inner)
        inner -= values[1:-1]
        inner -= values[1:-1]
        out[0] = out[-1] = 0.0

    def _edges(self) -> None:
        """The outer two nodes on each side lie on the straight line in spot through the next two."""
        values, ratio = self._values, self._sides
        for node in (1, 0):
            values[node] = values[node + 1] - (values[node + 2] - values[node + 1]) / ratio
            values[-1 - node] = values[-2 - node] + (values[-2 - node] - values[-3 - node]) * ratio

    def _exercise(self, when: Floats) -> None:
        """Raise the values of American contracts to what exercise gives."""
        sign, _, strike, _, rate, _ = self._contracts
        growth = np.where(self._american, sign * np.exp((self._drift - rate) * when), 0.0)
        cost = np.where(self._american, sign * strike * np.exp(-rate * when), 0.0)
        np.multiply(self._spots, growth, out=self._work)
        self._work -= cost
        np.maximum(self._values, self._work, out=self._values)

    def _pay(self, when: Floats, amount: Floats) -> None:
        """From just after an ex-date to just before it."""
        sign, _, strike, years, rate, _ = self._contracts
        growth = np.exp(self._drift * when)
        spots = self._spots * growth
        after = np.maximum(spots - amount, 0.0)
        lowest = spots[0]
        place = np.log(np.maximum(after, lowest) / lowest) / self._step
        moved = _interpolated(self._values, place)
        left = np.where(self._american & (rate > 0.0), 0.0, years - when)
        worthless = np.where(sign < 0.0, strike * np.exp(-rate * (when + left)), 0.0)
        share = np.minimum(after / lowest, 1.0)
        self._values = np.where(share < 1.0, worthless + share * (self._values[0] - worthless), moved)
        self._exercise(when)

    def _read(self) -> Floats:
        spot = self._contracts.spot
        around = self._at_spot + np.arange(-2, 3)[:, np.newaxis]
        v = np.take_along_axis(self._values, around, axis=0)
        slope = (8.0 * (v[3] - v[1]) - (v[4] - v[0])) / (12.0 * self._step)
        bend = (16.0 * (v[3] + v[1]) - (v[4] + v[0]) - 30.0 * v[2]) / (12.0 * np.square(self._step))
        return np.stack([v[2], slope / spot, (bend - slope) / np.square(spot)])


def _interpolated(values: Floats, place: Floats) -> Floats:
    """Cubic interpolation of each column at fractional rows."""
    low = np.clip(place.astype(np.intp), 1, len(values) - 3)
    x = place - low
    before, here, ahead, beyond = (
        np.take_along_axis(values, low + offset, axis=0) for offset in (-1, 0, 1, 2)
    )
    weights = (
        -x * (x - 1.0) * (x - 2.0) / 6.0,
        (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
        -(x + 1.0) * x * (x - 2.0) / 2.0,
        (x + 1.0) * x * (x - 1.0) / 6.0,
    )
    return weights[0] * before + weights[1] * here + weights[2] * ahead + weights[3] * beyond
