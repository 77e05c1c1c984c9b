"""American options: value, Greeks, bounds and implied volatility, for a whole batch of contracts at once.

The engine is a binomial tree on the forward: u, d = exp((r - q)·Δt ± v) with v = volatility·√Δt, so that
the probability 1 / (1 + e^v) is one for every volatility. Three refinements:

- the last step is a Black-Scholes value, and two step sizes are extrapolated: BBSR of Broadie and
  Detemple, "American option valuation", Review of Financial Studies 9 (1996), 1211-1250;
- the tree gives only the difference to its own European value, added to the exact one (control variate,
  Hull and White 1988);
- it is the continuation value that is extrapolated, and compared with exercise only afterwards: the
  maximum has a kink that the extrapolation must not see.

Against QuantLib's QdFp engine (high precision) ordinary contracts are within 3e-5·S in value and 1e-3 in
delta; on a wide domain (yields to 40 %, volatilities to 180 %) the worst of 150 were 2e-4·S and 3e-3,
beside the exercise boundary. Prices and volatilities are one-dimensional columns beside `Contracts`.
"""

from __future__ import annotations

import numpy as np

from quotewell.analytics import european
from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.contracts import Contracts, Greeks
from quotewell.analytics.european import MAX_TOTAL_VOLATILITY
from quotewell.analytics.tree import tree_premium

STEPS = 256
"""Steps of the finer tree; the other has half as many."""

WIDE_STEPS = 768
"""The same where volatility·√T is above `WIDE`, so that nodes do not lie too far apart."""

WIDE = 1.5
"""Volatility until expiry: 150 % over a year, or 75 % over four."""

_CHUNK = 128  # contracts at a time: about 1 MB of nodes, whatever the size of the book
_SMALLEST_TOTAL_VOLATILITY = 1e-7
_VOLATILITY_BUMP = 0.05  # of the volatility itself
_RATE_BUMP = 0.001
_EDGE = 0.01 / STEPS  # of the cost of waiting until expiry: so exact is the extrapolation in the region
_SOLVER_STEPS = 80
_PRICE_TOLERANCE = 1e-10  # of spot or strike


def is_european(sign: Floats, rate: Floats, dividend_yield: Floats) -> Bools:
    """Whether early exercise can never pay: a call with q ≤ 0 ≤ r, a put with r ≤ 0 ≤ q."""
    is_call = sign > 0.0
    earned = np.where(is_call, dividend_yield, rate)
    forgone = np.where(is_call, rate, dividend_yield)
    return np.asarray((earned <= 0.0) & (forgone >= 0.0))


def bounds(contracts: Contracts) -> tuple[Floats, Floats]:
    """The values at zero and at infinite volatility.

    Without volatility the holder exercises at the best moment of a known path. With infinite volatility a
    call is worth the share and a put the strike, paid for now or at expiry, whichever is worth more.
    """
    sign, spot, strike, years, rate, dividend_yield = contracts
    lower, _ = _best_exercise(contracts)
    carried = spot * np.exp(np.maximum(-dividend_yield * years, 0.0))
    discounted = strike * np.exp(np.maximum(-rate * years, 0.0))
    return lower, np.where(sign > 0.0, carried, discounted)


def delta_without_volatility(contracts: Contracts) -> Floats:
    """The limit of delta as volatility goes to zero: full if the best moment pays, half if it is even."""
    lower, when = _best_exercise(contracts)
    at_best = _path_value(contracts, when)
    weight = np.where(lower > 0.0, 1.0, np.where(at_best == 0.0, 0.5, 0.0))
    return contracts.sign * weight * np.exp(-contracts.dividend_yield * when)


def in_exercise_region(contracts: Contracts) -> Bools:
    """Whether some volatility makes immediate exercise best, so that the value is intrinsic.

    True in the money, where waiting costs more than it earns (q·S > r·K for a call, r·K > q·S for a put)
    and no later moment of the path without volatility is worth more than the present one.
    """
    lower, _ = _best_exercise(contracts)
    return (contracts.intrinsic > 0.0) & (_waiting_cost(contracts) > 0.0) & (lower <= contracts.intrinsic)


