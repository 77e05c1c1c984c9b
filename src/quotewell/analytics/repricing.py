"""The same contracts at many prices of their underlyings: what stays the same is solved once.

The exercise boundary does not depend on spot. So each is solved once, at the volatility of a contract and at
a few multiples of it, between which it is interpolated; every value is then one quadrature over it. Whether
two schemes agree is seen where they differ most, next to the boundary; contracts on which they do not, those
without a boundary of their own, and those with known dividends are valued one spot after the other by
`quotewell.analytics.options`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, distinct
from quotewell.analytics.options import value
from quotewell.analytics.pricing import european, premium, right
from quotewell.analytics.pricing.american import DEFAULT
from quotewell.analytics.pricing.boundaries import COARSE, FINE, Boundaries
from quotewell.analytics.pricing.boundary import Totals
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.dividends import Dividends

__all__ = ["Terms", "reprice"]

_PROBES = (0.0, 0.1, 0.5)
"""Two schemes are compared at the first spot that is so many deviations beyond the boundary."""
_SMALLEST_TOTAL_VOLATILITY = 1e-4
_FARTHEST = 50.0  # of ln(spot/strike): nothing is left of the premium there
_CELLS = 16_384  # spots at a time: arrays of them fit the processor's second cache
_SPAN = FINE._replace(span_points=20)
"""As fine as needed where no derivative is taken: within 2e-7."""


class Terms(NamedTuple):
    """Contracts, one-dimensional columns; NaN for unknown.

    Attributes:
        is_call: True for calls.
        american: True where early exercise is allowed.
        strike: Strike, in the currency of the spot.
        years: Time to expiry, as in `quotewell.analytics.options.value`.
        volatility: A fraction a year.
        rate: Continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year.
        ex_dates: Years to the ex-dates of known dividends, shape (events, contracts); perhaps no events.
        amounts: Of these dividends, in the currency of the spot, of the same shape; 0 for none.
    """

    is_call: Bools
    american: Bools
    strike: Floats
    years: Floats
    volatility: Floats
    rate: Floats
    dividend_yield: Floats
    ex_dates: Floats
    amounts: Floats

    def take(self, rows: Bools | Integers) -> Terms:
        """The contracts of some rows."""
        return Terms._make(column[..., rows] for column in self)

    @property
    def dividends(self) -> Dividends:
        """Known cash dividends."""
        return Dividends(self.ex_dates, self.amounts)


def reprice(terms: Terms, spots: Floats, multiples: Floats) -> Floats:
    """Model prices per share, as `quotewell.analytics.options.value` gives them one by one.

    Args:
        terms: The contracts.
        spots: Prices of their underlyings, shape (rows, contracts).
        multiples: What the volatility is multiplied by in each row.

    Returns:
        Shape (rows, contracts).
    """
    out = np.empty_like(spots)
    together = _has_boundary(terms) & np.isfinite(spots).all(axis=0)
    if together.any():
        rows = np.flatnonzero(together)
        found, agreed = _over_boundaries(terms.take(rows), spots[:, rows], multiples)
        out[:, rows] = found
        together[rows[~agreed]] = False
    rest = np.flatnonzero(~together)
    if rest.size:
        own = terms.take(rest)
        out[:, rest] = value(
            own.is_call,
            own.american,
            spots[:, rest],
            own.strike,
            own.years,
            own.volatility * multiples[:, np.newaxis],
            own.rate,
            own.dividend_yield,
            dividends=own.dividends,
        )
    return out


def _has_boundary(terms: Terms) -> Bools:
    """Whether a contract has one exercise boundary, and no figure of it is beyond the ordinary."""
    known = np.isfinite(terms[:-2]).all(axis=0) & terms.american
    known &= terms.dividends.counts(terms.years) == 0
    with np.errstate(invalid="ignore"):
        known &= (terms.strike > 0.0) & (terms.years > 0.0)
        known &= terms.volatility * np.sqrt(np.maximum(terms.years, 0.0)) > _SMALLEST_TOTAL_VOLATILITY
    rows = np.flatnonzero(known)
    known[rows] = right.ways(_contracts(terms.take(rows))) >= 0
    return known


def _contracts(terms: Terms) -> Contracts:
    """The contracts, at the money."""
    sign = np.where(terms.is_call, 1.0, -1.0)
    return Contracts(sign, terms.strike, terms.strike, terms.years, terms.rate, terms.dividend_yield)


def _over_boundaries(terms: Terms, spots: Floats, multiples: Floats) -> tuple[Floats, Bools]:
    """Values of contracts with a boundary each, and on which of them two schemes agree."""
    contracts = _contracts(terms)
    totals, _ = right.as_puts(contracts, terms.volatility)
    first, boundary_of = distinct(*totals)
    solved = Boundaries.solved(totals.take(first), multiples)
    out = np.empty_like(spots)
    agreed = np.ones(terms.strike.size, dtype=np.bool_)
    for multiple in sorted(set(multiples.tolist())):
        rows = np.flatnonzero(multiples == multiple)
        puts, distance = solved.at(multiple)
        compared = solved.coarse if multiple == solved.multiples[0] else None
        for some in _blocks(terms.strike.size, rows.size):
            of = boundary_of[some]
            block = _Block(contracts.take(some), terms.volatility[some] * multiple, puts.take(of))
            at = np.ix_(rows, np.arange(some.start, some.stop))
            out[at], moneyness, premiums = block.values(spots[at], distance[:, of])
            if compared is not None:
                agreed[some] = block.agrees(moneyness, premiums, distance[:, of], compared[:, of])
    return out, agreed


def _blocks(count: int, rows: int) -> list[slice]:
    step = max(1, _CELLS // rows)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


class _Block(NamedTuple):
    """Contracts that are valued together.

    Attributes:
        contracts: Their terms; what spot they have does not matter.
        volatility: A fraction a year.
        puts: What they are as puts of strike 1.
    """

    contracts: Contracts
    volatility: Floats
    puts: Totals

    def values(self, spots: Floats, distance: Floats) -> tuple[Floats, Floats, Floats]:
        """Values per share, ln(spot/strike) of the puts, and the puts' premiums; shape (rows, contracts).

        Args:
            spots: Prices of the underlyings, of that shape.
            distance: The boundaries by the fine scheme.
        """
        at = self.contracts._replace(spot=spots)
        with np.errstate(divide="ignore"):
            moneyness = np.clip(-at.sign * np.log(spots / at.strike), -_FARTHEST, _FARTHEST)
        premiums = premium.values(self.puts, moneyness, _SPAN, distance)
        unit = np.where(at.sign > 0.0, spots, at.strike)
        held = european.value(at, self.volatility) + unit * np.maximum(premiums, 0.0)
        exercised = moneyness <= self._boundary(distance)
        return np.where(exercised, at.intrinsic, np.maximum(held, at.intrinsic)), moneyness, premiums

    def agrees(self, moneyness: Floats, premiums: Floats, fine: Floats, coarse: Floats) -> Bools:
        """Whether both schemes come to the same: on the boundary, and on values next to it.

        Where only one of them exercises, the value is off by what gamma makes of the gap between the two.
        """
        boundary, gap = self._boundary(fine), fine[-1] - coarse[-1]
        tolerance = DEFAULT.accuracy.tolerance.value
        limits = (boundary + probe * self.puts.deviation for probe in _PROBES)
        places = np.stack([np.where(moneyness > limit, moneyness, np.inf).argmin(axis=0) for limit in limits])
        probes = np.take_along_axis(moneyness, places, axis=0)
        off = premium.values(self.puts, probes, COARSE, coarse)
        off -= np.take_along_axis(premiums, places, axis=0)
        close = np.abs(off) <= tolerance * np.exp(np.minimum(probes, 0.0))
        missed = self.puts.rate / np.square(self.puts.deviation) * np.square(gap)
        return np.asarray((missed <= tolerance) & (close | (probes <= boundary)).all(axis=0))

    def _boundary(self, distance: Floats) -> Floats:
        return np.asarray(self.puts.log_at_expiry - distance[-1])
