"""A book against its broker's figures: three totals, and every difference between them explained by rows.

The broker's total, the total at the broker's own prices, and the total at the service's. From the first to
the second lead rows whose quantity times price is not the value that the file gives; from the second to the
third price moves, exchange rates, and rows that only one side values. Formulas are in `differences`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quotewell.analytics.arrays import Bools
from quotewell.portfolio.columns import KINDS, Columns
from quotewell.portfolio.differences import RowDifferences, row_differences
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.importers.stated import StatedTotal, stated_totals
from quotewell.portfolio.report import instant
from quotewell.portfolio.summary import DifferenceParts
from quotewell.portfolio.totals import known_sum

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio

__all__ = ["AccountTotals", "Reconciliation", "RowDifference", "reconcile"]

_LEAST = 0.005
"""Half a cent, in base currency: a smaller difference is one of rounding."""


class RowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One row whose value is not the broker's; amounts in base currency."""

    symbol: str
    kind: str
    account: str | None
    line: int | None
    broker_value: float | None
    at_broker_price: float | None
    """Quantity times the broker's price, at the broker's exchange rate."""
    value: float | None
    difference: float
    parts: DifferenceParts
    suspected_split: bool
    """The price and the broker's differ by the ratio of a split: the row is held back."""


class AccountTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The three totals of some rows, in base currency; None where nothing is known."""

    account: str | None
    """None for the whole book, and for rows that name no account."""
    rows: int
    broker: float | None
    """What the broker's values add up to."""
    at_broker_prices: float | None
    """Quantities times the broker's prices; the broker's value of rows without a price."""
    value: float | None
    """At the service's prices."""
    difference: float | None
    """`value - broker`."""
    parts: DifferenceParts
    """They add up to the difference."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What `quotewell reconcile` says; `docs/json.md` documents every key."""

    schema: int = 1
    broker: str
    file: str
    as_of: dt.datetime | None
    valuation_at: dt.datetime | None
    base_currency: str
    total: AccountTotals
    stated: tuple[StatedTotal, ...]
    """Rows of the file that are totals themselves, against the rows that they are the sums of."""
    accounts: tuple[AccountTotals, ...]
    """One for each account, in the order of the file; a single one for a file of one account."""
    differences: tuple[RowDifference, ...]
    """Rows that differ by half a cent or more, the largest first."""
    not_valued: tuple[str, ...]
    """Symbols that are in the broker's total and not in ours."""
    suspected_splits: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]
    """Rows that could not be read, and are in none of the totals."""

    @property
    def agrees(self) -> bool:
        """Whether the file agrees with itself, and every row of it could be read and valued."""
        parts = self.total.parts
        doubts = self.rejected or self.not_valued or self.suspected_splits
        return not (doubts or abs(parts.disputed) >= _LEAST) and all(total.agrees for total in self.stated)


def reconcile(book: Portfolio) -> Reconciliation:
    """Compare a book with what its broker says it is worth."""
    columns = book.value()
    differences = row_differences(columns)
    accounts = [entry.account or entry.account_name for entry in columns.entries]
    names = np.array([account or "" for account in accounts], dtype=object)
    unpriced = differences.unpriced != 0.0
    return Reconciliation(
        broker=book.file.broker,
        file=book.file.path,
        as_of=instant(book.as_of),
        valuation_at=instant(columns.snapshot.at),
        base_currency=book.basis.base_currency,
        total=_totals(columns, differences, np.ones(len(accounts), dtype=np.bool_), None),
        stated=stated_totals(book.file),
        accounts=tuple(
            _totals(columns, differences, np.asarray(names == (account or "")), account)
            for account in dict.fromkeys(accounts)
        ),
        differences=_rows(columns, differences),
        not_valued=columns.symbols(unpriced),
        suspected_splits=columns.symbols(columns.has(Flag.CORPORATE_ACTION)),
        rejected=tuple(book.rejected),
    )


def _totals(columns: Columns, differences: RowDifferences, rows: Bools, account: str | None) -> AccountTotals:
    reported, at_prices = columns.reported_value[rows], columns.reported_price_value[rows]
    broker = None if np.isnan(reported).all() else known_sum(reported)
    value = known_sum(columns.value[rows])
    return AccountTotals(
        account=account,
        rows=int(rows.sum()),
        broker=broker,
        at_broker_prices=known_sum(np.where(np.isnan(at_prices), reported, at_prices)),
        value=value,
        difference=None if value is None or broker is None else value - broker,
        parts=differences.of(rows),
    )


def _rows(columns: Columns, differences: RowDifferences) -> tuple[RowDifference, ...]:
    totals = differences.total
    several = np.max([np.abs(part) for part in differences], axis=0, initial=0.0) >= _LEAST
    order = np.flatnonzero(several | columns.has(Flag.CORPORATE_ACTION))
    order = order[np.argsort(-np.abs(totals[order]), kind="stable")]
    found = []
    for row in order.tolist():
        entry = columns.entries[row]
        found.append(
            RowDifference(
                symbol=columns.symbol(row),
                kind=KINDS[int(columns.kind[row])],
                account=entry.account or entry.account_name,
                line=entry.line,
                broker_value=_known(columns.reported_value[row]),
                at_broker_price=_known(columns.reported_price_value[row]),
                value=_known(columns.value[row]),
                difference=float(totals[row]),
                parts=differences.of(row),
                suspected_split=bool(columns.flags[row] & int(Flag.CORPORATE_ACTION)),
            )
        )
    return tuple(found)


def _known(figure: float) -> float | None:
    return None if np.isnan(figure) else float(figure)
