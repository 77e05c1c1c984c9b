"""The terms of option contracts as columns: what every pricing engine is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers


class Contracts(NamedTuple):
    """Contracts before expiry, one-dimensional columns of one common length.

    Attributes:
        sign: +1.0 for a call, -1.0 for a put.
        spot: Price of the underlying, per share.
        strike: Strike, in the currency of the spot, positive.
        years: Time to expiry, positive.
        rate: Interest rate, continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year.
    """

    sign: Floats
    spot: Floats
    strike: Floats
    years: Floats
    rate: Floats
    dividend_yield: Floats

    def take(self, rows: Bools | Integers | slice) -> Contracts:
        """The contracts of some rows."""
        return Contracts(*(column[rows] for column in self))

    @property
    def intrinsic(self) -> Floats:
        """What exercise gives now, per share; negative out of the money."""
        return self.sign * (self.spot - self.strike)

    @property
    def root_years(self) -> Floats:
        """√T, which turns a volatility a year into one until expiry."""
        return np.sqrt(self.years)


class Greeks(NamedTuple):
    """Value and Greeks per share.

    Attributes:
        value: Model price.
        delta: ∂V/∂S.
        gamma: ∂²V/∂S², per 1.00 of spot.
        vega: ∂V/∂volatility, per 1.00 of volatility.
        theta: ∂V/∂t, per year of calendar time, negative for decay.
        rho: ∂V/∂rate, per 1.00 of rate.
    """

    value: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
