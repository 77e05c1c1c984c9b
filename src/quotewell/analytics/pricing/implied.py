"""From a price to a volatility, or to how much of delta is known without one.

The rule, for the price P and half the spread h: where no volatility reproduces P, delta is solved at P - h
and P + h. If both lie beyond the same bound, or the two deltas differ by more than 0.10, delta is unknown;
otherwise it is estimated. A price at intrinsic inside the exercise region is a position to exercise, delta
±1. No volatility is ever assumed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.pricing.contracts import Contracts, Greeks
from quotewell.analytics.pricing.discrete import Discrete

Statuses: TypeAlias = npt.NDArray[np.int8]

MAX_DELTA_UNCERTAINTY = 0.10
"""Deltas at P - h and P + h may differ by this much for the estimate to be shown."""

_BOUND_TOLERANCE = 1e-8  # of spot or strike: above the rounding of spot - strike, far below a tick


class Status(IntEnum):
    """What is known of a contract; `Status(code).name.lower()` is its name in reports."""

    OK = 0
    """A volatility reproduces the price; every figure is known."""
    ESTIMATED = 1
    """No volatility reproduces the price, but across the spread delta hardly moves: delta only, marked."""
    EXERCISE = 2
    """At intrinsic inside the exercise region: delta ±1, the other Greeks 0, no volatility."""
    EXPIRES_TODAY = 3
    """At or up to a day after the expiry instant: delta ±1 in the money else 0, the others 0."""
    EXPIRED = 4
    """More than a day after the expiry instant: nothing is known."""
    BELOW_BOUND = 5
    """Even P + h is below what the option is worth without volatility: nothing is known."""
    ABOVE_BOUND = 6
    """Even P - h is above what any volatility could give: nothing is known."""
    NO_VOLATILITY = 7
    """No volatility reproduces the price, and across the spread delta moves too much: nothing is known."""
    MISSING_INPUT = 8
    """An input is NaN, infinite or out of its domain: nothing is known."""


class Engine(Protocol):
    """What `quotewell.analytics.pricing.european`, `american.American` and `discrete.Discrete` offer."""

    def value(self, contracts: Contracts, volatility: Floats) -> Floats:
        """Price per share."""

    def greeks(self, contracts: Contracts, volatility: Floats) -> Greeks:
        """Price and Greeks per share."""

    def bounds(self, contracts: Contracts) -> tuple[Floats, Floats]:
        """Values at zero and at infinite volatility."""

    def in_exercise_region(self, contracts: Contracts) -> Bools:
        """Whether some volatility makes immediate exercise best."""

    def delta_without_volatility(self, contracts: Contracts) -> Floats:
        """Limit of delta as volatility goes to zero."""

    def implied_volatility(self, contracts: Contracts, price: Floats) -> Floats:
        """Volatility that reproduces each price; NaN where none does."""


class Inversion:
    """Everything that prices say of contracts of one exercise style.

    Args:
        engine: The module that prices this style.
        contracts: The contracts, with positive spot.
    """

    def __init__(self, engine: Engine, contracts: Contracts) -> None:
        self._engine = engine
        self._contracts = contracts
        self._lower, self._upper = engine.bounds(contracts)
        self._tolerance = _BOUND_TOLERANCE * np.maximum(contracts.spot, contracts.strike)

    def take(self, rows: Bools) -> Inversion:
        """The same for some of the contracts."""
        return Inversion(self._engine_of(rows), self._contracts.take(rows))

    def _engine_of(self, rows: Bools) -> Engine:
        """Dividends belong to rows, while the other engines value any contracts."""
        return self._engine.take(rows) if isinstance(self._engine, Discrete) else self._engine

    def volatility(self, price: Floats) -> Floats:
        """The volatility that reproduces each price; NaN at, beyond or within rounding of a bound."""
        out = np.full_like(price, np.nan)
        rows = (price > self._lower + self._tolerance) & (price < self._upper - self._tolerance)
        if rows.any():
            engine = self._engine_of(rows)
            out[rows] = engine.implied_volatility(self._contracts.take(rows), price[rows])
        return out

    def figures(self, price: Floats) -> Floats:
        """Volatility, delta, gamma, vega, theta and rho as rows; NaN where there is no volatility."""
        out = np.full((6, price.size), np.nan)
        if isinstance(self._engine, Discrete):
            rows = (price > self._lower + self._tolerance) & (price < self._upper - self._tolerance)
            if rows.any():
                own = self._contracts.take(rows)
                volatility, found = self._engine.take(rows).solve(own, price[rows])
                known = ~np.isnan(volatility)
                out[:, rows] = np.where(known, np.stack([volatility, *found[1:]]), np.nan)
            return out
        out[0] = self.volatility(price)
        solved = ~np.isnan(out[0])
        if solved.any():
            out[1:, solved] = self.take(solved).greeks(out[0, solved])[1:]
        return out

    def greeks(self, volatility: Floats) -> Greeks:
        """Greeks per share at a positive volatility."""
        return self._engine.greeks(self._contracts, volatility)

    def at_intrinsic(self, price: Floats) -> Bools:
        """Whether the price is intrinsic, up to rounding, and the contract in its exercise region."""
        close = np.abs(price - self._contracts.intrinsic) <= self._tolerance
        return close & self._engine.in_exercise_region(self._contracts)

    def delta_at(self, price: Floats) -> Floats:
        """Delta at each price; beyond a bound, its limit for zero or for infinite volatility."""
        sign, spot, *_ = self._contracts
        without_limit = np.where(sign > 0.0, self._upper / spot, 0.0)
        without_volatility = self._engine.delta_without_volatility(self._contracts)
        out = np.where(price > self._lower + self._tolerance, without_limit, without_volatility)
        volatility = self.volatility(price)
        solved = ~np.isnan(volatility)
        if solved.any():
            out[solved] = self.take(solved).greeks(volatility[solved]).delta
        return out

    def delta_across_spread(self, price: Floats, half_spread: Floats) -> tuple[Statuses, Floats]:
        """Status and delta where no volatility reproduces the price, by the rule of this module.

        The estimate is the limit at P where P is on a bound, else the midpoint of the deltas at P ± h.
        """
        below, above = price - half_spread, price + half_spread
        first, last = self.delta_at(below), self.delta_at(above)
        off_bound = np.minimum(np.abs(price - self._lower), np.abs(price - self._upper))
        delta = np.where(off_bound <= self._tolerance, self.delta_at(price), 0.5 * (first + last))
        status = np.select(
            [
                above < self._lower - self._tolerance,
                below > self._upper + self._tolerance,
                np.abs(first - last) > MAX_DELTA_UNCERTAINTY,
            ],
            [Status.BELOW_BOUND, Status.ABOVE_BOUND, Status.NO_VOLATILITY],
            Status.ESTIMATED,
        ).astype(np.int8)
        return status, np.where(status == Status.ESTIMATED, delta, np.nan)
