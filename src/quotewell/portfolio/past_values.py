"""What today's shares were worth at the closes of the last sessions, from closes that are kept for betas.

Nothing else of a book has such a past: of options there are no closes, and who held what on another day the
file does not say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np

from quotewell.analytics.arrays import Floats, Integers
from quotewell.calendars import close_of, day_of
from quotewell.portfolio.columns import STOCK, Columns
from quotewell.records import Closes, History, Need, Record

__all__ = ["ClosesSource", "PastValues", "past_values", "read_past_values"]

_SESSIONS = 60
_FEWEST = 20
"""Fewer sessions are no history."""
_OLDEST = 7
"""Days after which the close before a holiday is one of a history that has ended."""
_LEAST_SHARE = 0.5
"""Of the book: what says nothing of its larger part does not stand beside its value."""


@runtime_checkable
class ClosesSource(Protocol):
    """A ticker source that keeps closes, and hands them out without asking anybody."""

    def stored_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """Daily closes by symbol, adjusted for splits; symbols without any are left out."""

    def stored(self, needs: Iterable[Need]) -> dict[Need, Record]:
        """The records that there are, however old."""


class PastValues(msgspec.Struct, frozen=True, kw_only=True):
    """Today's shares, at today's exchange rates, at the closes of other days."""

    dates: tuple[dt.date, ...]
    """Sessions, oldest first."""
    values: tuple[float, ...]
    """Base currency."""
    share: float
    """Of the absolute value of all rows but cash and pending: what the shares in it are."""
    missing: tuple[str, ...]
    """Symbols of shares without closes on all of these days."""
    converted: bool
    """Whether there are other currencies than the base currency in it."""


def read_past_values(columns: Columns, source: object) -> PastValues | None:
    """`past_values` of a valued book with the closes that its ticker source keeps, if it keeps any."""
    if not isinstance(source, ClosesSource):
        return None
    symbols = columns.symbols(columns.is_kind(STOCK))
    currencies = {
        need[0]: record.currency
        for need, record in source.stored([(symbol, "history") for symbol in symbols]).items()
        if isinstance(record, History)
    }
    return past_values(columns, source.stored_closes(symbols), currencies)


def past_values(
    columns: Columns, closes: Mapping[str, Closes], currencies: Mapping[str, str | None]
) -> PastValues | None:
    """The value of today's shares at each of the last 60 closes before the valuation.

    A day counts on which shares of more than half of their value were traded; on it, one whose exchange was
    closed has its last close.

    Args:
        columns: The valued book.
        closes: By symbol, adjusted for splits.
        currencies: Of the closes; only those in the currency of a row's price count for it.

    Returns:
        None where there are fewer than 20 such days, the last is more than a week old, or the shares in it
        are less than half of the book.
    """
    at = columns.snapshot.at
    if at is None:
        return None
    shares = _shares(columns, currencies)
    sizes = {symbol: float(np.abs(columns.value[rows]).sum()) for symbol, rows in shares.items()}
    series = {symbol: _until(closes[symbol], at) for symbol in shares if symbol in closes}
    days = _sessions(series, sizes)
    if len(days) < _FEWEST or day_of(at) - days[-1] > _OLDEST:
        return None
    values, covered, converted = np.zeros(len(days)), 0.0, False
    missing = list(columns.symbols(columns.is_kind(STOCK)))
    for symbol, known in series.items():
        prices = _on(days, known)
        if prices is None:
            continue
        rows = shares[symbol]
        values += prices * float((columns.quantity[rows] * columns.fx[rows]).sum())
        covered += sizes[symbol]
        converted |= bool((columns.fx[rows] != 1.0).any())
        missing.remove(symbol)
    share = covered / _size(columns)
    if share < _LEAST_SHARE:
        return None
    return PastValues(
        dates=tuple(dt.date.fromordinal(day) for day in days.tolist()),
        values=tuple(values.tolist()),
        share=share,
        missing=tuple(missing),
        converted=converted,
    )


def _shares(columns: Columns, currencies: Mapping[str, str | None]) -> dict[str, list[int]]:
    """The rows of each symbol of valued shares whose closes are in the currency of their price."""
    found: dict[str, list[int]] = {}
    left_out = set()
    for row in np.flatnonzero(columns.is_kind(STOCK)).tolist():
        symbol, currency = columns.symbol(row), columns.currency[row]
        if np.isnan(columns.value[row]) or currency is None or currencies.get(symbol) != currency:
            left_out.add(symbol)
        found.setdefault(symbol, []).append(row)
    return {symbol: rows for symbol, rows in found.items() if symbol not in left_out}


def _until(closes: Closes, at: float) -> tuple[Integers, Floats]:
    """Days and closes up to an instant, in the shares of that day: later splits are undone."""
    today = day_of(at)
    # The last days alone are asked for their close: an instant's day has one soon after.
    known = len(closes.dates)
    while known and (
        closes.dates[known - 1] > today or close_of(dt.date.fromordinal(closes.dates[known - 1])) > at
    ):
        known -= 1
    undo = float(np.prod([split.ratio for split in closes.splits if split.date > today]))
    return np.asarray(closes.dates[:known], np.int64), np.asarray(closes.closes[:known]) * undo


def _sessions(series: Mapping[str, tuple[Integers, Floats]], sizes: Mapping[str, float]) -> Integers:
    """The last days on which more than half of the value was traded, oldest first."""
    if not series:
        return np.zeros(0, np.int64)
    days = np.concatenate([dates for dates, _ in series.values()])
    weights = np.concatenate([np.full(len(dates), sizes[symbol]) for symbol, (dates, _) in series.items()])
    distinct, place = np.unique(days, return_inverse=True)
    traded = np.bincount(place, weights, len(distinct))
    return np.asarray(distinct[traded > 0.5 * sum(sizes[symbol] for symbol in series)][-_SESSIONS:])


def _on(days: Integers, known: tuple[Integers, Floats]) -> Floats | None:
    """The last close on or before each day; None where there is none for a week."""
    dates, closes = known
    place = np.searchsorted(dates, days, side="right") - 1
    if not len(dates) or place[0] < 0 or (days - dates[place] > _OLDEST).any():
        return None
    return np.asarray(closes[place])


def _size(columns: Columns) -> float:
    """Absolute values of all rows that move; the broker's where there is no other."""
    rows = columns.has_exposure
    value = columns.value[rows]
    sizes = np.abs(np.where(np.isnan(value), columns.reported_value[rows], value))
    return float(sizes[~np.isnan(sizes)].sum())
