"""What the right to exercise early is worth, by contract: the scale of puts, its mirror, and back.

A call is a put on the strike: C(S, K, r, q) = P(K, S, q, r) (McDonald and Schroder 1998). So every contract
with one exercise boundary becomes a put of strike 1; contracts that can never gain by early exercise have
no premium, and those with two boundaries, or on which no two schemes agree, are left to the tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing import puts, tree
from quotewell.analytics.pricing.boundary import Totals
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.exercise import (
    bounds,
    earned_and_forgone,
    has_two_boundaries,
    is_european,
    waiting_cost,
)
from quotewell.analytics.pricing.puts import Tolerance

NONE = -1
"""The scheme of a contract that early exercise never pays for."""

ON_TREE = -2
"""The scheme of a contract valued on the tree."""

_NO_INTEREST = 1e-10  # rate·T: the premium of a put is at most that part of the strike
_EDGE = 0.01 / tree.STEPS  # of the cost of waiting until expiry: so exact is the tree in the exercise region


class Accuracy(NamedTuple):
    """How exactly to value the right.

    Attributes:
        tolerance: How far two schemes may differ before a finer one is tried.
        refinement: How many times as many steps as usual the tree has.
    """

    tolerance: Tolerance
    refinement: int


class Right(NamedTuple):
    """One-dimensional columns, per share.

    Attributes:
        value: American less European value, of a contract that is not exercised now.
        delta: Its derivative by spot.
        gamma: Its second derivative by spot.
        exercised: Whether exercise now is best; the other figures then say nothing.
        scheme: How it was found: an index of `puts.SCHEMES`, `NONE` or `ON_TREE`.
        coarse: The boundary by the coarsest scheme, shape (nodes, contracts); NaN where there is none.
    """

    value: Floats
    delta: Floats
    gamma: Floats
    exercised: Bools
    scheme: Integers
    coarse: Floats


def right(contracts: Contracts, volatility: Floats, european: Floats, accuracy: Accuracy) -> Right:
    """The right to exercise early.

    Args:
        contracts: The contracts, with positive spot.
        volatility: Positive, a fraction a year.
        european: The European value of each.
        accuracy: What is asked of it.
    """
    value, delta, gamma = figures = np.zeros((3, volatility.size))
    exercised = np.zeros(volatility.size, dtype=np.bool_)
    coarse = _no_boundaries(volatility.size)
    scheme = ways(contracts)
    rows = np.flatnonzero(scheme >= 0)
    if rows.size:
        own = contracts.take(rows)
        found, scheme[rows], coarse[:, rows] = puts.settle(
            *as_puts(own, volatility[rows]), accuracy.tolerance
        )
        figures[:, rows] = _unmirrored(own, *found[:3])
        exercised[rows] = found.exercised
        scheme[rows[scheme[rows] == puts.UNSETTLED]] = ON_TREE
    rows = np.flatnonzero(scheme == ON_TREE)
    if rows.size:
        own = contracts.take(rows)
        figures[:, rows] = tree.premium(own, volatility[rows], accuracy.refinement)
        most = bounds(own)[1] - european[rows]  # where volatility is absurd the nodes lie too far apart
        figures[0, rows] = np.minimum(figures[0, rows], most)
        edge = _EDGE * np.maximum(waiting_cost(own), 0.0) * own.years
        exercised[rows] = european[rows] + np.maximum(figures[0, rows], 0.0) <= own.intrinsic + edge
    return Right(value, delta, gamma, exercised, scheme, coarse)


def ways(contracts: Contracts) -> Integers:
    """The coarsest scheme of each contract: 0 with one boundary, `ON_TREE` with two, `NONE` without."""
    sign, _, _, years, rate, dividend_yield = contracts
    earned, forgone = earned_and_forgone(sign, rate, dividend_yield)
    negligible = (earned * years <= _NO_INTEREST) & (forgone >= 0.0)
    return np.select(
        [
            is_european(sign, rate, dividend_yield) | negligible,
            has_two_boundaries(sign, rate, dividend_yield),
        ],
        [NONE, ON_TREE],
        0,
    ).astype(np.intp)


def _no_boundaries(count: int) -> Floats:
    """What `Right.coarse` has for contracts without a boundary."""
    return np.full((puts.SCHEMES[0].nodes, count), np.nan)


def coarse_boundaries(contracts: Contracts, volatility: Floats, scheme: Integers) -> Floats:
    """The boundaries of `Right.coarse`, alone."""
    out = _no_boundaries(volatility.size)
    rows = np.flatnonzero(scheme >= 0)
    if rows.size:
        totals, _ = as_puts(contracts.take(rows), volatility[rows])
        out[:, rows] = puts.coarse_boundary(totals)
    return out


def value_by(
    contracts: Contracts, volatility: Floats, scheme: Integers, coarse: Floats
) -> tuple[Floats, Floats]:
    """The value alone, by a given scheme for each contract, without comparison.

    Two contracts that differ a little get values whose errors hardly differ, which two that are refined until
    schemes agree need not: this is what differences are taken of.

    Args:
        contracts: The contracts, with positive spot.
        volatility: Positive, a fraction a year.
        scheme: As in `Right`; the coarsest starts from `coarse`.
        coarse: Boundaries that are nearly right, as in `Right`.

    Returns:
        The values, and the boundaries of those that were valued by the coarsest scheme.
    """
    out, boundaries = np.zeros(volatility.size), coarse
    rows = np.flatnonzero(scheme >= 0)
    if rows.size:
        own = contracts.take(rows)
        totals, log_spot = as_puts(own, volatility[rows])
        warm = scheme[rows] == 0
        unit = np.empty(rows.size)
        boundaries = coarse.copy()
        unit[warm], boundaries[:, rows[warm]] = puts.warm_value(
            totals.take(warm), log_spot[warm], coarse[:, rows[warm]]
        )
        unit[~warm] = puts.value_by(totals.take(~warm), log_spot[~warm], scheme[rows[~warm]])
        out[rows] = np.where(own.sign > 0.0, own.spot, own.strike) * unit
    rows = np.flatnonzero(scheme == ON_TREE)
    if rows.size:
        out[rows] = tree.premium(contracts.take(rows), volatility[rows])[0]
    return out, boundaries


def as_puts(contracts: Contracts, volatility: Floats) -> tuple[Totals, Floats]:
    """The totals of each contract as a put, and its ln(spot/strike)."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    earned, forgone = earned_and_forgone(sign, rate, dividend_yield)
    totals = Totals(earned * years, forgone * years, volatility * contracts.root_years)
    return totals, -sign * np.log(spot / strike)


def _unmirrored(contracts: Contracts, value: Floats, delta: Floats, gamma: Floats) -> Floats:
    """Value, delta and gamma of the contracts as rows, from those of puts of strike 1."""
    sign, spot, strike, *_ = contracts
    is_call = sign > 0.0
    ratio = strike / spot  # a call's spot as a put
    return np.where(
        is_call,
        np.stack([spot * value, value - ratio * delta, np.square(ratio) * gamma / spot]),
        np.stack([strike * value, delta, gamma / strike]),
    )