def value(contracts: Contracts, volatility: Floats) -> Floats:
    """Price per share; zero volatility and zero spot give their limits."""
    out, _ = _best_exercise(contracts)
    risky = (volatility * contracts.root_years > _SMALLEST_TOTAL_VOLATILITY) & (contracts.spot > 0.0)
    if risky.any():
        held, deviation = contracts.take(risky), volatility[risky]
        continuation = european.value(held, deviation) + np.maximum(_premium(held, deviation)[0], 0.0)
        out[risky] = np.maximum(continuation, held.intrinsic)
    return out


def greeks(contracts: Contracts, volatility: Floats) -> Greeks:
    """Price and Greeks per share, for positive volatility and spot.

    Delta and gamma are read off the tree, theta comes from the Black-Scholes equation, vega and rho are
    the European ones plus the central difference of the premium for early exercise. Inside the exercise
    region the value is intrinsic, delta ±1 and the others 0. At its edge gamma jumps, and the nodes of the
    tree see both sides of it: gamma is raised to the least that keeps theta from being positive, which
    theta never is, since a longer life includes the shorter one.
    """
    sign, spot, _, _, rate, dividend_yield = contracts
    step = _VOLATILITY_BUMP * volatility
    higher, lower = (contracts._replace(rate=rate + bump) for bump in (_RATE_BUMP, -_RATE_BUMP))
    moved = [
        (contracts, volatility),
        (contracts, volatility + step),
        (contracts, volatility - step),
        (higher, volatility),
        (lower, volatility),
    ]
    batch = Contracts(*(np.concatenate(column) for column in zip(*(pair[0] for pair in moved), strict=True)))
    deviation = np.concatenate([pair[1] for pair in moved])
    blocks = _premium(batch, deviation).reshape(3, len(moved), spot.size)
    premium, premium_delta, premium_gamma = np.maximum(blocks[0], 0.0), blocks[1], blocks[2]
    exact = european.greeks(contracts, volatility)
    continuation = exact.value + premium[0]
    edge = _EDGE * np.maximum(_waiting_cost(contracts), 0.0) * contracts.years
    exercised = continuation <= contracts.intrinsic + edge
    price = np.maximum(continuation, contracts.intrinsic)
    vega = np.maximum(exact.vega + (premium[1] - premium[2]) / (2.0 * step), 0.0)
    rho = exact.rho + (premium[3] - premium[4]) / (2.0 * _RATE_BUMP)
    delta = np.where(exercised, sign, exact.delta + premium_delta[0])
    half_variance = 0.5 * np.square(volatility * spot)
    carried = rate * price - (rate - dividend_yield) * spot * delta
    gamma = np.maximum(exact.gamma + premium_gamma[0], np.maximum(carried / half_variance, 0.0))
    theta = np.minimum(carried - half_variance * gamma, 0.0)
    others = (np.where(exercised, 0.0, figure) for figure in (gamma, vega, theta, rho))
    return Greeks(price, delta, *others)


def implied_volatility(contracts: Contracts, price: Floats) -> Floats:
    """The volatility at which `value` gives each price, by Chandrupatla's bracketed method on the batch.

    An American option is worth at least the European one, so the European implied volatility bounds the
    root from above. Source: Chandrupatla, "A new hybrid quadratic/bisection algorithm", Advances in
    Engineering Software 28 (1997), 145-149.

    Returns:
        Volatilities; NaN where the price is not strictly between the bounds or needs more than
        `MAX_TOTAL_VOLATILITY`.
    """
    lower, _ = bounds(contracts)
    ceiling = european.implied_volatility(contracts, price)
    ceiling = np.where(np.isnan(ceiling), MAX_TOTAL_VOLATILITY / contracts.root_years, ceiling)
    excess = value(contracts, ceiling) - price
    tolerance = _PRICE_TOLERANCE * np.maximum(contracts.spot, contracts.strike)
    out = np.where(np.abs(excess) <= tolerance, ceiling, np.nan)
    rows = (price > lower) & (excess > tolerance)
    if rows.any():
        out[rows] = _bracketed_root(
            contracts.take(rows),
            price[rows],
            tolerance[rows],
            ceiling[rows],
            (excess[rows], (lower - price)[rows]),
        )
    return out


