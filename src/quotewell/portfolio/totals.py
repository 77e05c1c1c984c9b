"""Values of a book by kind, and why they differ from the broker's."""

from __future__ import annotations

import math

import numpy as np

from quotewell.analytics.arrays import Floats
from quotewell.analytics.exposure import fraction_of_value
from quotewell.portfolio.columns import CASH, OPTION, PENDING, STOCK, UNKNOWN, Columns
from quotewell.portfolio.differences import row_differences
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.summary import AccountRow, DisputedRow, ValueTotals

__all__ = ["by_account", "by_currency", "disputed_rows", "known_sum", "value_totals"]


def known_sum(figures: Floats) -> float | None:
    """Sum of the known figures; None if there are figures but none is known."""
    known = figures[~np.isnan(figures)]
    return None if figures.size and not known.size else float(known.sum())


def value_totals(columns: Columns) -> ValueTotals:
    """Sums of values by kind, the broker's total, and the parts of the difference."""
    value, reported = columns.value, columns.reported_value
    total = known_sum(value)
    broker_total = None if np.isnan(reported).all() else known_sum(reported)
    differs = total is not None and broker_total is not None
    missing = np.isnan(value)
    return ValueTotals(
        stocks=known_sum(value[columns.is_kind(STOCK)]),
        options=known_sum(value[columns.is_kind(OPTION)]),
        cash=known_sum(value[columns.is_kind(CASH)]),
        pending=known_sum(value[columns.is_kind(PENDING)]),
        unknown=known_sum(value[columns.is_kind(UNKNOWN)]),
        total=total,
        complete=not missing.any(),
        missing=columns.symbols(missing),
        broker_total=broker_total,
        difference=total - broker_total if total is not None and broker_total is not None else None,
        difference_parts=row_differences(columns).of(np.ones_like(missing)) if differs else None,
    )


def disputed_rows(columns: Columns) -> tuple[DisputedRow, ...]:
    """The rows whose quantity times the broker's price is not what the broker says they are worth."""
    return tuple(
        DisputedRow(
            symbol=columns.symbol(row),
            line=columns.entries[row].line,
            computed=float(columns.reported_price_value[row]),
            reported=float(columns.reported_value[row]),
        )
        for row in np.flatnonzero(columns.has(Flag.DISPUTED)).tolist()
    )


def by_account(columns: Columns, total_value: float | None) -> tuple[AccountRow, ...]:
    """Value and net exposure of each account, in the order of the file."""
    accounts = [entry.account or entry.account_name for entry in columns.entries]
    names = np.array([account or "" for account in accounts], dtype=object)
    moving = columns.has_exposure
    found = []
    for account in dict.fromkeys(accounts):
        rows = np.asarray(names == (account or ""))
        value, exposure = columns.value[rows], columns.exposure[rows & moving]
        total = known_sum(value)
        found.append(
            AccountRow(
                account=account,
                rows=int(rows.sum()),
                value=total,
                share_of_value=None if total is None else fraction_of_value(total, total_value),
                exposure=known_sum(exposure),
                beta_adjusted=known_sum(columns.beta_adjusted[rows & moving]),
                complete=not (np.isnan(value).any() or np.isnan(exposure).any()),
            )
        )
    return tuple(found)


def by_currency(columns: Columns) -> dict[str, float]:
    """Net asset value per currency, in base currency; currencies of which nothing is known are left out."""
    sums: dict[str, float] = {}
    for currency, amount in zip(columns.currency, columns.value.tolist(), strict=True):
        if currency and not math.isnan(amount):
            sums[currency] = sums.get(currency, 0.0) + amount
    return dict(sorted(sums.items()))
