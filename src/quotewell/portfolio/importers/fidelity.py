"""Fidelity: `Portfolio_Positions_Mmm-dd-yyyy.csv`, one table with the account on each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quotewell.portfolio.importers.amounts import AmountError, parse_amount
from quotewell.portfolio.importers.columns import Columns, find_columns
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import Reported, position_of
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.positions import PendingActivity

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
    "leg": ("type",),
}
_REQUIRED = ("symbol", "description", "quantity", "price", "value")
_ACCOUNT = ("account", "account_name")
_CURRENCY = "USD"
_DOWNLOADED = "date downloaded"
_PENDING = "pending activity"
_NUMBERS = ("quantity", "price", "value")
_SENTENCE = 4


class Fidelity:
    """Reads Fidelity's export; the account columns may be missing."""

    broker = "Fidelity"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by `Symbol`, `Description`, `Quantity`, `Last Price` and `Current Value`."""
        return find_columns(rows, _HEADINGS, _REQUIRED)

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows of the file into positions, pending activity and rejected rows."""
        prose: list[Row] = []
        for row in rows:
            if _DOWNLOADED in row.text.lower():
                file.as_of = as_of_in_text(row.text) or file.as_of
            elif row.line <= columns.header.line or _is_padding(columns, row) or columns.repeats_header(row):
                continue
            elif _is_prose(columns, row):
                prose.append(row)
            else:
                # Sentences after the last row are a footer; among the rows they are rows gone wrong.
                file.reject_all(prose, "text among the rows")
                prose.clear()
                _add(columns, row, file)
        file.notes.extend(row.text.strip() for row in prose)


def _add(columns: Columns, row: Row, file: ImportedFile) -> None:
    try:
        columns.check(row)
        if _PENDING in (columns.text(row, "symbol").lower(), columns.text(row, "description").lower()):
            file.add(_pending(columns, row))
        else:
            file.add(position_of(_reported(columns, row)))
    except RowError as error:
        file.reject(row, str(error))


def _is_padding(columns: Columns, row: Row) -> bool:
    """Whether the row is blank but for account cells; a line of one cell only is no row of the table."""
    if columns.text(row, "symbol"):
        return False
    account = {columns.index[field] for field in _ACCOUNT if field in columns.index and len(row.cells) > 1}
    said = any(cell.strip() for index, cell in enumerate(row.cells) if index not in account)
    return not said and row.fault is None


def _is_prose(columns: Columns, row: Row) -> bool:
    """Whether a row begins with a sentence, is shorter than the table, and has no number in its place."""
    first = next((cell for cell in row.cells if cell.strip()), "")
    if len(first.split()) < _SENTENCE:
        return False
    said = [cell for cell in row.cells if cell.strip()]
    is_short = len(said) == 1 or len(row.cells) < len(columns.header.cells)
    return is_short and not any(_is_number(columns.text(row, field)) for field in _NUMBERS)


def _is_number(text: str) -> bool:
    try:
        return parse_amount(text) is not None
    except AmountError:
        return False


def _pending(columns: Columns, row: Row) -> PendingActivity:
    """The amount stands under `Current Value`, or one column to the left of it."""
    shifted = Columns(columns.header, {"value": columns.index["value"] - 1})
    amount = columns.amount(row, "value")
    if amount is None:
        amount = shifted.amount(row, "value")
    if amount is None:
        raise RowError("pending activity without an amount")
    return PendingActivity(
        description=columns.text(row, "description") or columns.text(row, "symbol"),
        value=amount,
        account=columns.text(row, "account") or None,
        account_name=columns.text(row, "account_name") or None,
        currency=_CURRENCY,
        line=row.line,
    )


def _reported(columns: Columns, row: Row) -> Reported:
    return {
        "raw_symbol": columns.raw(row, "symbol"),
        "description": columns.text(row, "description"),
        "quantity": columns.amount(row, "quantity"),
        "price": columns.amount(row, "price"),
        "value": columns.amount(row, "value"),
        "cost_basis": columns.amount(row, "cost_basis"),
        "account": columns.text(row, "account") or None,
        "account_name": columns.text(row, "account_name") or None,
        "currency": _CURRENCY,
        "leg": columns.text(row, "leg") or None,
        "line": row.line,
    }
