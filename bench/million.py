"""A made-up book of a million positions, and a cache that knows all that its report reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.sample import store, symbols
from quotewell.analytics.arrays import Floats, Integers
from quotewell.analytics.pricing.american import DEFAULT
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.calendars import close_of
from quotewell.records import Dividend, DividendEvent, Profile, Quote, Rate, Risk
from quotewell.symbols import occ

__all__ = ["AT", "FULL", "BookSize", "MillionBook", "make_book", "store_market", "write_csv"]

DAY = dt.date(2025, 5, 8)
AT = close_of(DAY)
"""The valuation instant, epoch seconds."""

_EXPIRIES = (8, 22, 43, 71, 134, 225, 253, 617)  # days from `DAY`, all Fridays but for nothing that matters
_RATE = 0.043
_ACCOUNTS = 2_000
_YEAR = 365.0
_BLOCK = 50_000


class BookSize(NamedTuple):
    """How large a book is made."""

    positions: int
    contracts: int
    underlyings: int


FULL = BookSize(1_000_000, 300_000, 10_000)


class MillionBook(NamedTuple):
    """Instruments with their prices, and which of them each position holds."""

    stocks: list[str]
    spot: Floats
    dividend_yield: Floats
    options: list[str]
    underlying: Integers
    """Index into `stocks`, of each option."""
    price: Floats
    held: Integers
    """Of each position: index into `stocks`, or, above their number, into `options`."""
    quantity: Floats


def make_book(size: BookSize = FULL) -> MillionBook:
    """Three fifths of the rows hold an option; it is worth what the model says at some volatility.

    A third of the underlyings pays no dividend, so that a call on it is never exercised early.
    """
    draw = np.random.default_rng(20250508)
    stocks = symbols(size.underlyings)
    spot = np.round(draw.uniform(10.0, 500.0, size.underlyings), 2)
    dividend_yield = np.where(
        draw.random(size.underlyings) < 1 / 3, 0.0, draw.uniform(0.003, 0.05, size.underlyings)
    )
    underlying = np.sort(draw.integers(0, size.underlyings, size.contracts))
    expiry = draw.integers(0, len(_EXPIRIES), size.contracts)
    years = np.array(_EXPIRIES)[expiry] / _YEAR
    deviation = draw.uniform(0.15, 0.7, size.contracts)
    far = draw.normal(0.0, 0.8, size.contracts) * deviation * np.sqrt(years)
    strike = np.maximum(np.round(spot[underlying] * np.exp(far), 1), 0.5)
    is_call = draw.random(size.contracts) < 0.5
    contracts = Contracts(
        np.where(is_call, 1.0, -1.0), spot[underlying], strike, years,
        np.full(size.contracts, _RATE), dividend_yield[underlying],
    )  # fmt: skip
    price = np.empty(size.contracts)
    for start in range(0, size.contracts, _BLOCK):
        rows = slice(start, start + _BLOCK)
        price[rows] = DEFAULT.value(contracts.take(rows), deviation[rows])
    days = [DAY + dt.timedelta(days=count) for count in _EXPIRIES]
    options = [
        occ(stocks[one], days[when], "C" if call else "P", level)
        for one, when, call, level in zip(
            underlying.tolist(), expiry.tolist(), is_call.tolist(), strike.tolist(), strict=True
        )
    ]
    of_options = size.positions * 3 // 5
    held = (
        np.concatenate(
            [
                np.arange(size.contracts),
                draw.integers(0, size.contracts, of_options - size.contracts),
            ]
        )
        + size.underlyings
    )
    held = np.concatenate([held, draw.integers(0, size.underlyings, size.positions - of_options)])
    held = draw.permutation(held)
    quantity = draw.integers(1, 50, size.positions) * np.where(draw.random(size.positions) < 0.4, -1.0, 1.0)
    return MillionBook(stocks, spot, dividend_yield, options, underlying, price, held, quantity)


def write_csv(book: MillionBook, path: Path) -> None:
    """The book as a plain table; an account has neighbouring rows."""
    names = [*book.stocks, *book.options]
    rows = len(book.held)
    with path.open("w", encoding="utf-8") as file:
        file.write("symbol,quantity,account\n")
        file.writelines(
            f"{names[one]},{quantity:.0f},Z{row * _ACCOUNTS // rows}\n"
            for row, (one, quantity) in enumerate(
                zip(book.held.tolist(), book.quantity.tolist(), strict=True)
            )
        )


def store_market(book: MillionBook, folder: Path) -> None:
    """Quotes, profiles, betas, yields and the curve, as a provider would have said them at `AT`."""
    store(folder, "quote", _quotes(book))
    known = {"source": "yahoo", "fetched_at": AT, "as_of": AT}
    measured = {"method": "ols_daily", "benchmark": "^GSPC", "n": 504, **known}
    profiles = [
        Profile(symbol=name, name=name, type="stock", currency="USD", **known) for name in book.stocks
    ]
    store(folder, "profile", profiles)
    store(folder, "risk", [
        Risk(symbol=name, beta=1.0 + (row % 100 - 50) / 80, **measured)
        for row, name in enumerate(book.stocks)
    ])  # fmt: skip
    paid = zip(book.stocks, book.dividend_yield.tolist(), book.spot.tolist(), _dated(book), strict=True)
    store(folder, "dividend", [
        Dividend(symbol=name, dividend_yield=part, events=_quarterly(part * spot / 4, dated), **known)
        for name, part, spot, dated in paid
    ])  # fmt: skip
    curve = {"^IRX": 0.25, "^FVX": 5.0, "^TNX": 10.0, "^TYX": 30.0}
    store(folder, "rate", [
        Rate(symbol=name, years=years, rate=_RATE, **known) for name, years in curve.items()
    ])  # fmt: skip


def _dated(book: MillionBook) -> list[bool]:
    """Of which stocks the dividends are known by their dates: of every tenth, if it pays any."""
    pays = book.dividend_yield > 0.0
    return ((np.arange(len(book.stocks)) % 10 == 0) & pays).tolist()


def _quarterly(amount: float, dated: bool) -> tuple[DividendEvent, ...]:
    """Paid every quarter for a year, the last time a month ago; the next ones are projected."""
    if not dated:
        return ()
    days = [DAY - dt.timedelta(days=30 + 91 * quarter) for quarter in (3, 2, 1, 0)]
    return tuple(DividendEvent(day.toordinal(), round(amount, 4), "USD", declared=True) for day in days)


def _quotes(book: MillionBook) -> list[Quote]:
    return [*_priced(book.stocks, book.spot), *_priced(book.options, book.price)]


def _priced(names: list[str], prices: Floats) -> Iterator[Quote]:
    for name, price in zip(names, prices.tolist(), strict=True):
        yield Quote(symbol=name, source="yahoo", as_of=AT, fetched_at=AT, last=price, currency="USD")
