"""A book as CSV: what the broker said, which `importers.plain` reads back equal, and what derives from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quotewell.portfolio.positions import Position

if TYPE_CHECKING:
    from quotewell.portfolio.needs import Entry
    from quotewell.portfolio.row import ValuedRow

__all__ = ["DERIVED", "REPORTED", "guarded", "to_csv", "unguarded"]

REPORTED = (
    "symbol", "quantity", "price", "value", "currency", "cost_basis", "account", "account_name",
    "description", "kind", "leg", "fx_rate", "multiplier",
)  # fmt: skip
"""Columns of what the broker said, fields of positions."""
DERIVED = (
    "market_price", "market_value", "underlying", "delta", "volatility", "beta", "exposure", "beta_adjusted",
    "flags",
)  # fmt: skip
"""Columns of what the report says; values and exposures in base currency."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GUARD = "'"


def to_csv(entries: Sequence[Entry], rows: Sequence[ValuedRow]) -> str:
    """A table with a heading line; what is unknown is blank.

    Args:
        entries: Positions and pending activity.
        rows: The same, valued.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow((*REPORTED, *DERIVED))
    for entry, row in zip(entries, rows, strict=True):
        writer.writerow([_cell(value) for value in (*_reported(entry), *_derived(row))])
    return text.getvalue()


def guarded(text: str) -> str:
    """`text` so that a spreadsheet does not take it for a formula: behind an apostrophe if need be."""
    return _GUARD + text if text.startswith((*_FORMULA, _GUARD)) else text


def unguarded(text: str) -> str:
    """What was given to `guarded`."""
    return text[1:] if text.startswith(_GUARD) and text[1:].startswith((*_FORMULA, _GUARD)) else text


def _reported(entry: Entry) -> tuple[object, ...]:
    if not isinstance(entry, Position):
        amounts = (None, None, entry.value, entry.currency, None)
        about = (entry.account, entry.account_name, entry.description, entry.kind, None, entry.fx_rate, None)
        return ("Pending Activity", *amounts, *about)
    return (
        entry.symbol, entry.quantity, entry.price, entry.value, entry.currency, entry.cost_basis,
        entry.account, entry.account_name, entry.description, entry.kind, entry.leg, entry.fx_rate,
        getattr(entry, "multiplier", None),
    )  # fmt: skip


def _derived(row: ValuedRow) -> tuple[object, ...]:
    return (
        row.price, row.value, row.underlying, row.delta, row.volatility, row.beta, row.exposure,
        row.beta_adjusted, " ".join(row.flags),
    )  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else guarded(str(value))
