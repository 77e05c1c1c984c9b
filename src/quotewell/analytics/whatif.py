"""What a book gains or loses if the market moves: every position by its beta, every option by its model.

S' = S·max(0, 1 + β·x) for a market move x, or S·max(0, 1 + s) where an underlying has a shock s of its own;
rates and currencies stay as they are. Time may pass and volatilities may shift as well; without that,
volatility stays as it is in the main line, while in the second, a scenario, a fall raises it to
volatility·(1 - 1.5·x). The option engine is loaded only for books that hold options.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quotewell.analytics.arrays import Bools, Floats, Integers, distinct

VOLATILITY_RISE = 1.5
"""Relative rise of volatility, in the scenario, for one unit of relative fall of the market."""

_DAYS = 365.0
_POINT = 0.01


class Legs(NamedTuple):
    """The positions of a book as columns of one length; NaN for unknown.

    Attributes:
        quantity: Signed shares or contracts.
        spot: Price of the stock or of the option's underlying, per share, local currency.
        beta: Of the stock or of the underlying; 0 for cash.
        fx: Units of base currency for one of the local one.
        exposure: Delta-adjusted, base currency.
        options: The contract of each leg if any leg is an option.
    """

    quantity: Floats
    spot: Floats
    beta: Floats
    fx: Floats
    exposure: Floats
    options: OptionLegs | None = None


class OptionLegs(NamedTuple):
    """The options among `Legs`, as columns of the same length; only rows with `is_option` are read.

    Attributes:
        is_option: True for options.
        is_call: True for calls.
        american: True where early exercise is allowed.
        strike: Strike, local currency.
        years: Time to expiry; at or below 0 the option is worth its intrinsic value.
        volatility: Solved volatility, a fraction a year; NaN where none was solved.
        rate: Continuously compounded fraction a year.
        dividend_yield: Continuous fraction a year.
        multiplier: Premium multiplier m.
        shares: Shares delivered by one contract n.
        cash: Cash delivered by one contract beside them, local currency.
        exercise: True where the price is intrinsic in the exercise region (`Status.EXERCISE`).
        ex_dates: Years to the ex-dates of known dividends, shape (events, rows); perhaps no events.
        amounts: Of these dividends, for one unit of premium, of the same shape; 0 for none.
    """

    is_option: Bools
    is_call: Bools
    american: Bools
    strike: Floats
    years: Floats
    volatility: Floats
    rate: Floats
    dividend_yield: Floats
    multiplier: Floats
    shares: Floats
    cash: Floats
    exercise: Bools
    ex_dates: Floats
    amounts: Floats

    def take(self, rows: Integers) -> OptionLegs:
        """Some of the rows."""
        return OptionLegs._make(column[..., rows] for column in self)


class Point(NamedTuple):
    """Profit or loss of the book at one move of the market.

    Attributes:
        move: The market's simple return, a fraction.
        pnl: Sum over the known legs, base currency; None if there are legs but none is known.
        missing: Rows that are not in the sum.
        delta_pnl: What exposure alone says of the same legs: ΣE·(S'/S - 1); None if that of one is unknown.
    """

    move: float
    pnl: float | None
    missing: tuple[int, ...]
    delta_pnl: float | None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class WhatIf(NamedTuple):
    """The two lines of a what-if, one point a move.

    Attributes:
        points: At constant or shifted volatility.
        scenario: With volatility raised where the market falls.
        by_leg: Profit or loss of each leg in `points`, shape (moves, legs); NaN for unknown.
        scenario_by_leg: The same of the scenario.
    """

    points: tuple[Point, ...]
    scenario: tuple[Point, ...]
    by_leg: Floats
    scenario_by_leg: Floats


def pnl(
    moves: npt.ArrayLike,
    legs: Legs,
    *,
    shocks: Floats | None = None,
    days: float = 0.0,
    volatility: float = 0.0,
) -> WhatIf:
    """Profit or loss at each market move: q·(S' - S)·fx of stocks, q·m·(model(S') - model(S))·fx of options.

    Time that passes shortens the life of options at the moved spot. One that expires within it is worth its
    intrinsic value there: exercised or sold, not held on as shares that move further. A share gains nothing
    by time alone: at each ex-date that passes its price falls by the known dividend, which its holder gets.
    A continuous yield passes with time as it does in theta: prices do not fall by it, nor is it income.

    A leg without spot, quantity, rate of exchange, or both beta and shock is missing in every point, and so
    is an option without volatility, with two exceptions that need none. One that expires today is worth its
    intrinsic value at any spot. One in the exercise region is worth that now. It stays there where it is
    deeper in the money and volatility no higher, because that region has no end there (for a put with r > 0,
    a call with q > 0) and widens with time, and if it expires within the days; it is missing elsewhere.
    At a move of 0, without shock, days and shift, every known leg gives exactly 0.

    Args:
        moves: Simple returns of the market, fractions.
        legs: The book.
        shocks: Simple return of each leg's stock or underlying instead of beta times the move; NaN for none.
        days: Calendar days that pass, not negative.
        volatility: Shift of every volatility, in volatility points; none falls below 0.
    """
    steps = np.atleast_1d(np.asarray(moves, dtype=np.float64))
    change = legs.beta * steps[:, np.newaxis]
    if shocks is not None:
        change = np.where(np.isnan(shocks), change, shocks)
    change = np.maximum(change, -1.0)
    by_leg = legs.quantity * legs.spot * change * legs.fx + 0.0  # a short leg unmoved is 0.0, not -0.0
    scenario = by_leg.copy()
    options = legs.options
    if options is not None and options.is_option.any():
        rows = np.flatnonzero(options.is_option)
        own = options.take(rows)
        drivers = (legs.beta,) if shocks is None else (legs.beta, shocks)
        paid = (*own.ex_dates, *own.amounts)
        first, contract = distinct(*own[:-2], *paid, legs.spot[rows], *(one[rows] for one in drivers))
        alike = own.take(first)
        spot = legs.spot[rows][first]
        gains = _option_gains(
            alike, spot, spot * (1.0 + change[:, rows][:, first]), steps, _Shift(days, volatility)
        )
        contracts = (legs.quantity * legs.fx)[rows]
        by_leg[:, rows], scenario[:, rows] = (contracts * each[:, contract] + 0.0 for each in gains)
    by_delta = legs.exposure * change
    return WhatIf(_points(steps, by_leg, by_delta), _points(steps, scenario, by_delta), by_leg, scenario)


class _Shift(NamedTuple):
    """Calendar days that pass, and volatility points that are added."""

    days: float
    volatility: float

    def of(self, own: OptionLegs) -> OptionLegs:
        """The contracts after it."""
        years = np.where(own.years > 0.0, np.maximum(own.years - self.days / _DAYS, 0.0), own.years)
        volatility = np.maximum(own.volatility + self.volatility * _POINT, 0.0)
        return own._replace(years=years, volatility=volatility, ex_dates=own.ex_dates - self.days / _DAYS)

    def paid(self, own: OptionLegs) -> Floats:
        """What goes ex meanwhile, for one unit of premium."""
        passes = (own.ex_dates > 0.0) & (own.ex_dates <= self.days / _DAYS)
        return np.asarray(np.where(passes, own.amounts, 0.0).sum(axis=0))


def _option_gains(
    own: OptionLegs, spot: Floats, spots: Floats, steps: Floats, shift: _Shift
) -> tuple[Floats, Floats]:
    """What one long contract gains in the main line and in the scenario; shape (moves, contracts)."""
    falls = steps < 0.0
    rises = 1.0 - VOLATILITY_RISE * steps[falls]
    multiples = np.concatenate([np.ones(steps.size), rises])
    here, there = _deliverable(own, spot), np.maximum(_deliverable(own, spots) - shift.paid(own), 0.0)
    targets = np.vstack([there, there[falls]])
    is_shifted = shift != _Shift(0.0, 0.0)
    if is_shifted:
        now = _values(own, here[np.newaxis], np.ones(1))[0]
        then = _values(shift.of(own), targets, multiples)
    else:
        both = _values(own, np.vstack([here, targets]), np.concatenate([[1.0], multiples]))
        now, then = both[0], both[1:]

    sign = np.where(own.is_call, 1.0, -1.0)
    intrinsic = sign * (here - own.strike)
    now = np.where(own.exercise & np.isnan(now), intrinsic, now)
    gains = own.multiplier * (then - now)
    main, raised = gains[: steps.size], gains[steps.size :]
    inward = sign * (there - here)
    held = own.exercise & (np.where(own.is_call, own.dividend_yield, own.rate) > 0.0) & (inward >= 0.0)
    held &= np.isnan(main) & (shift.volatility <= 0.0)
    main = np.where(held, own.multiplier * inward, main)
    if not is_shifted:  # two evaluations of one price may differ in the last digit
        main = np.where((spots == spot) & ~np.isnan(main), 0.0, main)
    scenario = main.copy()
    scenario[falls] = raised
    return main, scenario


def _values(own: OptionLegs, deliverables: Floats, multiples: Floats) -> Floats:
    """Model prices per unit of premium, by move and contract."""
    from quotewell.analytics.repricing import Terms, reprice  # noqa: PLC0415 - a book of stocks needs no option engine

    return reprice(Terms(*(getattr(own, name) for name in Terms._fields)), deliverables, multiples)


def _deliverable(own: OptionLegs, spots: Floats) -> Floats:
    """The price of what one unit of premium delivers: (n·S + c) / m."""
    return (own.shares * spots + own.cash) / own.multiplier


def _points(moves: Floats, by_leg: Floats, by_delta: Floats) -> tuple[Point, ...]:
    points = []
    for move, gains, linear in zip(moves.tolist(), by_leg, by_delta, strict=True):
        unknown = np.isnan(gains)
        missing = tuple(np.flatnonzero(unknown).tolist())
        if gains.size and unknown.all():
            points.append(Point(move, None, missing, None))
            continue
        by_exposure = float(linear[~unknown].sum())
        points.append(
            Point(
                move,
                float(gains[~unknown].sum()),
                missing,
                None if np.isnan(by_exposure) else by_exposure + 0.0,
            )
        )
    return tuple(points)
