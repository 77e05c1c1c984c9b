"""The exercise boundaries of puts at a few multiples of their volatilities, and between them.

A boundary does not depend on spot, and it changes smoothly with volatility: g² of
`quotewell.analytics.pricing.boundary` is solved at the nodes of a Chebyshev polynomial in the multiple.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from quotewell.analytics.arrays import Floats, Singles
from quotewell.analytics.pricing import puts
from quotewell.analytics.pricing.boundary import Totals, is_smooth, iterate, refined, seed
from quotewell.analytics.pricing.quadrature import barycentric, chebyshev

__all__ = ["COARSE", "FINE", "Boundaries"]

COARSE, FINE = puts.SCHEMES[:2]
"""The schemes that boundaries are solved by, one after the other."""

_NARROW, _WIDE = 4, 6
"""At how many multiples boundaries are solved at most: values between them are within 2e-7 of spot."""
_RANGE = 1.35
"""From the first multiple to the last, up to which the fewer ones do: what a fall by a fifth makes of it."""


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Solved boundaries.

    Attributes:
        totals: The puts, one-dimensional columns.
        multiples: Of their volatilities, rising; shape (multiples,).
        coarse: By the coarse scheme at the first multiple, shape (nodes, puts).
        fine: By the fine one, shape (multiples, nodes, puts).
    """

    totals: Totals
    multiples: Floats
    coarse: Floats
    fine: Floats

    @classmethod
    def solved(cls, totals: Totals, multiples: Floats) -> Boundaries:
        """Solve for all that is needed at some multiples of the volatility.

        Args:
            totals: The puts, one-dimensional columns.
            multiples: In any order, some perhaps equal; positive.
        """
        levels = np.array(sorted(set(multiples.tolist())))
        most = _NARROW if levels[-1] <= _RANGE * levels[0] else _WIDE
        if levels.size > most:
            levels = levels[0] + (levels[-1] - levels[0]) * chebyshev(most - 1)
        first = _at(totals, float(levels[0]))
        smooth = is_smooth(first)  # one form for all, or the levels would not join
        # Single precision is exact enough for all but the last step to the boundary that most prices rest on.
        near = coarse = iterate(first, COARSE, seed(first, COARSE).astype(np.float32), smooth)
        fine = [iterate(first, FINE, refined(coarse.astype(np.float64), FINE.nodes))]
        for before, level in itertools.pairwise(levels.tolist()):
            own = _at(totals, level)
            start: Singles = np.multiply(near, level / before, dtype=np.float32)
            near = iterate(own, puts.WARM, start, smooth)
            fine.append(iterate(own, FINE, refined(near, FINE.nodes)).astype(np.float64))
        return cls(totals, levels, coarse.astype(np.float64), np.stack(fine))

    def at(self, multiple: float) -> tuple[Totals, Floats]:
        """The puts at one multiple of their volatilities, and their boundaries by the fine scheme."""
        first, last = self.multiples[0], self.multiples[-1]
        exact = np.flatnonzero(self.multiples == multiple)
        if exact.size:
            return _at(self.totals, multiple), self.fine[exact[0]]
        weights = barycentric(self.multiples.size - 1, np.array([(multiple - first) / (last - first)]))[0]
        squares = np.tensordot(weights, np.square(self.fine), axes=1)
        return _at(self.totals, multiple), np.sqrt(np.maximum(squares, 0.0))


def _at(totals: Totals, multiple: float) -> Totals:
    return totals._replace(deviation=totals.deviation * multiple)
