"""Implied volatilities and Greeks of American options on shares that pay dividends, against QuantLib."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import QuantLib as ql  # noqa: N813 - the alias of its own documentation

from bench.measure import Row, quotients, times
from quotewell.analytics.arrays import Floats, Integers
from quotewell.analytics.options import solve, value
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.dividends import Dividends

__all__ = ["dividends"]

_OURS = 10_000
_THEIRS = 50  # contracts of the same book: the other library takes one at a time
_ROUNDS = 5
_YEAR = 365
_QUARTER = 91
_GUESS = 0.3


class Book(NamedTuple):
    """Ordinary American contracts, a third of them calls, each with a dividend before expiry at least."""

    contracts: Contracts
    first_ex_day: Integers
    amount: Floats
    price: Floats

    def take(self, rows: Integers | slice) -> Book:
        """Some of the contracts."""
        return Book(self.contracts.take(rows), *(column[rows] for column in self[1:]))

    @property
    def dividends(self) -> Dividends:
        """Quarterly, until the longest contract expires."""
        return _quarterly(self.first_ex_day, self.amount)


def dividends(_folder: Path) -> Iterator[Row]:
    """All rows about known dividends."""
    book = _book(_OURS)
    few = book.take(slice(_THEIRS))
    ours, theirs = times(_ROUNDS, lambda: _implied(book), lambda: _implied_by_grids(few))
    each, other = [one / book.price.size for one in ours], [one / _THEIRS for one in theirs]
    yield Row(
        measure="QuantLib `impliedVolatility`, American with quarterly dividends",
        against="ours with five Greeks, a contract",
        values=quotients(other, each),
        at_least=20.0,
        note=f"{min(other) * 1e6:,.0f} µs against {min(each) * 1e6:.0f} µs a contract at best",
    )


def _implied(book: Book) -> None:
    sign, spot, strike, years, rate, dividend_yield = book.contracts
    solve(sign > 0, True, spot, strike, years, book.price, rate, dividend_yield, dividends=book.dividends)


def _implied_by_grids(book: Book) -> None:
    """With the engine that the other library takes by itself, on 100 × 100 nodes."""
    today, days = ql.Date(2, 1, 2025), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def flat(level: float) -> ql.YieldTermStructureHandle:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, level, days))

    terms = np.column_stack([*book.contracts, *book[1:]]).tolist()
    for sign, spot, strike, years, rate, dividend_yield, first, amount, price in terms:
        life = round(years * _YEAR)
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            flat(dividend_yield),
            flat(rate),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), _GUESS, days)),
        )
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        exercise = ql.AmericanExercise(today, today + life)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, strike), exercise)
        ex_days = range(int(first), life + 1, _QUARTER)
        schedule = ql.DividendVector([today + day for day in ex_days], [amount] * len(ex_days))
        try:
            option.impliedVolatility(price, process, schedule)
        except RuntimeError:  # its grid is coarse, so that a price may have no volatility there
            continue


def _book(count: int) -> Book:
    draw = np.random.default_rng(20261126)
    spot, days = draw.uniform(20, 500, count), draw.integers(8, 730, count)
    years, volatility = days / _YEAR, draw.uniform(0.12, 0.7, count)
    strike = spot * np.exp(draw.normal(0.0, 0.6, count) * volatility * np.sqrt(years))
    sign = np.where(draw.random(count) < 1 / 3, 1.0, -1.0)
    rate = draw.uniform(0.01, 0.06, count)
    contracts = Contracts(sign, spot, strike, years, rate, np.zeros(count))
    first = draw.integers(1, np.minimum(_QUARTER, days), endpoint=True)
    amount = spot * draw.uniform(0.0005, 0.01, count)
    price = value(
        sign > 0, True, spot, strike, years, volatility, rate, 0.0, dividends=_quarterly(first, amount)
    )
    intrinsic = np.maximum(contracts.intrinsic, 0.0)
    worth_it = np.flatnonzero(price > intrinsic + 0.01 + amount)  # so that there is a volatility to find
    return Book(contracts, first, amount, price).take(worth_it)


def _quarterly(first: Integers, amount: Floats) -> Dividends:
    when = first + _QUARTER * np.arange(8)[:, np.newaxis]
    return Dividends(when / _YEAR, np.broadcast_to(amount, when.shape))
