"""The premium for early exercise on a binomial tree, for contracts that have no single boundary.

The tree stands on the forward: u, d = exp((r - q)·Δt ± v) with v = volatility·√Δt, so that the probability
1 / (1 + e^v) is one for every volatility. Two refinements:

- the last step is a Black-Scholes value, and two step sizes are extrapolated: BBSR of Broadie and
  Detemple, "American option valuation", Review of Financial Studies 9 (1996), 1211-1250;
- the tree gives only the difference to its own European value (control variate, Hull and White 1988).

It is the continuation value that is extrapolated; exercise at this moment has a kink that the extrapolation
must not see. Nodes are rows and contracts columns, so that every step is a handful of whole-array operations.
"""

from __future__ import annotations

import numpy as np

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts

STEPS = 256
"""Steps of the finer tree; the other has half as many."""

WIDE_STEPS = 768
"""The same where volatility·√T is above `WIDE`, so that nodes do not lie too far apart."""

WIDE = 1.5
"""Volatility until expiry: 150 % over a year, or 75 % over four."""

_CHUNK = 128  # contracts at a time: about 1 MB of nodes, whatever the size of the book
_FARTHEST = 300.0  # of ln(node/spot): what lies beyond has no weight, and must stay a number
_BESIDE_STRIKE = 6  # nodes, 2 deviations apart, within which the last step is not yet its limit


def premium(contracts: Contracts, volatility: Floats, refinement: int = 1) -> Floats:
    """Value, delta and gamma of the right to exercise before expiry but not now.

    Args:
        contracts: The contracts, with positive spot.
        volatility: Positive, a fraction a year.
        refinement: How many times as many steps as usual.

    Returns:
        Shape (3, contracts), per share.
    """
    out = np.empty((3, volatility.size))
    chunk = max(1, _CHUNK // refinement)
    wide = volatility * contracts.root_years > WIDE
    for steps, rows in ((STEPS, np.flatnonzero(~wide)), (WIDE_STEPS, np.flatnonzero(wide))):
        for start in range(0, rows.size, chunk):
            some = rows[start : start + chunk]
            part, deviation = contracts.take(some), volatility[some]
            counts = steps * refinement, steps * refinement // 2
            fine, coarse = (_of_steps(part, deviation, count) for count in counts)
            out[:, some] = 2.0 * fine - coarse
    return out


def _of_steps(contracts: Contracts, volatility: Floats, steps: int) -> Floats:
    """American minus European value, delta and gamma on one tree; exercise now is left out."""
    sign, spot, strike, years, rate, dividend_yield = contracts
    dt = years / steps
    spread = volatility * np.sqrt(dt)
    up = 1.0 / (1.0 + np.exp(spread))
    one_step = np.exp(-rate * dt)
    to_up, to_down = up * one_step, (1.0 - up) * one_step
    drift = np.exp(np.arange(steps)[:, np.newaxis] * (rate - dividend_yield) * dt)
    exponents = np.arange(1 - steps, steps)[:, np.newaxis] * spread
    levels = sign * spot * np.exp(np.clip(exponents, -_FARTHEST, _FARTHEST))
    signed_strike = sign * strike

    def exercise(step: int, out: Floats) -> Floats:
        """What exercise gives, negative out of the money; node j is (2j - step)·spread off the forward."""
        np.multiply(levels[steps - 1 - step : steps + step : 2], drift[step], out=out)
        return np.subtract(out, signed_strike, out=out)

    work = np.empty((steps, spot.size))
    payoff = exercise(steps - 1, work)
    nodes = _last_step(contracts, payoff, dt, volatility)
    held_two = _european_nodes(nodes, up, rate * dt)
    np.maximum(nodes, payoff, out=nodes)
    for step in range(steps - 2, 1, -1):
        inner = nodes[: step + 1]
        from_above = np.multiply(nodes[1 : step + 2], to_up, out=work[: step + 1])
        np.multiply(inner, to_down, out=inner)
        np.add(inner, from_above, out=inner)
        np.maximum(inner, exercise(step, from_above), out=inner)

    two = nodes[:3]
    one = np.maximum(two[1:] * to_up + two[:2] * to_down, exercise(1, work[:2]))
    held_one = held_two[1:] * to_up + held_two[:2] * to_down
    gain_two, gain_one = two - held_two, one - held_one

    moves = np.exp(np.arange(-2, 3)[:, np.newaxis] * spread)
    down, level, above = spot * drift[2] * moves[[0, 2, 4]]
    bend = (gain_two[2] - gain_two[1]) / (above - level) - (gain_two[1] - gain_two[0]) / (level - down)
    # A change of spot now is a change of spot·drift later, discounted: the slopes scale with both.
    carry = np.exp(-dividend_yield * dt)
    delta = carry * (gain_one[1] - gain_one[0]) / (spot * drift[1] * (moves[3] - moves[1]))
    gamma = carry * carry * drift[2] * bend / (0.5 * (above - down))
    return np.stack([gain_one[1] * to_up + gain_one[0] * to_down, delta, gamma])


def _last_step(contracts: Contracts, payoff: Floats, dt: Floats, volatility: Floats) -> Floats:
    """European values one step before expiry: Black-Scholes beside the strike, its limits elsewhere."""
    sign, _, strike, _, rate, dividend_yield = contracts
    signed_spot = payoff + sign * strike
    out = np.maximum(signed_spot * np.exp(-dividend_yield * dt) - sign * strike * np.exp(-rate * dt), 0.0)
    nearest = np.argmin(np.abs(payoff), axis=0)
    window = np.arange(-_BESIDE_STRIKE, _BESIDE_STRIKE + 1)[:, np.newaxis] + nearest
    window = np.clip(window, 0, len(payoff) - 1)
    near = sign * np.take_along_axis(signed_spot, window, axis=0)
    columns = np.broadcast_arrays(sign, near, strike, dt, rate, dividend_yield, volatility)
    *terms, deviation = (column.reshape(-1) for column in columns)
    smooth = european.value(Contracts(*terms), deviation)
    np.put_along_axis(out, window, smooth.reshape(near.shape), axis=0)
    return out


def _european_nodes(last: Floats, up: Floats, rate_step: Floats) -> Floats:
    """The tree's European values at the three nodes after two steps: binomial sums of the last ones."""
    count = len(last) - 3
    ups = np.arange(count + 1)[:, np.newaxis]
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])[:, np.newaxis]
    log_ways = log_factorial[-1] - log_factorial - log_factorial[::-1]
    weights = np.exp(log_ways + ups * np.log(up) + (count - ups) * np.log1p(-up) - count * rate_step)
    return np.stack([np.einsum("jm,jm->m", weights, last[low : low + count + 1]) for low in range(3)])
