"""Option values, Greeks and implied volatilities, against QuantLib and against a pass over the arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import QuantLib as ql  # noqa: N813 - the alias of its own documentation

from bench.measure import Row, cpu_seconds, quotients, times
from quotewell.analytics.arrays import Floats
from quotewell.analytics.options import solve
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.american import DEFAULT
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.whatif import Legs, OptionLegs, pnl

__all__ = ["options"]

_OURS = 10_000
_THEIRS = 200  # contracts of the same book: the other library takes one at a time
_FINITE_DIFFERENCES = 20
_EUROPEAN = 1_000_000
_ROUNDS = 7
_SPOT_STEP = 1e-3
_MOVED = 4_000
_MOVES = np.linspace(-0.2, 0.2, 41)


class Book(NamedTuple):
    """Ordinary American contracts, a third of them calls, with their volatilities."""

    contracts: Contracts
    volatility: Floats

    def take(self, count: int) -> Book:
        """The first contracts."""
        return Book(self.contracts.take(slice(count)), self.volatility[:count])


def options(_folder: Path) -> Iterator[Row]:
    """All rows about options."""
    book = _book(_OURS)
    yield from _american(book)
    yield from _implied(book)
    yield _what_if(book.take(_MOVED))
    yield _european(_book(_EUROPEAN))


def _american(book: Book) -> Iterator[Row]:
    some = book.take(_THEIRS)
    ours, all_greeks, theirs = times(
        _ROUNDS,
        lambda: DEFAULT.spot_greeks(*book),
        lambda: DEFAULT.greeks(*book),
        lambda: _with_requotes(some),
    )
    each, other = _per_contract(ours, _OURS), _per_contract(theirs, _THEIRS)
    measure = "QuantLib `QdFpAmericanEngine`, fast scheme: price, delta, gamma"
    yield Row(
        measure=measure,
        against="ours, a contract of 10,000",
        values=quotients(other, each),
        at_least=5.0,
        note=f"{min(other) * 1e6:.0f} µs against {min(each) * 1e6:.0f} µs a contract at best",
    )
    yield Row(
        measure=measure,
        against="ours with theta, vega and rho too",
        values=quotients(other, _per_contract(all_greeks, _OURS)),
    )


def _implied(book: Book) -> Iterator[Row]:
    contracts, volatility = book
    sign, spot, strike, years, rate, dividend_yield = contracts
    prices = DEFAULT.value(contracts, volatility)
    solvable = prices > DEFAULT.bounds(contracts)[0] + 0.01
    contracts, prices = contracts.take(solvable), prices[solvable]
    sign, spot, strike, years, rate, dividend_yield = contracts
    few, more = (contracts.take(slice(count)) for count in (_FINITE_DIFFERENCES, _THEIRS))
    ours, grids, brent = times(
        _ROUNDS,
        lambda: solve(sign > 0, True, spot, strike, years, prices, rate, dividend_yield),
        lambda: _implied_by_grids(few, prices),
        lambda: _implied_by_brent(more, prices),
    )
    each = _per_contract(ours, prices.size)
    measure, against = "QuantLib `impliedVolatility`, American", "ours with five Greeks, a contract"
    slow, quick = _per_contract(grids, _FINITE_DIFFERENCES), _per_contract(brent, _THEIRS)
    note = f"{min(slow) * 1e6:,.0f} µs against {min(each) * 1e6:.0f} µs a contract at best"
    yield Row(measure=measure, against=against, values=quotients(slow, each), at_least=50.0, note=note)
    yield Row(
        measure="Brent's method on `QdFpAmericanEngine`, fast scheme, no Greeks",
        against=against,
        values=quotients(quick, each),
    )


def _what_if(book: Book) -> Row:
    """The whole what-if, both lines, against the value at another spot of an option that is already built."""
    legs = _legs(book)
    some = book.take(_THEIRS)
    built = [_with_engine(quoted) for quoted in _each(*some)]

    def requotes() -> None:
        for quoted, spot in zip(built, some.contracts.spot.tolist(), strict=True):
            for move in _MOVES.tolist():
                quoted.spot.setValue(spot * (1.0 + move))
                quoted.option.NPV()

    ours, theirs = times(_ROUNDS, lambda: pnl(_MOVES, legs), requotes, clock=cpu_seconds)
    each, other = _per_contract(ours, _MOVED * _MOVES.size), _per_contract(theirs, _THEIRS * _MOVES.size)
    return Row(
        measure="spot re-quote of a built option, `QdFpAmericanEngine`, fast scheme",
        against="what-if of 41 moves with its scenario line, an option and move",
        values=quotients(other, each),
        at_least=8.0,
        note=f"{min(other) * 1e6:.1f} µs against {min(each) * 1e6:.2f} µs at best",
    )


def _legs(book: Book) -> Legs:
    """One contract of each, by the beta of its underlying's own move."""
    sign, spot, strike, years, rate, dividend_yield = book.contracts
    one, every = np.ones_like(spot), np.ones(spot.size, dtype=np.bool_)
    terms = OptionLegs(
        is_option=every,
        is_call=sign > 0.0,
        american=every,
        strike=strike,
        years=years,
        volatility=book.volatility,
        rate=rate,
        dividend_yield=dividend_yield,
        multiplier=100.0 * one,
        shares=100.0 * one,
        cash=0.0 * one,
        exercise=~every,
        ex_dates=np.zeros((0, one.size)),
        amounts=np.zeros((0, one.size)),
    )
    return Legs(quantity=one, spot=spot, beta=one, fx=one, exposure=spot, options=terms)


