"""Volatilities that reproduce prices, for any way of pricing that rises with volatility.

Source: Chandrupatla, "A new hybrid quadratic/bisection algorithm", Advances in Engineering Software 28
(1997), 145-149.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers

Valuation: TypeAlias = Callable[[Integers, Floats], Floats]
"""Gives the values of some of the contracts, by their rows, at a volatility each."""

_SOLVER_STEPS = 80
_SECANTS = 6


def bracketed_root(
    value: Valuation,
    price: Floats,
    tolerance: Floats,
    ceiling: Floats,
    excess: tuple[Floats, Floats],
    vega: Floats,
) -> Floats:
    """Solve value = price between two volatilities.

    Args:
        value: What prices the contracts.
        price: What they cost.
        tolerance: How near to the price is near enough.
        ceiling: A volatility at or above the root; the other end is 0.
        excess: value - price at the ceiling, positive, and at 0, negative.
        vega: About the derivative of the value at the ceiling.

    Returns:
        Volatilities; where rounding keeps the value from coming within the tolerance, the best found.
    """
    # a is the newest point, b the one on the other side of the root, c the one before; settled rows drop out.
    root = ceiling.copy()
    rows = np.arange(ceiling.size)
    a, b = ceiling, np.zeros_like(ceiling)
    f_a, f_b = excess
    with np.errstate(divide="ignore", over="ignore"):
        newton = f_a / (vega * ceiling)
    fraction = np.clip(newton, 0.02, 0.98)
    for _ in range(_SOLVER_STEPS):
        x = a + fraction * (b - a)
        f_x = value(rows, x) - price[rows]
        same_side = (f_x > 0.0) == (f_a > 0.0)
        c, f_c = np.where(same_side, a, b), np.where(same_side, f_a, f_b)
        b, f_b = np.where(same_side, b, a), np.where(same_side, f_b, f_a)
        a, f_a = x, f_x
        best = np.where(np.abs(f_a) <= np.abs(f_b), a, b)
        root[rows] = best
        resolution = 1e-13 * best / np.abs(b - a)
        active = (np.minimum(np.abs(f_a), np.abs(f_b)) > tolerance[rows]) & (resolution < 0.5)
        if not active.any():
            break
        fraction = np.clip(_inverse_quadratic(a, f_a, b, f_b, c, f_c), resolution, 1.0 - resolution)
        rows, fraction = rows[active], fraction[active]
        a, f_a, b, f_b = a[active], f_a[active], b[active], f_b[active]
    return root


class Secants(NamedTuple):
    """Where secants have led.

    Attributes:
        root: Volatilities.
        slope: The derivative of the value as last seen near each.
        settled: For which of them the value is within the tolerance.
    """

    root: Floats
    slope: Floats
    settled: Bools


def secants(
    value: Valuation,
    price: Floats,
    tolerance: Floats,
    ceiling: Floats,
    start: Floats,
    slope: Floats,
) -> Secants:
    """Solve value = price by a few secants from a volatility that is nearly right.

    Args:
        value: What prices the contracts.
        price: What they cost.
        tolerance: How near to the price is near enough.
        ceiling: A volatility at or above the root.
        start: The volatility to start from, positive.
        slope: About the derivative of the value there.
    """
    out = Secants(start.copy(), slope.copy(), np.zeros(start.size, dtype=np.bool_))
    rows, at = np.arange(start.size), start
    excess = value(rows, at) - price
    for step in range(_SECANTS + 1):
        near = np.abs(excess) <= tolerance[rows]
        out.root[rows], out.slope[rows], out.settled[rows] = at, slope, near
        move = ~near & (slope > 0.0) & np.isfinite(slope)
        if step == _SECANTS or not move.any():
            break
        rows, before, missed = rows[move], at[move], excess[move]
        with np.errstate(over="ignore"):
            at = np.clip(before - missed / slope[move], 0.5 * before, ceiling[rows])
        excess = value(rows, at) - price[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (excess - missed) / (at - before)
    return out


def _inverse_quadratic(a: Floats, f_a: Floats, b: Floats, f_b: Floats, c: Floats, f_c: Floats) -> Floats:
    """Where between a (0) and b (1) to look next: the parabola's root where it can be trusted, else half."""
    with np.errstate(divide="ignore", invalid="ignore"):
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        parabola = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        parabola += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    trusted = (phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi) & np.isfinite(parabola)
    return np.where(trusted, parabola, 0.5)
