"""The early-exercise boundary of puts, by the fixed-point iteration of Andersen, Lake and Offengenden.

Source: "High-performance American option pricing", Journal of Computational Finance 20 (2016): the
boundary B as the fixed point of B(τ) = K·e^(-(r-q)τ)·N(τ, B)/D(τ, B), with N and D in two forms, A (from
smooth pasting) and B (from value matching). Both are iterated on Chebyshev nodes for g = ln(X/B), where X is
the boundary at expiry; it is g² that is interpolated, since it is smooth in √τ. With few nodes A is the more
accurate and the faster, but where the rate is high for the volatility its iteration swings ever wider: there
B takes its place, which converges everywhere.

Everything is scaled: K = 1 and T = 1, so that a put is rate·T, yield·T and volatility·√T. Batches are
(nodes, puts) or (nodes·points, puts), so that every step is a handful of whole-array operations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, Real
from quotewell.analytics.pricing.normal import absolute_cdf, pdf
from quotewell.analytics.pricing.qdplus import qdplus
from quotewell.analytics.pricing.quadrature import collocation, refinement

_CELLS = 32_000  # of an array worked on at a time: a few of them fit the processor's second cache
_LEAST_DISTANCE = 1e-14
_PASTING_LIMIT = 8.0
"""Of 2·rate/volatility², above which form A is not used: on random puts it begins to fail at 13."""


class Totals(NamedTuple):
    """What the boundary depends on, one-dimensional columns.

    Attributes:
        rate: rate·T, not negative.
        dividend_yield: yield·T; negative where the rate is 0, since without either there is no boundary.
        deviation: volatility·√T, positive.
    """

    rate: Floats
    dividend_yield: Floats
    deviation: Floats

    def take(self, rows: Bools | Integers | slice) -> Totals:
        """The totals of some rows."""
        return Totals(*(column[rows] for column in self))

    @property
    def log_at_expiry(self) -> Floats:
        """The logarithm of X: the boundary just before expiry over the strike, min(1, r/q) where q > 0."""
        rate, dividend_yield, _ = self
        below = dividend_yield > np.maximum(rate, 0.0)
        ratio = np.divide(rate, dividend_yield, out=np.ones_like(rate), where=below)
        return np.asarray(np.log(ratio))


class Scheme(NamedTuple):
    """How finely a boundary is solved.

    Attributes:
        pasting: Form A, from smooth pasting, where it converges, else form B, from value matching.
        nodes: Collocation nodes.
        points: Quadrature points below each.
        iterations: Of the fixed point; twice as many of form B where it stands in for form A.
        span_points: Quadrature points of the premium.
    """

    pasting: bool
    nodes: int
    points: int
    iterations: int
    span_points: int


def seed(totals: Totals, scheme: Scheme) -> Floats:
    """A first boundary for `scheme`: the QD+ approximation; shape (nodes, puts)."""
    return qdplus(*totals, totals.log_at_expiry, collocation(scheme.nodes, scheme.points).x)


def refined(distance: Real, nodes: int) -> Real:
    """A boundary at the nodes of another scheme."""
    squares = refinement(len(distance), nodes).astype(distance.dtype, copy=False) @ np.square(distance)
    return np.sqrt(np.maximum(squares, _LEAST_DISTANCE**2))


def is_smooth(totals: Totals) -> Bools:
    """Whether form A converges on a put."""
    return np.asarray(2.0 * totals.rate <= _PASTING_LIMIT * np.square(totals.deviation))


def iterate(totals: Totals, scheme: Scheme, distance: Real, smooth: Bools | None = None) -> Real:
    """Move a boundary `scheme.iterations` times, in the precision of `distance`.

    Args:
        totals: The puts.
        scheme: Its nodes are those of `distance`.
        distance: g = ln(X/B) at the nodes, shape (nodes, puts).
        smooth: On which puts form A may be used; by default those on which it converges.

    Returns:
        The same after the iterations; in single precision, which takes half the time, within about 1e-6.
        Where numerator or denominator vanish the node stays as it was.
    """
    if not scheme.pasting:
        return _iterate_all(totals, scheme, distance)
    smooth = is_smooth(totals) if smooth is None else smooth
    if smooth.all():
        return _iterate_all(totals, scheme, distance)
    out = np.empty_like(distance)
    matching = scheme._replace(pasting=False, iterations=2 * scheme.iterations)
    for form, rows in ((scheme, smooth), (matching, ~smooth)):
        out[:, rows] = _iterate_all(totals.take(rows), form, distance[:, rows])
    return out


def _iterate_all(totals: Totals, scheme: Scheme, distance: Real) -> Real:
    """`iterate` by one form of the equation, chunk by chunk."""
    out = np.empty_like(distance)
    chunk = max(1, _CELLS // (scheme.nodes * scheme.points))
    for start in range(0, distance.shape[1], chunk):
        some = slice(start, start + chunk)
        out[:, some] = _iterate_chunk(totals.take(some), scheme, distance[:, some])
    return out


def _iterate_chunk(totals: Totals, scheme: Scheme, distance: Real) -> Real:
    columns = (*totals, totals.log_at_expiry, *collocation(scheme.nodes, scheme.points))
    rate, dividend_yield, deviation, start, x, root_passed, weights, interpolation = (
        column.astype(distance.dtype, copy=False) for column in columns
    )
    vanishing = np.sqrt(np.finfo(distance.dtype).tiny)  # so that the ratio of two such figures is a number
    drift = (rate - dividend_yield) / deviation - 0.5 * deviation
    spread = root_passed * deviation
    inverse = (1.0 / root_passed) * (1.0 / deviation)
    moved = root_passed * drift
    passed = np.square(root_passed)
    interest = np.exp(passed * -rate) * (weights * rate)
    dividends = np.exp(passed * -dividend_yield) * (weights * dividend_yield)
    if scheme.pasting:
        interest *= inverse

    at_node = x[:, np.newaxis]
    whole, whole_moved = at_node * deviation, at_node * drift
    discount = np.exp(np.square(at_node) * -rate)
    carry = np.exp(np.square(at_node) * -dividend_yield)
    for _ in range(scheme.iterations):
        between = interpolation @ np.square(distance)
        np.maximum(between, 0.0, out=between)
        np.sqrt(between, out=between)
        between.reshape(scheme.nodes, scheme.points, -1)[...] -= distance[:, np.newaxis]
        d2 = between
        d2 *= inverse
        d2 += moved
        node_d2 = (start - distance) / whole + whole_moved
        node_d1 = node_d2 + whole
        if scheme.pasting:
            numerator = _summed(interest * pdf(d2), scheme) + discount * pdf(node_d2) / whole
            d2 += spread
            inner = pdf(d2)
            inner *= inverse
            inner += absolute_cdf(d2)
            node = pdf(node_d1) / whole + absolute_cdf(node_d1)
        else:
            numerator = _summed(interest * absolute_cdf(d2), scheme) + discount * absolute_cdf(node_d2)
            d2 += spread
            inner = absolute_cdf(d2)
            node = absolute_cdf(node_d1)
        inner *= dividends
        denominator = _summed(inner, scheme) + carry * node
        sound = (numerator > vanishing) & (denominator > vanishing)
        ratio = np.divide(denominator, numerator, out=np.ones_like(distance), where=sound)
        following = np.maximum(start + np.log(ratio), _LEAST_DISTANCE)
        distance = np.where(sound, following, distance)
    return distance


def _summed(terms: Real, scheme: Scheme) -> Real:
    """Sums over the quadrature points of each node."""
    return np.asarray(terms.reshape(scheme.nodes, scheme.points, -1).sum(axis=1))