def _european(book: Book) -> Row:
    contracts, volatility = book

    def one_pass() -> None:
        for array in (*contracts, volatility, *figures):
            array.sum()

    figures = european.greeks(contracts, volatility)
    ours, reading = times(_ROUNDS, lambda: european.greeks(contracts, volatility), one_pass)
    return Row(
        measure="European price and five Greeks, 1,000,000 contracts",
        against="one pass over the seven arrays read and the six written",
        values=quotients(ours, reading),
        at_most=30.0,
        note=f"{min(ours) / _EUROPEAN * 1e9:.0f} ns a contract at best",
    )


def _book(count: int) -> Book:
    draw = np.random.default_rng(20160419)
    spot, years = draw.uniform(20, 500, count), draw.uniform(0.02, 2.0, count)
    volatility = draw.uniform(0.12, 0.7, count)
    strike = spot * np.exp(draw.normal(0.0, 0.6, count) * volatility * np.sqrt(years))
    sign = np.where(draw.random(count) < 1 / 3, 1.0, -1.0)
    rate, dividend_yield = draw.uniform(0.01, 0.06, count), draw.uniform(0.002, 0.05, count)
    return Book(Contracts(sign, spot, strike, years, rate, dividend_yield), volatility)


def _per_contract(seconds: list[float], count: int) -> list[float]:
    return [elapsed / count for elapsed in seconds]


class _Quoted(NamedTuple):
    """One contract in the other library's objects."""

    option: ql.VanillaOption
    process: ql.BlackScholesMertonProcess
    spot: ql.SimpleQuote
    volatility: ql.SimpleQuote


def _quoted(terms: tuple[float, ...], deviation: float, today: ql.Date) -> _Quoted:
    sign, price, strike, years, rate, dividend_yield = terms
    days = ql.Actual365Fixed()
    spot, volatility = ql.SimpleQuote(price), ql.SimpleQuote(deviation)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot),
        ql.YieldTermStructureHandle(ql.FlatForward(today, dividend_yield, days)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, days)),
        ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(volatility), days)
        ),
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
    exercise = ql.AmericanExercise(today, today + max(1, round(years * 365)))
    return _Quoted(ql.VanillaOption(payoff, exercise), process, spot, volatility)


def _each(contracts: Contracts, volatility: Floats) -> Iterator[_Quoted]:
    today = ql.Date(2, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    for terms, deviation in zip(np.column_stack(contracts).tolist(), volatility.tolist(), strict=True):
        yield _quoted(tuple(terms), deviation, today)


def _with_engine(quoted: _Quoted) -> _Quoted:
    scheme = ql.QdFpAmericanEngine.fastScheme()
    quoted.option.setPricingEngine(ql.QdFpAmericanEngine(quoted.process, scheme))
    return quoted


def _with_requotes(book: Book) -> None:
    """The value at three spots, from which come delta and gamma."""
    for quoted in _each(*book):
        _with_engine(quoted).option.NPV()
        spot = quoted.spot.value()
        for factor in (1.0 + _SPOT_STEP, 1.0 - _SPOT_STEP):
            quoted.spot.setValue(spot * factor)
            quoted.option.NPV()


def _implied_by_grids(contracts: Contracts, prices: Floats) -> None:
    guess = np.full(contracts.spot.size, 0.3)
    for quoted, price in zip(_each(contracts, guess), prices.tolist(), strict=False):
        try:
            quoted.option.impliedVolatility(price, quoted.process)
        except RuntimeError:  # days are whole there, so that a price may have no volatility
            continue


def _implied_by_brent(contracts: Contracts, prices: Floats) -> None:
    guess = np.full(contracts.spot.size, 0.3)
    solver = ql.Brent()
    for quoted, price in zip(_each(contracts, guess), prices.tolist(), strict=False):
        _with_engine(quoted)

        def excess(volatility: float, quoted: _Quoted = quoted, price: float = price) -> float:
            quoted.volatility.setValue(volatility)
            return float(quoted.option.NPV()) - price

        try:
            solver.solve(excess, 1e-6, 0.3, 0.01, 3.0)
        except RuntimeError:
            continue