def _bracketed_root(
    contracts: Contracts,
    price: Floats,
    tolerance: Floats,
    ceiling: Floats,
    excess: tuple[Floats, Floats],
) -> Floats:
    """Solve value = price between volatility 0 and `ceiling`, where value - price is `excess` (high, low).

    a is the newest point, b the one on the other side of the root, c the one before; settled rows drop out.
    """
    root = ceiling.copy()
    rows = np.arange(ceiling.size)
    a, b = ceiling, np.zeros_like(ceiling)
    f_a, f_b = excess
    with np.errstate(divide="ignore", over="ignore"):
        newton = f_a / (european.greeks(contracts, ceiling).vega * ceiling)
    fraction = np.clip(newton, 0.02, 0.98)
    for _ in range(_SOLVER_STEPS):
        x = a + fraction * (b - a)
        f_x = value(contracts, x) - price
        same_side = (f_x > 0.0) == (f_a > 0.0)
        c, f_c = np.where(same_side, a, b), np.where(same_side, f_a, f_b)
        b, f_b = np.where(same_side, b, a), np.where(same_side, f_b, f_a)
        a, f_a = x, f_x
        best = np.where(np.abs(f_a) <= np.abs(f_b), a, b)
        root[rows] = best
        resolution = 1e-13 * best / np.abs(b - a)
        active = (np.minimum(np.abs(f_a), np.abs(f_b)) > tolerance) & (resolution < 0.5)
        if not active.any():
            break
        fraction = np.clip(_inverse_quadratic(a, f_a, b, f_b, c, f_c), resolution, 1.0 - resolution)
        contracts, rows = contracts.take(active), rows[active]
        price, tolerance, fraction = price[active], tolerance[active], fraction[active]
        a, f_a, b, f_b = a[active], f_a[active], b[active], f_b[active]
    return root


def _inverse_quadratic(a: Floats, f_a: Floats, b: Floats, f_b: Floats, c: Floats, f_c: Floats) -> Floats:
    """Where between a (0) and b (1) to look next: the parabola's root where it can be trusted, else half."""
    with np.errstate(divide="ignore", invalid="ignore"):
        xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        parabola = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        parabola += (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    trusted = (phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi) & np.isfinite(parabola)
    return np.where(trusted, parabola, 0.5)


def _waiting_cost(contracts: Contracts) -> Floats:
    """What delaying exercise by a year costs, per share: a yield forgone less interest earned, or reverse."""
    return contracts.sign * (contracts.dividend_yield * contracts.spot - contracts.rate * contracts.strike)


def _path_value(contracts: Contracts, when: Floats) -> Floats:
    """Present value of exercising after `when` years if spot only grows at r - q; may be negative."""
    sign, spot, strike, _, rate, dividend_yield = contracts
    return sign * (spot * np.exp(-dividend_yield * when) - strike * np.exp(-rate * when))


def _best_exercise(contracts: Contracts) -> tuple[Floats, Floats]:
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


def _premium(contracts: Contracts, volatility: Floats) -> Floats:
    """Value, delta and gamma of the right to exercise before expiry but not now; shape (3, contracts)."""
    out = np.empty((3, volatility.size))
    wide = volatility * contracts.root_years > WIDE
    for steps, rows in ((STEPS, np.flatnonzero(~wide)), (WIDE_STEPS, np.flatnonzero(wide))):
        for start in range(0, rows.size, _CHUNK):
            some = rows[start : start + _CHUNK]
            part, deviation = contracts.take(some), volatility[some]
            fine, coarse = (tree_premium(part, deviation, count) for count in (steps, steps // 2))
            out[:, some] = 2.0 * fine - coarse
    return out
