"""European options: Black-Scholes-Merton value, Greeks, bounds and implied volatility.

Sources: Black and Scholes (1973), Merton (1973); Greeks as in Haug, "The Complete Guide to Option
Pricing Formulas" (2007), chapter 2; the normalised form and the objectives for the implied volatility as
in Jäckel, "Let's be rational" (2015), solved here by safeguarded Newton steps. Prices and volatilities are
one-dimensional columns beside `Contracts`; volatility is a fraction a year.
"""

from __future__ import annotations

import numpy as np

from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.pricing.contracts import Contracts, Greeks
from quotewell.analytics.pricing.normal import cdf, erfcx, pdf

MAX_TOTAL_VOLATILITY = 8.0
"""Volatility·√T above which a price tells nothing: an at-the-money call is then worth 0.9999·S."""

_NEWTON_STEPS = 80
_BLOCK = 16_384  # contracts at a time: bounds the memory, and keeps the work in the processor's caches
_SQRT_HALF = np.sqrt(0.5)


def value(contracts: Contracts, volatility: Floats) -> Floats:
    """Price per share; zero volatility and zero spot give their limits."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    d1, d2 = _d_terms(contracts, volatility)
    carried = spot * np.exp(-dividend_yield * years)
    discounted = strike * np.exp(-rate * years)
    return sign * (carried * cdf(sign * d1) - discounted * cdf(sign * d2))


def greeks(contracts: Contracts, volatility: Floats) -> Greeks:
    """Price and Greeks per share, for positive volatility and spot."""
    out = np.empty((6, volatility.size))
    for start in range(0, volatility.size, _BLOCK):
        some = slice(start, start + _BLOCK)
        out[:, some] = _greeks(contracts.take(some), volatility[some])
    return Greeks(*out)


def _greeks(contracts: Contracts, volatility: Floats) -> Greeks:
    """`greeks` of a block."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    d1, d2 = _d_terms(contracts, volatility)
    carry, discount = np.exp(-dividend_yield * years), np.exp(-rate * years)
    in_spot, in_strike = sign * carry * cdf(sign * d1), sign * discount * cdf(sign * d2)
    price = spot * in_spot - strike * in_strike
    gamma = carry * pdf(d1) / (spot * volatility * contracts.root_years)
    return Greeks(
        value=price,
        delta=in_spot,
        gamma=gamma,
        vega=spot * carry * pdf(d1) * contracts.root_years,
        theta=rate * strike * in_strike * -1.0
        + dividend_yield * spot * in_spot
        - 0.5 * np.square(volatility * spot) * gamma,
        rho=years * strike * in_strike,
    )


def bounds(contracts: Contracts) -> tuple[Floats, Floats]:
    """The values at zero and at infinite volatility, between which every price has one volatility."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    carried = spot * np.exp(-dividend_yield * years)
    discounted = strike * np.exp(-rate * years)
    return np.maximum(sign * (carried - discounted), 0.0), np.where(sign > 0.0, carried, discounted)


def in_exercise_region(contracts: Contracts) -> Bools:
    """Nowhere: a European option cannot be exercised before expiry."""
    return np.zeros(contracts.spot.shape, dtype=np.bool_)


def delta_without_volatility(contracts: Contracts) -> Floats:
    """The limit of delta as volatility goes to zero: 0 or full as the forward lies, half at the strike."""
    sign = contracts.sign
    d1, _ = _d_terms(contracts, np.zeros_like(sign))
    return sign * np.exp(-contracts.dividend_yield * contracts.years) * cdf(sign * d1)


def implied_volatility(contracts: Contracts, price: Floats) -> Floats:
    """The volatility that reproduces each price, to about 1e-12 where the price carries that much.

    Returns:
        Volatilities; NaN where the price is not strictly between the bounds or needs more than
        `MAX_TOTAL_VOLATILITY`.
    """
    sign, spot, strike, years, rate, dividend_yield = contracts
    forward = spot * np.exp((rate - dividend_yield) * years)
    otm = price * np.exp(rate * years) - np.maximum(sign * (forward - strike), 0.0)
    beta = otm / np.sqrt(forward * strike)
    x = -np.abs(np.log(forward / strike))
    solvable = (beta > 0.0) & (beta < _normalised(x, np.full_like(x, MAX_TOTAL_VOLATILITY)))
    out = np.full_like(price, np.nan)
    out[solvable] = _total_volatility(x[solvable], beta[solvable]) / contracts.root_years[solvable]
    return out


def _d_terms(contracts: Contracts, volatility: Floats) -> tuple[Floats, Floats]:
    """d1 and d2; infinite at zero volatility, and 0 there when the forward is exactly the strike."""
    _, spot, strike, years, rate, dividend_yield = contracts
    total = volatility * contracts.root_years
    with np.errstate(divide="ignore", invalid="ignore"):
        moneyness = np.log(spot / strike) + (rate - dividend_yield) * years
        ratio = np.where((moneyness == 0.0) & (total == 0.0), 0.0, moneyness / total)
    return ratio + 0.5 * total, ratio - 0.5 * total


def _normalised(x: Floats, s: Floats) -> Floats:
    """Undiscounted out-of-the-money call over √(F·K), for x = -abs(ln(F/K)) and total volatility s > 0."""
    h, t = x / s, 0.5 * s
    out = np.exp(0.5 * x) * cdf(h + t) - np.exp(-0.5 * x) * cdf(h - t)
    # In the tail the two terms nearly cancel: there the difference of scaled tails keeps its digits.
    tail = h + t < -1.0
    h, t = h[tail], t[tail]
    gap = erfcx(-_SQRT_HALF * (h + t)) - erfcx(-_SQRT_HALF * (h - t))
    out[tail] = 0.5 * np.exp(-0.5 * (h * h + t * t)) * gap
    return np.maximum(out, 0.0)


def _total_volatility(x: Floats, beta: Floats) -> Floats:
    """Solve `_normalised`(x, s) = beta by Newton steps inside a bracket; settled rows drop out.

    Below the inflection √(2·abs(x)) the objective is 1/ln b, which is nearly straight there; above it is b
    itself, which is concave, so that steps from the inflection climb to the root without passing it.
    """
    inflection = np.sqrt(-2.0 * x)
    convex = (inflection > 0.0) & (beta < _normalised(x, np.where(inflection > 0.0, inflection, 1.0)))
    # b ≤ s/√(2π) everywhere, so this start lies below the root, also where the inflection is 0.
    s = np.where(convex, inflection, np.maximum(inflection, np.sqrt(2.0 * np.pi) * beta))
    low, high = np.zeros_like(s), np.where(convex, inflection, MAX_TOTAL_VOLATILITY)
    out, rows = s.copy(), np.arange(s.size)
    for _ in range(_NEWTON_STEPS):
        b = _normalised(x, s)
        above = b > beta
        high, low = np.where(above, s, high), np.where(above, low, s)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slope = pdf(np.hypot(x / s, 0.5 * s))
            log_b, log_beta = np.log(b), np.log(beta)
            straight = (log_b - log_beta) * (log_b / log_beta) * b / slope
            moved = s - np.where(convex, straight, (b - beta) / slope)
        inside = np.isfinite(moved) & (moved >= low) & (moved <= high)
        following = np.where(inside, moved, 0.5 * (low + high))
        # A Newton step that short leaves an error of its square; where it was cut short, none is known.
        active = np.abs(following - s) > np.where(inside, 1e-9, 1e-15) * s
        out[rows] = following
        if not active.any():
            break
        rows, s, low, high = rows[active], following[active], low[active], high[active]
        x, beta, convex = x[active], beta[active], convex[active]
    return out
