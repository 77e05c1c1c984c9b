"""The QD+ approximation of a put's exercise boundary, where the exact iteration starts.

Source: Li, "Analytical approximations for the critical stock prices of American options: a performance
comparison", Review of Derivatives Research 13 (2010), 75-99; the start of its own iteration as in Bjerksund
and Stensland, "Closed-form approximation of American options", Scandinavian Journal of Management 9 (1993).
"""

from __future__ import annotations

import numpy as np

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing.normal import absolute_cdf, pdf

_STEPS = 2
_NUDGE = 1e-5
_LONGEST_STEP = 0.3  # of ln B
_TINY = 1e-12


def qdplus(
    rate: Floats, dividend_yield: Floats, deviation: Floats, log_at_expiry: Floats, x: Floats
) -> Floats:
    """Distances ln(X/B) of unit puts, T = 1, at x = √(τ/T); shape (nodes, puts), not negative.

    Good to about 1 % of a deviation, in corners to half of one: a seed, not an answer.
    """
    tau = np.square(x)[:, np.newaxis]
    interest, dividends = rate * tau, dividend_yield * tau
    total = x[:, np.newaxis] * deviation
    variance = np.square(total)
    discount, carry = np.exp(-interest), np.exp(-dividends)
    elapsed = -np.expm1(-interest)  # h of the paper
    twice = 2.0 * interest / variance  # α
    tilt = 2.0 * (interest - dividends) / variance - 1.0  # β - 1
    scaled = np.divide(twice, elapsed, out=2.0 / variance, where=elapsed > 0.0)  # α/h
    root = np.sqrt(np.square(tilt) + 4.0 * scaled)
    exponent = -0.5 * (tilt + root)  # λ
    correction = scaled - np.square(scaled / root)  # α/h + αλ'/(2λ + β - 1)

    def mismatch(log_spot: Floats) -> Floats:
        """How far value matching and smooth pasting are from agreeing at this spot."""
        spot = np.exp(log_spot)
        d1 = (log_spot + interest - dividends) / total + 0.5 * total
        in_strike = discount * absolute_cdf(total - d1)
        in_spot = spot * carry * absolute_cdf(-d1)
        decay = (interest * in_strike - dividends * in_spot) / variance
        decay -= 0.5 * spot * carry * pdf(d1) / total
        gap = 1.0 - spot - in_strike + in_spot
        shift = (discount * correction * gap - 2.0 * decay) / root
        return np.asarray(spot - in_spot + exponent * gap + shift)

    at = np.minimum(_first(rate, dividend_yield, deviation, log_at_expiry, tau), log_at_expiry)
    for _ in range(_STEPS):
        here = mismatch(at)
        slope = (mismatch(at + _NUDGE) - here) / _NUDGE
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.clip(here / slope, -_LONGEST_STEP, _LONGEST_STEP)
        at = np.where(np.isfinite(step), np.minimum(at - step, log_at_expiry), at)
    return np.asarray(np.maximum(log_at_expiry - at, _TINY))


def _first(
    rate: Floats, dividend_yield: Floats, deviation: Floats, log_at_expiry: Floats, tau: Floats
) -> Floats:
    """The logarithm of B between its values at expiry and for a perpetual put."""
    variance = np.square(deviation)
    tilt = 2.0 * (rate - dividend_yield) / variance - 1.0
    perpetual = -0.5 * (tilt + np.sqrt(np.square(tilt) + 8.0 * rate / variance))
    # The mirrored call's boundaries, 1/B, are bounded below by 1.
    start = np.exp(-log_at_expiry)
    most = (perpetual - 1.0) / np.minimum(perpetual, -_TINY)
    room = np.maximum(most - start, _TINY)
    speed = ((dividend_yield - rate) * tau + 2.0 * deviation * np.sqrt(tau)) * start / room
    return np.asarray(-np.log(start - room * np.expm1(-np.maximum(speed, 0.0))))
