"""Why a row's value differs from the broker's: parts that add up to the difference, row by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.summary import DifferenceParts

__all__ = ["RowDifferences", "row_differences"]


class RowDifferences(NamedTuple):
    """For each row of a book the parts of `value - reported value`, in base currency; 0 where none is.

    A row that only one side values differs by its whole value. The fields are those of `DifferenceParts`.
    """

    price: Floats
    disputed: Floats
    fx: Floats
    unpriced: Floats
    unreported: Floats
    rounding: Floats

    @property
    def total(self) -> Floats:
        """The difference of each row."""
        return np.asarray(np.sum(self, axis=0), dtype=np.float64)

    def of(self, rows: Bools | int) -> DifferenceParts:
        """The sums over some rows, or the parts of one."""
        return DifferenceParts(
            **{name: float(part[rows].sum()) for name, part in zip(self._fields, self, strict=True)}
        )


def row_differences(columns: Columns) -> RowDifferences:
    """Where both sides value a row: price move, exchange rate, and the rest; else the whole value."""
    value, reported, at_brokers_price = columns.value, columns.reported_value, columns.reported_price_value
    valued, stated = ~np.isnan(value), ~np.isnan(reported)
    both = valued & stated
    disputed = columns.has(Flag.DISPUTED)
    priced = both & ~np.isnan(at_brokers_price)
    # At the broker's exchange rate, what is left of the difference is the price's.
    same_rate = value * columns.reported_fx / columns.fx
    stated_price = np.where(priced, at_brokers_price, reported)
    return RowDifferences(
        price=_where(both, same_rate - stated_price),
        disputed=_where(priced & disputed, at_brokers_price - reported),
        fx=_where(both, value - same_rate),
        unpriced=_where(stated & ~valued, -reported),
        unreported=_where(valued & ~stated, value),
        rounding=_where(priced & ~disputed, at_brokers_price - reported),
    )


def _where(rows: Bools, figures: Floats) -> Floats:
    return np.where(rows, figures, 0.0)
