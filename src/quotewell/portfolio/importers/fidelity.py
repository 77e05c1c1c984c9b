"""Fidelity: `Portfolio_Positions_Mmm-dd-yyyy.csv`, accounts in one table; custom views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import takewhile

from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.outcome import PENDING_WITHOUT_AMOUNT, ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import cost_of, dated, keeps_total, read_rows, reported
from quotewell.portfolio.positions import PendingActivity, Position

__all__ = ["Fidelity"]

_HEADINGS = {
    "account": ("account number", "account name/number", "account"),
    "account_name": ("account name",),
    "symbol": ("symbol",),
    "description": ("description",),
    "quantity": ("quantity",),
    "price": ("last price",),
    "value": ("current value",),
    "cost_basis": ("cost basis total", "cost basis"),
    "average_cost": ("average cost basis",),
    "leg": ("type",),
}
_REQUIRED = ("symbol", "description", "quantity", "price", "value")
_CUSTOM_HEADINGS = {
    **_HEADINGS,
    "price": ("last",),
    "value": ("value",),
    "average_cost": ("$ avg cost",),
}
_CUSTOM_REQUIRED = ("symbol", "quantity", "price")
_OWN_TO_CUSTOM = ("$ ", "% ")
_CURRENCY = "USD"
_DOWNLOADED = "date downloaded"
_PENDING = "pending activity"


class Fidelity:
    """Reads Fidelity's export, in which the account columns may be missing, and its custom views."""

    broker = "Fidelity"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header of the export, or of a custom view (`Symbol,Quantity,Last,$ Avg Cost,Value`)."""
        columns = find_columns(rows, _HEADINGS, _REQUIRED)
        if columns is not None:
            return columns
        columns = find_columns(rows, _CUSTOM_HEADINGS, _CUSTOM_REQUIRED)
        if columns is None or not any(key(cell).startswith(_OWN_TO_CUSTOM) for cell in columns.header.cells):
            return None
        return columns

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows of the file into positions, pending activity and rejected rows."""
        rows = iter(rows)
        for row in takewhile(lambda row: row.line < columns.header.line, rows):
            file.as_of = file.as_of or as_of_in_text(row.text)
        read_rows(columns, dated(rows, file, _DOWNLOADED), file, partial(_entry, file))


def _entry(file: ImportedFile, columns: Columns, row: Row) -> Position | PendingActivity | None:
    if keeps_total(file, columns, row):
        return None
    if _PENDING in (columns.text(row, "symbol").lower(), columns.text(row, "description").lower()):
        return _pending(columns, row)
    position = position_of(reported(columns, row, _CURRENCY))
    if position.cost_basis is None:
        position.cost_basis = cost_of(position, columns.amount(row, "average_cost"))
    return position


def _pending(columns: Columns, row: Row) -> PendingActivity:
    """The amount stands under `Current Value`, or one column to the left of it."""
    amount = columns.amount(row, "value")
    if amount is None and "value" in columns.index:
        shifted = Columns(columns.header, {"value": columns.index["value"] - 1})
        amount = shifted.amount(row, "value")
    if amount is None:
        raise RowError(PENDING_WITHOUT_AMOUNT)
    return PendingActivity(
        description=columns.text(row, "description") or columns.text(row, "symbol"),
        value=amount,
        account=columns.text(row, "account") or None,
        account_name=columns.text(row, "account_name") or None,
        currency=_CURRENCY,
        line=row.line,
    )
