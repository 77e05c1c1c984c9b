"""Values of American contracts by the coarsest scheme alone, at one volatility after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quotewell.analytics.arrays import Floats, Integers
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.right import coarse_boundaries, value_by, ways


@dataclass(slots=True)
class CoarseValue:
    """What prices contracts; the boundary of each starts from where its last one ended.

    Attributes:
        contracts: The contracts, with positive spot.
        scheme: As in `quotewell.analytics.pricing.right`, `NONE`, `ON_TREE` or 0.
        volatility: Of each contract, the last one it was valued at.
        boundaries: The boundaries at that volatility, shape (nodes, contracts).
    """

    contracts: Contracts
    scheme: Integers
    volatility: Floats
    boundaries: Floats

    @classmethod
    def starting(cls, contracts: Contracts, volatility: Floats) -> CoarseValue:
        """One that has the boundaries at this volatility."""
        scheme = ways(contracts)
        return cls(contracts, scheme, volatility.copy(), coarse_boundaries(contracts, volatility, scheme))

    def take(self, rows: Integers) -> CoarseValue:
        """The same for some of the contracts."""
        return CoarseValue(
            self.contracts.take(rows), self.scheme[rows], self.volatility[rows], self.boundaries[:, rows]
        )

    def __call__(self, rows: Integers, volatility: Floats) -> Floats:
        """Prices per share of the contracts of some rows."""
        own = self.contracts.take(rows)
        nearly = self.boundaries[:, rows] * (volatility / self.volatility[rows])
        premium, boundaries = value_by(own, volatility, self.scheme[rows], nearly)
        self.boundaries[:, rows], self.volatility[rows] = boundaries, volatility
        return np.maximum(european.value(own, volatility) + np.maximum(premium, 0.0), own.intrinsic)
