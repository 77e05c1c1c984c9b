"""Merrill: one table with the account and the day of its prices (`COB Date`) on each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, find_columns
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import keeps_total, read_rows, reported, text_of
from quotewell.portfolio.positions import Position
from quotewell.symbols import parse_option

__all__ = ["Merrill"]

_HEADINGS = {
    "as_of": ("cob date",),
    "account": ("account #",),
    "account_name": ("account nickname",),
    "registration": ("account registration",),
    "symbol": ("symbol",),
    "description": ("security description",),
    "quantity": ("quantity",),
    "price": ("price ($)", "price"),
    "value": ("value ($)", "value"),
}
_REQUIRED = ("as_of", "symbol", "description", "quantity")
_CURRENCY = "USD"
_OPTION = "#"


class Merrill:
    """Reads Merrill's export of holdings."""

    broker = "Merrill"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by `COB Date`, `Symbol`, `Security Description` and `Quantity`."""
        return find_columns(rows, _HEADINGS, _REQUIRED)

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows into positions and rejected rows; the latest `COB Date` dates the file."""
        read_rows(columns, rows, file, partial(_entry, file))


def _entry(file: ImportedFile, columns: Columns, row: Row) -> Position | None:
    if keeps_total(file, columns, row):
        return None
    row_says = reported(columns, row, _CURRENCY)
    row_says["account_name"] = row_says["account_name"] or text_of(columns, row, "registration")
    # An option's symbol, such as `XYZ#B1326C425000`, codes what its description says in full.
    contract = parse_option(row_says["description"]) if _OPTION in row_says["raw_symbol"] else None
    position = position_of(row_says, contract=contract)
    as_of = as_of_in_text(columns.text(row, "as_of"))
    if as_of is not None:
        file.as_of = max(as_of, file.as_of or as_of)
    return position
