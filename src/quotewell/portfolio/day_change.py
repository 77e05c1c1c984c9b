"""What a book has gained or lost since the previous close, at today's exchange rates."""

from __future__ import annotations

import msgspec
import numpy as np

from quotewell.analytics.arrays import Floats
from quotewell.portfolio.columns import OPTION, STOCK, Columns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.totals import known_sum

__all__ = ["DayChange", "day_change", "day_changes"]


class DayChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change in base currency; None where nothing is known."""

    amount: float | None
    fraction: float | None
    """Of what the rows that are in it were worth at the previous close, shorts counted as negative."""
    complete: bool
    missing: tuple[str, ...]
    """Symbols without a fresh price and the close before it."""


def day_changes(columns: Columns) -> Floats:
    """For each row quantity · multiplier · (price - previous close) · exchange rate; NaN where unknown.

    Known only where the valuation price is a fresh quote of the market: neither the price of a broker or
    user nor a stale one says anything about a day. Cash and pending amounts do not change.
    """
    previous = np.full(len(columns.entries), np.nan)
    fresh = columns.is_kind(STOCK, OPTION) & ~columns.has(Flag.STALE | Flag.REPORTED | Flag.OVERRIDE_PRICE)
    for row in np.flatnonzero(fresh).tolist():
        found = columns.snapshot.quotes.get(columns.symbol(row))
        if found is not None and found.best.record is not None:
            close = found.best.record.previous_close
            previous[row] = np.nan if close is None else close
    return np.asarray(columns.quantity * columns.multiplier * (columns.price - previous) * columns.fx)


def day_change(columns: Columns) -> DayChange:
    """The change of the whole book."""
    rows = columns.has_exposure & ~columns.has(Flag.EXPIRED)
    changes = day_changes(columns)[rows]
    amount = known_sum(changes)
    known = ~np.isnan(changes)
    before = float((columns.value[rows][known] - changes[known]).sum())
    return DayChange(
        amount=amount,
        fraction=amount / before if amount is not None and before > 0.0 else None,
        complete=bool(known.all()),
        missing=columns.symbols(np.flatnonzero(rows)[~known]),
    )
