"""Vanguard: `OfxDownload.csv`, a table of positions and below it one of transactions; 529 plans likewise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import keeps_total, read_rows, reported
from quotewell.portfolio.positions import Position

__all__ = ["Vanguard"]

_HEADINGS = {
    "account": ("account number", "fund account number"),
    "description": ("investment name", "fund name"),
    "symbol": ("symbol",),
    "quantity": ("shares",),
    "price": ("share price", "price"),
    "value": ("total value",),
}
_REQUIRED = ("account", "description", "quantity", "value")
_TRANSACTIONS = "trade date"
_CURRENCY = "USD"


class Vanguard:
    """Reads Vanguard's download; the funds of a 529 plan have no symbol and are worth what it says."""

    broker = "Vanguard"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by account number, name of the investment or fund, shares and total value."""
        return find_columns(rows, _HEADINGS, _REQUIRED)

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort the rows of all tables of positions; transactions are no holdings and are left out."""
        for header, body in _tables(row for row in rows if row.line >= columns.header.line):
            read_rows(header, body, file, partial(_entry, file))


def _tables(rows: Iterable[Row]) -> Iterator[tuple[Columns, list[Row]]]:
    """Header and rows of each table of positions."""
    header: Columns | None = None
    body: list[Row] = []
    for row in rows:
        own = find_columns([row], _HEADINGS, _REQUIRED)
        if own is None and _TRANSACTIONS not in map(key, row.cells):
            body.append(row)
            continue
        if header is not None:
            yield header, body
        header, body = own, []
    if header is not None:
        yield header, body


def _entry(file: ImportedFile, columns: Columns, row: Row) -> Position | None:
    if keeps_total(file, columns, row):
        return None
    return position_of(reported(columns, row, _CURRENCY))
