"""What the right to exercise early adds to a European put, by quadrature over the exercise boundary.

The premium is the present value of what exercise earns while spot is below the boundary: interest on the
strike less the yield of the share (Kim 1990; Jamshidian 1992; Carr, Jarrow and Myneni 1992), in the scale
of `pricing.boundary`. Delta and gamma are the derivatives of its integrand, since the boundary
does not depend on spot.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, Singles
from quotewell.analytics.pricing.boundary import Scheme, Totals
from quotewell.analytics.pricing.normal import absolute_cdf, pdf
from quotewell.analytics.pricing.quadrature import span

_CELLS = 32_000
_SINGLE_CELLS = 40_000
_ROWS = 4  # of spots at a time: with more, the rows of an array become short


class Premium(NamedTuple):
    """One-dimensional columns, for K = 1.

    Attributes:
        value: American less European value, of a put that is not exercised now; may be negative by rounding.
        delta: Its derivative by spot.
        gamma: Its second derivative by spot.
        beyond: ln(spot/B), how far spot is above the boundary; where it is not positive the put is exercised
            now, and the other figures say nothing.
    """

    value: Floats
    delta: Floats
    gamma: Floats
    beyond: Floats

    @property
    def exercised(self) -> Bools:
        """Whether the put is exercised now."""
        return self.beyond <= 0.0


def premium(
    totals: Totals, log_spot: Floats, scheme: Scheme, distance: Floats, boundary_of: Integers
) -> Premium:
    """The premium of puts whose boundary is known.

    Args:
        totals: The puts, one-dimensional columns.
        log_spot: ln(spot/strike) of each.
        scheme: How the boundary was solved.
        distance: Boundaries as in `quotewell.analytics.pricing.boundary`, shape (nodes, boundaries).
        boundary_of: Which of them is each put's.
    """
    value, delta, gamma = figures = np.empty((3, log_spot.size))
    chunk = max(1, _CELLS // scheme.span_points)
    for start in range(0, log_spot.size, chunk):
        some = slice(start, start + chunk)
        own = np.square(distance[:, boundary_of[some]])
        figures[:, some] = _integrals(totals.take(some), log_spot[some], scheme, own)
    return Premium(value, delta, gamma, log_spot - totals.log_at_expiry + distance[-1, boundary_of])


def values(totals: Totals, log_spots: Floats, scheme: Scheme, distance: Floats) -> Floats:
    """The value alone, of puts at many spots each: within about 2e-8 of what `premium` gives.

    Args:
        totals: The puts, one-dimensional columns.
        log_spots: ln(spot/strike), shape (rows, puts).
        scheme: How the boundaries were solved.
        distance: The boundary of each put, shape (nodes, puts).

    Returns:
        As in `Premium`, shape (rows, puts).
    """
    out = np.empty_like(log_spots)
    step = max(1, _SINGLE_CELLS // (scheme.span_points * min(_ROWS, max(1, len(log_spots)))))
    for start in range(0, log_spots.shape[1], step):
        some = slice(start, start + step)
        quadrature = _Quadrature.of(totals.take(some), scheme, distance[:, some])
        for row in range(0, len(log_spots), _ROWS):
            at = slice(row, row + _ROWS), some
            out[at] = quadrature.values(log_spots[at])
    return out


class _Quadrature(NamedTuple):
    """What the premiums of a few puts need beside spots.

    Single precision is enough for weighted sums of probabilities, and twice as fast. It is not for what is
    subtracted before: so spots and later boundary are both taken from the boundary now.

    Attributes:
        boundary: ln(boundary/strike) now, in double precision.
        inverse: -1 / (volatility·√s), shape (points, puts).
        later: How far the boundary after s is from that now, in such units, less the drift.
        spread: volatility·√s.
        interest: Weights of the interest on the strike.
        dividends: Weights of the yield of the share.
    """

    boundary: Floats
    inverse: Singles
    later: Singles
    spread: Singles
    interest: Singles
    dividends: Singles

    @classmethod
    def of(cls, totals: Totals, scheme: Scheme, distance: Floats) -> _Quadrature:
        """That of boundaries by a scheme."""
        rate, dividend_yield, deviation = totals
        root_passed, weights, interpolation = span(scheme.nodes, scheme.span_points)
        spread = root_passed * deviation
        later = interpolation @ np.square(distance)
        np.maximum(later, 0.0, out=later)
        np.sqrt(later, out=later)
        later -= distance[-1]
        later /= spread
        later += root_passed * ((rate - dividend_yield) / deviation - 0.5 * deviation)
        passed = np.square(root_passed)
        interest = np.exp(passed * -rate) * (weights * rate)
        dividends = np.exp(passed * -dividend_yield) * (weights * dividend_yield)
        columns = (-1.0 / spread, later, spread, interest, dividends)
        return cls(totals.log_at_expiry - distance[-1], *(column.astype(np.float32) for column in columns))

    def values(self, log_spots: Floats) -> Floats:
        """Values at ln(spot/strike), of shape (rows, puts)."""
        beyond = (log_spots - self.boundary).astype(np.float32)
        below = beyond * self.inverse[:, np.newaxis]  # -d2, shape (points, rows, puts)
        below -= self.later[:, np.newaxis]
        earned = _weighted(self.interest, absolute_cdf(below))
        below -= self.spread[:, np.newaxis]
        return np.asarray(earned - np.exp(log_spots) * _weighted(self.dividends, absolute_cdf(below)))


def _weighted(weights: Singles, figures: Singles) -> Singles:
    """Sums over the points; of weights (points, puts) and figures (points, rows, puts), which it destroys."""
    figures *= weights[:, np.newaxis]
    return np.asarray(figures.sum(axis=0))


def _integrals(totals: Totals, log_spot: Floats, scheme: Scheme, squares: Floats) -> Floats:
    """Value, delta and gamma as rows."""
    rate, dividend_yield, deviation = totals
    root_passed, weights, interpolation = span(scheme.nodes, scheme.span_points)
    spread = root_passed * deviation
    d2 = interpolation @ squares
    np.maximum(d2, 0.0, out=d2)
    np.sqrt(d2, out=d2)
    d2 += log_spot - totals.log_at_expiry
    d2 /= spread
    d2 += root_passed * ((rate - dividend_yield) / deviation - 0.5 * deviation)
    d1 = d2 + spread
    passed = np.square(root_passed)
    interest = np.exp(passed * -rate) * (weights * rate)
    dividends = np.exp(passed * -dividend_yield) * (weights * dividend_yield)
    spot = np.exp(log_spot)
    in_spot = (dividends * absolute_cdf(-d1)).sum(axis=0)
    value = (interest * absolute_cdf(-d2)).sum(axis=0) - spot * in_spot
    interest *= pdf(d2)
    interest /= spread
    dividends *= pdf(d1)
    dividends /= spread
    delta = dividends.sum(axis=0) - interest.sum(axis=0) / spot - in_spot
    d2 /= spread
    d2 += 1.0
    d1 /= spread
    d1 -= 1.0
    gamma = (interest * d2).sum(axis=0) / np.square(spot) - (dividends * d1).sum(axis=0) / spot
    return np.stack([value, delta, gamma])
