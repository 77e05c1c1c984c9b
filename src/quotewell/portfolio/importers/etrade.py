"""E*TRADE: an account summary, the view and its filters, then a table whose columns depend on the view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.lots import Lots
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import cost_of, dated, keeps_total, read_rows, reported
from quotewell.portfolio.positions import Position

__all__ = ["ETrade"]

_HEADINGS = {
    "account": ("account", "account number"),
    "symbol": ("symbol",),
    "description": ("description",),
    "quantity": ("qty #", "quantity #", "quantity", "qty"),
    "price": ("last price $", "last price"),
    "value": ("value $", "market value $", "market value"),
    "cost_basis": ("total cost $", "total cost"),
    "average_cost": ("price paid $", "cost/share $", "cost/share"),
}
_OWN_HEADINGS = frozenset(
    (
        *("change $", "day's gain $", "last price $", "market value $"),
        *("price paid $", "qty #", "total gain $", "value $"),
    )
)
_SUMMARY = ("account", "net account value")
_GENERATED = "generated at"
_CURRENCY = "USD"
# A tax lot stands below its position, with the day it was bought in place of the symbol.
_LOT = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ETrade:
    """Reads E*TRADE's `PortfolioDownload.csv`."""

    broker = "E*TRADE"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by `Symbol` and two of the headings that only E*TRADE has, such as `Qty #`."""
        for row in rows:
            if len(_OWN_HEADINGS.intersection(map(key, row.cells))) < 2:
                continue
            columns = find_columns([row], _HEADINGS, ("symbol",))
            if columns is not None:
                return columns
        return None

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort the table's rows into positions and rejected rows; the account's total is kept as stated."""
        above: list[Row] = []
        below: list[Row] = []
        for row in dated(rows, file, _GENERATED):
            (above if row.line < columns.header.line else below).append(row)
        totals = _net_values(above, file)
        account = next(iter(totals)) if len(totals) == 1 else None
        read_rows(columns, _without_lots(columns, below, file), file, partial(_entry, file, account))
        for name, total in totals.items():
            if total is not None:
                file.stated_totals.setdefault(name, total)


def _net_values(above: Sequence[Row], file: ImportedFile) -> dict[str, float | None]:
    """Net value by account, from the summary above the table; None where it gives none."""
    values: dict[str, float | None] = {}
    summary: Columns | None = None
    for row in above:
        if summary is None:
            if tuple(map(key, row.cells[:2])) == _SUMMARY:
                summary = Columns(row, {"account": 0, "net_account_value": 1})
        elif (
            sum(1 for cell in row.cells if cell.strip()) < 2
        ):  # a blank line, or the line that names the view
            if values:
                break
        else:
            account = summary.text(row, "account")
            values[account] = None
            try:
                values[account] = summary.amount(row, "net_account_value")
            except RowError as error:
                file.reject(row, str(error))
    return values


def _without_lots(columns: Columns, rows: Iterable[Row], file: ImportedFile) -> Iterator[Row]:
    """The rows less those of tax lots, which repeat what the position above them says."""
    position: Row | None = None
    lots = Lots()
    for row in rows:
        if position is not None and _is_lot(columns, row):
            lots.add_lot(columns, row, position)
            continue
        if row.line > columns.header.line and not row.is_blank:
            position = row
            lots.add_position(columns, row)
        yield row
    lots.compare(file)
    if lots.rows:
        file.notes.append(f"{lots.rows} rows of tax lots repeat what their positions say")


def _is_lot(columns: Columns, row: Row) -> bool:
    raw = columns.raw(row, "symbol")
    return _LOT.fullmatch(raw.strip()) is not None or (raw[:1].isspace() and raw.strip() == "--")


def _entry(file: ImportedFile, account: str | None, columns: Columns, row: Row) -> Position | None:
    if keeps_total(file, columns, row, account):
        return None
    if _is_lot(columns, row):
        raise RowError("a tax lot without its position")
    said = reported(columns, row, _CURRENCY)
    said["account"] = said["account"] or account
    position = position_of(said)
    if position.cost_basis is None:
        position.cost_basis = cost_of(position, columns.amount(row, "average_cost"))
    return position
