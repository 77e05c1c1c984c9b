"""When exercise before expiry can pay, and what an American option is worth at the extremes of volatility.

All of it follows from what waiting costs and earns, without a model of prices.
"""

from __future__ import annotations

import numpy as np

from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.pricing.contracts import Contracts


def is_european(sign: Floats, rate: Floats, dividend_yield: Floats) -> Bools:
    """Whether early exercise can never pay: a call with q ≤ 0 and q ≤ r, a put with r ≤ 0 and r ≤ q."""
    earned, forgone = earned_and_forgone(sign, rate, dividend_yield)
    return np.asarray((earned <= 0.0) & (forgone >= earned))


def has_two_boundaries(sign: Floats, rate: Floats, dividend_yield: Floats) -> Bools:
    """Whether exercise pays only between two boundaries: a call with r < q < 0, a put with q < r < 0."""
    earned, forgone = earned_and_forgone(sign, rate, dividend_yield)
    return np.asarray((earned < 0.0) & (forgone < earned))


def bounds(contracts: Contracts) -> tuple[Floats, Floats]:
    """The values at zero and at infinite volatility.

    Without volatility the holder exercises at the best moment of a known path. With infinite volatility a
    call is worth the share and a put the strike, paid for now or at expiry, whichever is worth more.
    """
    sign, spot, strike, years, rate, dividend_yield = contracts
    lower, _ = best_exercise(contracts)
    carried = spot * np.exp(np.maximum(-dividend_yield * years, 0.0))
    discounted = strike * np.exp(np.maximum(-rate * years, 0.0))
    return lower, np.where(sign > 0.0, carried, discounted)


def delta_without_volatility(contracts: Contracts) -> Floats:
    """The limit of delta as volatility goes to zero: full if the best moment pays, half if it is even."""
    lower, when = best_exercise(contracts)
    at_best = _path_value(contracts, when)
    weight = np.where(lower > 0.0, 1.0, np.where(at_best == 0.0, 0.5, 0.0))
    return contracts.sign * weight * np.exp(-contracts.dividend_yield * when)


def in_exercise_region(contracts: Contracts) -> Bools:
    """Whether some volatility makes immediate exercise best, so that the value is intrinsic.

    True in the money, where waiting costs more than it earns (q·S > r·K for a call, r·K > q·S for a put)
    and no later moment of the path without volatility is worth more than the present one.
    """
    lower, _ = best_exercise(contracts)
    return (contracts.intrinsic > 0.0) & (waiting_cost(contracts) > 0.0) & (lower <= contracts.intrinsic)


def waiting_cost(contracts: Contracts) -> Floats:
    """What delaying exercise by a year costs, per share: a yield forgone less interest earned, or reverse."""
    return contracts.sign * (contracts.dividend_yield * contracts.spot - contracts.rate * contracts.strike)


def _path_value(contracts: Contracts, when: Floats) -> Floats:
    """Present value of exercising after `when` years if spot only grows at r - q; may be negative."""
    sign, spot, strike, _, rate, dividend_yield = contracts
    return sign * (spot * np.exp(-dividend_yield * when) - strike * np.exp(-rate * when))


def best_exercise(contracts: Contracts) -> tuple[Floats, Floats]:
    """The most a holder can get without volatility, and the years from now at which that is.

    That is at once, at expiry, or at the turning point of the path, where r·K·e^(-rt) = q·S·e^(-qt).
    """
    _, spot, strike, years, rate, dividend_yield = contracts
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        turning = np.log(rate * strike / (dividend_yield * spot)) / (rate - dividend_yield)
    turning = np.where((turning > 0.0) & (turning < years), turning, 0.0)
    dates = np.stack([np.zeros_like(years), turning, years])
    paths = _path_value(contracts, dates)
    best = np.argmax(paths, axis=0)[np.newaxis]
    most = np.take_along_axis(paths, best, axis=0)[0]
    return np.maximum(most, 0.0), np.take_along_axis(dates, best, axis=0)[0]


def earned_and_forgone(sign: Floats, rate: Floats, dividend_yield: Floats) -> tuple[Floats, Floats]:
    """What exercise starts to earn, and what it gives up, a year and per unit."""
    is_call = sign > 0.0
    return np.where(is_call, dividend_yield, rate), np.where(is_call, rate, dividend_yield)
