"""Option values, implied volatilities and Greeks for whole portfolios, with a status for every contract.

A volatility is solved only where one reproduces the price, and never assumed; the rules for the others
are in `pricing.implied`. Three engines share the work. On continuous rates and yields, European
contracts have a closed form, as have American ones that can never gain by early exercise; the other American
ones are valued by their exercise boundary. Contracts whose underlying pays known dividends before expiry are
solved on a grid, whatever their style.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quotewell.analytics.arrays import Bools, Floats, Integers, flatten
from quotewell.analytics.pricing import european as european_engine
from quotewell.analytics.pricing.american import ENGINES, AccuracyName
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.discrete import Discrete
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.analytics.pricing.exercise import is_european
from quotewell.analytics.pricing.implied import Engine, Inversion, Status, Statuses

__all__ = ["TICK", "Solved", "Status", "solve", "value"]

TICK = 0.01
"""Half-spread taken where none is known: one tick, per share."""

_ONE_DAY = 1.0 / 365.0
_BLOCK = 32_768  # contracts at a time: bounds the memory, whatever the size of the book


class Solved(NamedTuple):
    """Implied volatility and Greeks per share, arrays of the broadcast shape; NaN is unknown.

    Attributes:
        status: `Status` codes (int8).
        volatility: Implied volatility, a fraction a year; known only where the status is `Status.OK`.
        delta: ∂V/∂S.
        gamma: ∂²V/∂S², per 1.00 of spot.
        vega: ∂V/∂volatility, per 1.00 of volatility (÷ 100 for a volatility point).
        theta: ∂V/∂t, per year and negative for decay (÷ 365 for a calendar day).
        rho: ∂V/∂r, per 1.00 of rate (÷ 10,000 for a basis point).
    """

    status: Statuses
    volatility: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats


def value(
    is_call: npt.ArrayLike,
    american: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    volatility: npt.ArrayLike,
    rate: npt.ArrayLike,
    dividend_yield: npt.ArrayLike,
    *,
    dividends: Dividends | None = None,
    accuracy: AccuracyName = "default",
) -> Floats:
    """Model price per share.

    Args:
        is_call: True for calls, False for puts.
        american: True where early exercise is allowed.
        spot: Price of the underlying, per share; 0 is allowed.
        strike: Strike, in the currency of the spot.
        years: Time to expiry. For a day from 0 downward the value is intrinsic and only spot and strike are
            needed; after that it is NaN.
        volatility: Fraction a year; 0 gives the value without risk.
        rate: Continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year, beside the dividends.
        dividends: Known cash dividends per share, each array of shape (events, ...) with dimensions after
            the first that broadcast with the other arguments, so that a grid of spots may share them.
        accuracy: Of American values without dividends: "default" is within 1e-5 of spot for ordinary
            contracts and 5e-5 for extreme ones, "high" within 1e-6 and 1e-5, at several times the cost.
            With dividends values are within 1e-4.

    Returns:
        Prices of the broadcast shape; NaN where an input is NaN, infinite or out of its domain.
    """
    terms = (is_call, american, spot, strike, years, rate, dividend_yield)
    columns, shape = flatten(*terms, volatility)
    contracts, early = _styled(columns[:-1])
    deviation = columns[-1]
    placed = _finite(contracts.spot, contracts.strike) & (contracts.spot >= 0.0) & (contracts.strike > 0.0)
    out = np.full(deviation.shape, np.nan)
    over = placed & (contracts.years <= 0.0) & (contracts.years >= -_ONE_DAY)
    out[over] = np.maximum(contracts.intrinsic[over], 0.0)
    alive = placed & (contracts.years > 0.0) & (deviation >= 0.0) & _finite(*contracts, deviation)
    paid = _laid_out(dividends, shape)
    for engine, rows in _by_engine(contracts, early, paid, alive, accuracy):
        out[rows] = engine.value(contracts.take(rows), deviation[rows])
    return out.reshape(shape)


def solve(
    is_call: npt.ArrayLike,
    american: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    price: npt.ArrayLike,
    rate: npt.ArrayLike,
    dividend_yield: npt.ArrayLike,
    *,
    half_spread: npt.ArrayLike | None = None,
    dividends: Dividends | None = None,
    accuracy: AccuracyName = "default",
) -> Solved:
    """Implied volatility and Greeks from matched pairs of option price and underlying price.

    Args:
        is_call: True for calls, False for puts.
        american: True where early exercise is allowed.
        spot: Price of the underlying, per share.
        strike: Strike, in the currency of the spot.
        years: Time to expiry. At or below 0 neither price nor rates are needed. For a day such a contract
            is `EXPIRES_TODAY`: a caller who knows that its date is past marks it expired before that.
        price: Option price per share, of the same source and moment as the spot.
        rate: Continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year.
        half_spread: Half of ask - bid, per share; `TICK` where NaN or None.
        dividends: Known cash dividends, as in `value`.
        accuracy: Of American contracts, as in `value`.

    Returns:
        Arrays of the broadcast shape.
    """
    terms = (is_call, american, spot, strike, years, rate, dividend_yield)
    columns, shape = flatten(*terms, price, np.nan if half_spread is None else half_spread)
    contracts, early = _styled(columns[:-2])
    paid, half = columns[-2], np.where(columns[-1] >= 0.0, columns[-1], TICK)
    placed = _finite(contracts.spot, contracts.strike) & (contracts.spot > 0.0) & (contracts.strike > 0.0)
    status = np.full(paid.shape, Status.MISSING_INPUT, dtype=np.int8)
    figures = np.full((6, paid.size), np.nan)

    over = placed & (contracts.years <= 0.0)
    status[over] = Status.EXPIRES_TODAY
    figures[:, over] = _payoff_figures(np.where(contracts.intrinsic > 0.0, contracts.sign, 0.0)[over])
    expired = contracts.years < -_ONE_DAY
    status[expired] = Status.EXPIRED
    figures[:, expired] = np.nan

    alive = placed & (contracts.years > 0.0) & (paid >= 0.0) & _finite(*contracts, paid)
    for engine, rows in _by_engine(contracts, early, _laid_out(dividends, shape), alive, accuracy):
        own = contracts.take(rows)
        status[rows], figures[:, rows] = _solve_alive(engine, own, paid[rows], half[rows])
    return Solved(status.reshape(shape), *(figure.reshape(shape) for figure in figures))


def _solve_alive(
    engine: Engine, contracts: Contracts, price: Floats, half_spread: Floats
) -> tuple[Statuses, Floats]:
    """Statuses, and the six figures of `Solved` as rows, of contracts of one style before expiry."""
    inversion = Inversion(engine, contracts)
    status = np.full(price.shape, Status.OK, dtype=np.int8)
    figures = inversion.figures(price)
    solved = ~np.isnan(figures[0])

    exercise = ~solved & inversion.at_intrinsic(price)
    status[exercise] = Status.EXERCISE
    figures[:, exercise] = _payoff_figures(contracts.sign[exercise])

    rest = ~solved & ~exercise
    if rest.any():
        across = inversion.take(rest).delta_across_spread(price[rest], half_spread[rest])
        status[rest], figures[1, rest] = across
    return status, figures


def _payoff_figures(delta: Floats) -> Floats:
    """The figures of contracts that are worth what exercising them gives: only spot moves them."""
    zero = np.zeros_like(delta)
    return np.stack([np.full_like(delta, np.nan), delta, zero, zero, zero, zero])


def _styled(columns: list[Floats]) -> tuple[Contracts, Bools]:
    """The contracts, and whether early exercise is allowed."""
    is_call, american, *terms = columns
    return Contracts(np.where(is_call != 0.0, 1.0, -1.0), *terms), american != 0.0


def _laid_out(dividends: Dividends | None, shape: tuple[int, ...]) -> Dividends | None:
    """One column for each contract."""
    if dividends is None or not len(dividends.when):
        return None
    events = (len(dividends.when), *shape)
    columns = (np.broadcast_to(_aligned(column, len(shape)), events) for column in dividends)
    return Dividends(*(np.ascontiguousarray(column).reshape(len(column), -1) for column in columns))


def _aligned(column: Floats, dimensions: int) -> Floats:
    """With dimensions of length 1 between events and contracts, as broadcasting adds them in front."""
    events, *rest = column.shape
    return column.reshape(events, *(1,) * (dimensions - len(rest)), *rest)


def _by_engine(
    contracts: Contracts, american: Bools, dividends: Dividends | None, alive: Bools, accuracy: AccuracyName
) -> Iterator[tuple[Engine, Integers]]:
    """Each engine with the rows that are its own."""
    pays = np.zeros_like(alive)
    if dividends is not None:
        pays[alive] = dividends.take(alive).counts(contracts.years[alive]) > 0
        for rows in _in_blocks(alive & pays):
            yield Discrete(american[rows], dividends.take(rows)), rows
    never = is_european(contracts.sign, contracts.rate, contracts.dividend_yield)
    for rows in _in_blocks(alive & ~pays & american & ~never):
        yield ENGINES[accuracy], rows
    for rows in _in_blocks(alive & ~pays & (~american | never)):
        yield european_engine, rows


def _in_blocks(chosen: Bools) -> Iterator[Integers]:
    rows = np.flatnonzero(chosen)
    for start in range(0, rows.size, _BLOCK):
        yield rows[start : start + _BLOCK]


def _finite(*columns: Floats) -> Bools:
    return np.asarray(np.isfinite(columns).all(axis=0))
