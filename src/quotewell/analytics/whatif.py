"""What a book gains or loses if the market moves: every position by its beta, every option by its model.

S' = S·max(0, 1 + β·x) for a market move x; time to expiry, rates and currencies stay as they are.
Volatility stays as it is too in the main line; in the second, a scenario, a fall raises it to
volatility·(1 - 1.5·x). The option engine is loaded only for books that hold options.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quotewell.analytics.arrays import Bools, Floats

VOLATILITY_RISE = 1.5
"""Relative rise of volatility, in the scenario, for one unit of relative fall of the market."""


class Legs(NamedTuple):
    """The positions of a book as columns of one length; NaN for unknown.

    Attributes:
        quantity: Signed shares or contracts.
        spot: Price of the stock or of the option's underlying, per share, local currency.
        beta: Of the stock or of the underlying; 0 for cash.
        fx: Units of base currency for one of the local one.
        options: The contract of each leg if any leg is an option.
    """

    quantity: Floats
    spot: Floats
    beta: Floats
    fx: Floats
    options: OptionLegs | None = None


class OptionLegs(NamedTuple):
    """The options among `Legs`, as columns of the same length; only rows with `is_option` are read.

    Attributes:
        is_option: True for options.
        is_call: True for calls.
        american: True where early exercise is allowed.
        strike: Strike, local currency.
        years: Time to expiry; at or below 0 the option is worth its intrinsic value.
        volatility: Solved volatility, a fraction a year; NaN where none was solved.
        rate: Continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year.
        multiplier: Premium multiplier m.
        shares: Shares delivered by one contract n.
        cash: Cash delivered by one contract beside them, local currency.
        exercise: True where the price is intrinsic in the exercise region (`Status.EXERCISE`).
    """

    is_option: Bools
    is_call: Bools
    american: Bools
    strike: Floats
    years: Floats
    volatility: Floats
    rate: Floats
    dividend_yield: Floats
    multiplier: Floats
    shares: Floats
    cash: Floats
    exercise: Bools


class Point(NamedTuple):
    """Profit or loss of the book at one move of the market.

    Attributes:
        move: The market's simple return, a fraction.
        pnl: Sum over the known legs, base currency; None if there are legs but none is known.
        missing: Rows that are not in the sum.
    """

    move: float
    pnl: float | None
    missing: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class WhatIf(NamedTuple):
    """The two lines of a what-if, one point a move.

    Attributes:
        points: At constant volatility.
        scenario: With volatility raised where the market falls.
        by_leg: Profit or loss of each leg at constant volatility, shape (moves, legs); NaN for unknown.
        scenario_by_leg: The same of the scenario.
    """

    points: tuple[Point, ...]
    scenario: tuple[Point, ...]
    by_leg: Floats
    scenario_by_leg: Floats


def pnl(moves: npt.ArrayLike, legs: Legs) -> WhatIf:
    """Profit or loss at each market move: q·(S' - S)·fx of stocks, q·m·(model(S') - model(S))·fx of options.

    A leg without spot, quantity, rate of exchange or beta is missing in every point, and so is an option
    without volatility, with two exceptions that need none. One that expires today is worth its intrinsic
    value at any spot. One in the exercise region stays at intrinsic where a move takes it deeper into the
    money at unchanged volatility, because that region has no end there (for a put with r > 0, a call with
    q > 0); it is missing in the other points. At a move of 0 every known leg gives exactly 0.

    Args:
        moves: Simple returns of the market, fractions.
        legs: The book.
    """
    steps = np.atleast_1d(np.asarray(moves, dtype=np.float64))
    moved = legs.spot * np.maximum(0.0, 1.0 + legs.beta * steps[:, np.newaxis])
    by_leg = legs.quantity * (moved - legs.spot) * legs.fx + 0.0  # a short leg unmoved is 0.0, not -0.0
    scenario = by_leg.copy()
    options = legs.options
    if options is not None and options.is_option.any():
        rows = np.flatnonzero(options.is_option)
        own = OptionLegs._make(column[rows] for column in options)
        spot, spots = legs.spot[rows], moved[:, rows]
        contracts = (legs.quantity * legs.fx)[rows]
        base = _option_values(own, spot, own.volatility)
        gains = contracts * own.multiplier * (_option_values(own, spots, own.volatility) - base)
        inward = np.where(own.is_call, 1.0, -1.0) * (spots - spot)
        held_at_intrinsic = own.exercise & (np.where(own.is_call, own.dividend_yield, own.rate) > 0.0)
        gains = np.where(held_at_intrinsic & (inward >= 0.0), contracts * own.shares * inward, gains)
        # Two evaluations of one price may differ in the last digit; an unmoved spot gains exactly nothing.
        gains = np.where((spots == spot) & ~np.isnan(gains), 0.0, gains)
        by_leg[:, rows] = scenario[:, rows] = gains

        falls = steps < 0.0
        higher = own.volatility * (1.0 - VOLATILITY_RISE * steps[falls, np.newaxis])
        shocked = contracts * own.multiplier * (_option_values(own, spots[falls], higher) - base)
        scenario[np.ix_(falls, rows)] = shocked
    return WhatIf(_points(steps, by_leg), _points(steps, scenario), by_leg, scenario)


def _option_values(own: OptionLegs, spots: Floats, volatility: Floats) -> Floats:
    """Model price per share of the deliverable, whose own price is (n·S + c) / m."""
    from quotewell.analytics.options import value  # noqa: PLC0415 - a book of stocks needs no option engine

    deliverable = (own.shares * spots + own.cash) / own.multiplier
    return value(
        own.is_call,
        own.american,
        deliverable,
        own.strike,
        own.years,
        volatility,
        own.rate,
        own.dividend_yield,
    )


def _points(moves: Floats, by_leg: Floats) -> tuple[Point, ...]:
    points = []
    for move, gains in zip(moves, by_leg, strict=True):
        unknown = np.isnan(gains)
        total = None if gains.size and unknown.all() else float(gains[~unknown].sum())
        points.append(Point(float(move), total, tuple(int(row) for row in np.flatnonzero(unknown))))
    return tuple(points)
