"""Schwab: all accounts or one, a table for each account below its label; old and new headings.

The first line is like `"Positions for account Individual ...123 as of 06:04 PM ET, 2025/05/08"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import is_total, keeps_total, read_rows, reported
from quotewell.portfolio.positions import Position

__all__ = ["Schwab"]

_HEADINGS = {
    "symbol": ("symbol",),
    "description": ("description", "name"),
    "quantity": ("qty (quantity)", "quantity"),
    "price": ("price",),
    "value": ("mkt val (market value)", "market value"),
    "cost_basis": ("cost basis",),
    "asset_type": ("asset type", "security type"),
}
_REQUIRED = ("symbol", "quantity", "value")
_CURRENCY = "USD"
_TITLE = "positions for"
_NAMED_IN_TITLE = re.compile(r"positions for account (?P<account>.+?) as of", re.IGNORECASE)
# `Brokerage XXXX-1234`, `Name ...1111`
_MASKED = re.compile(r".*(?:\.{3}|…|X{2,}-?)\s*[0-9]{2,4}")
_NEW_VALUE = "mkt val (market value)"
_OF_OTHERS = frozenset(("account", "account name", "account number", "currency"))
_BOND = "fixed income"


class Schwab:
    """Reads Schwab's export of positions."""

    broker = "Schwab"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header: below a title, or by its heading `Mkt Val (Market Value)`, or by a type of asset.

        The last is not enough where accounts or currencies have columns: such a table is somebody's own.
        """
        columns = find_columns(rows, _HEADINGS, _REQUIRED)
        if columns is None:
            return None
        headings = {key(cell) for cell in columns.header.cells}
        is_titled = any(_is_title(row) for row in rows if row.line < columns.header.line)
        is_typed = "asset_type" in columns.index and not headings & _OF_OTHERS
        return columns if is_titled or _NEW_VALUE in headings or is_typed else None

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:  # noqa: ARG002  each account has its own
        """Sort the rows of all accounts into positions and rejected rows; totals are kept as stated."""
        for account, header, body in _sections(rows, file):
            read_rows(header, body, file, partial(_entry, file, account))


def _sections(rows: Iterable[Row], file: ImportedFile) -> Iterator[tuple[str | None, Columns, list[Row]]]:
    """Each account's label, header and rows; the title dates the file and may name the account."""
    said = [row for row in rows if not row.is_blank]
    account: str | None = None
    header: Columns | None = None
    body: list[Row] = []
    is_titled = False
    for row, following in zip(said, [*said[1:], None], strict=True):
        own = find_columns([row], _HEADINGS, _REQUIRED)
        label = _label(row, following, may_be_any=is_titled or header is not None)
        if own is None and label is None and not _is_title(row):
            body.append(row)
            continue
        if header is not None:
            yield account, header, body
        body = []  # above the first header: filters and the like
        if own is not None:
            header = own
        elif label is not None:
            account = label
        else:
            is_titled = True
            file.as_of = as_of_in_text(row.text) or file.as_of
            named = _NAMED_IN_TITLE.search(",".join(row.cells))
            account = named["account"].strip() if named else None
    if header is not None:
        yield account, header, body


def _is_title(row: Row) -> bool:
    return row.text.lstrip('" ').lower().startswith(_TITLE)


def _label(row: Row, following: Row | None, *, may_be_any: bool) -> str | None:
    """The account that a line of one cell names: by its masked number, or because a header follows it."""
    text = row.cells[0].strip() if row.cells else ""
    if not text or any(cell.strip() for cell in row.cells[1:]) or is_total(text):
        return None
    leads = following is not None and find_columns([following], _HEADINGS, _REQUIRED) is not None
    return text if _MASKED.fullmatch(text) or (leads and may_be_any) else None


def _entry(file: ImportedFile, account: str | None, columns: Columns, row: Row) -> Position | None:
    if keeps_total(file, columns, row, account):
        return None
    said = reported(columns, row, _CURRENCY)
    said["account"] = account
    if key(columns.text(row, "asset_type")) != _BOND:
        return position_of(said)
    if said["value"] is None:
        raise RowError("a bond without a value: its price is per 100 of face value")
    return position_of(said, "unknown")
