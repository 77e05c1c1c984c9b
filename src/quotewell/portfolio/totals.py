"""Values of a book by kind, and why they differ from the broker's."""

from __future__ import annotations

import math

import numpy as np

from quotewell.analytics.arrays import Floats
from quotewell.analytics.exposure import fraction_of_value
from quotewell.analytics.grouping import Grouping, Sums
from quotewell.portfolio.columns import CASH, OPTION, PENDING, STOCK, UNKNOWN, Columns
from quotewell.portfolio.differences import row_differences
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.holdings import encoded
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
    accounts, group = encoded(entry.account or entry.account_name or None for entry in columns.entries)
    moving = columns.has_exposure
    rows, legs = (Grouping.of(codes, len(accounts)) for codes in (group, group[moving]))
    value = rows.sums(columns.value)
    exposure, adjusted = (legs.sums(column[moving]) for column in (columns.exposure, columns.beta_adjusted))
    values, exposures, adjusteds = (
        _amounts(*one) for one in ((rows, value), (legs, exposure), (legs, adjusted))
    )
    return tuple(
        AccountRow(
            account=account,
            rows=int(rows.sizes[place]),
            value=values[place],
            share_of_value=fraction_of_value(values[place], total_value),
            exposure=exposures[place],
            beta_adjusted=adjusteds[place],
            complete=bool(value.complete[place] and exposure.complete[place]),
        )
        for place, account in enumerate(accounts)
    )


def _amounts(grouping: Grouping, sums: Sums) -> list[float | None]:
    """The sum of each group; 0 where it has no rows, None where none is known."""
    net = np.where(grouping.sizes == 0, 0.0, sums.net)
    return [None if math.isnan(amount) else amount for amount in net.tolist()]


def by_currency(columns: Columns) -> dict[str, float]:
    """Net asset value per currency, in base currency; currencies of which nothing is known are left out."""
    sums: dict[str, float] = {}
    for currency, amount in zip(columns.currency, columns.value.tolist(), strict=True):
        if currency and not math.isnan(amount):
            sums[currency] = sums.get(currency, 0.0) + amount
    return dict(sorted(sums.items()))
