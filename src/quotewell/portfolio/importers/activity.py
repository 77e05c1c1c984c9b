"""Interactive Brokers' activity statements: sections, told apart by the first cell of each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, key, too_many_cells
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.flex import position_of_class
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.positions import CashPosition, Position
from quotewell.symbols import parse_option

__all__ = ["Activity"]

_POSITIONS, _CASH, _INSTRUMENTS = "Open Positions", "Cash Report", "Financial Instrument Information"
_ABOUT = ("Statement", "Account Information")
_FIELDS = {
    "level": "datadiscriminator",
    "asset": "asset category",
    "currency": "currency",
    "symbol": "symbol",
    "quantity": "quantity",
    "multiplier": "mult",
    "cost_basis": "cost basis",
    "price": "close price",
    "value": "value",
    "description": "description",
    "exchange": "listing exch",
    "item": "currency summary",
    "total": "total",
}
_CLASSES = (("option", "OPT"), ("stock", "STK"), ("fund", "STK"), ("forex", "CASH"))
_ALL_CURRENCIES = "Base Currency Summary"


class Activity:
    """Reads the open positions and the ending cash of a statement."""

    broker = "Interactive Brokers statement"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the first row of the section `Statement`, or of open positions."""
        for row in rows:
            if len(row.cells) > 2 and row.cells[1] == "Header" and row.cells[0] in ("Statement", _POSITIONS):
                return Columns(row, {})
        return None

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort positions and cash balances; the other sections are not about what is held."""
        del columns
        sections = _sections(rows, file)
        said = {row.cells[2]: row.cells[3].strip() for name in _ABOUT for _, row in sections.get(name, [])}
        account = said.get("Account") or None
        file.base_currency = said.get("Base Currency") or None
        # The period ends with the day that the prices are of.
        file.as_of = as_of_in_text(said.get("Period", "").rpartition(" - ")[2])
        listed = {
            symbol.strip(): columns.text(row, "exchange")
            for columns, row in sections.get(_INSTRUMENTS, [])
            for symbol in columns.text(row, "symbol").split(",")
        }
        for columns, row in sections.get(_POSITIONS, []):
            _add(file, row, partial(_position, columns, row, listed, account))
        balances = {
            columns.text(row, "currency"): (columns, row)
            for columns, row in sections.get(_CASH, [])
            if columns.text(row, "item") == "Ending Cash"
        }
        if len(balances) > 1:
            balances.pop(_ALL_CURRENCIES, None)
        for currency, (columns, row) in balances.items():
            code = (file.base_currency or "USD") if currency == _ALL_CURRENCIES else currency
            _add(file, row, partial(_cash, columns, row, code, account))


def _sections(rows: Iterable[Row], file: ImportedFile) -> dict[str, list[tuple[Columns, Row]]]:
    """The data rows of each section, with the columns of the header above them; rejects unreadable rows."""
    headers: dict[str, Columns] = {}
    sections: dict[str, list[tuple[Columns, Row]]] = {}
    for row in rows:
        if row.fault is not None:
            file.reject(row, row.fault)
        section, kind = ([*row.cells, "", ""])[:2]
        if kind == "Header":
            headers[section] = _columns(row)
        elif kind == "Data" and len(row.cells) > 3 and section in headers:
            sections.setdefault(section, []).append((headers[section], row))
    return sections


def _columns(row: Row) -> Columns:
    places = {key(cell): place for place, cell in reversed(list(enumerate(row.cells)))}
    return Columns(row, {field: places[name] for field, name in _FIELDS.items() if name in places})


def _add(file: ImportedFile, row: Row, entry: Callable[[], Position | None]) -> None:
    try:
        position = entry()
    except RowError as error:
        file.reject(row, str(error))
    else:
        if position is not None:
            file.add(position)


def _position(columns: Columns, row: Row, listed: Mapping[str, str], account: str | None) -> Position | None:
    level = columns.text(row, "level")
    if level not in ("", "Summary"):
        return None  # lots repeat their summary
    # Each row is as long as its header, or, in a workbook, shorter by the blank cells at its end.
    if len(row.cells) > len(columns.header.cells):
        raise too_many_cells(row, len(columns.header.cells))
    category = columns.text(row, "asset").lower()
    asset = next((code for word, code in _CLASSES if word in category), category.upper())
    symbol = columns.text(row, "symbol")
    position = position_of_class(
        columns,
        row,
        asset,
        currency=columns.text(row, "currency"),
        exchange=listed.get(symbol, ""),
        contract=parse_option(symbol),
    )
    position.account = account
    return position


def _cash(columns: Columns, row: Row, currency: str, account: str | None) -> Position | None:
    columns.check(row)
    amount = columns.amount(row, "total")
    if amount is None:
        raise RowError(f"cash in {currency} without an amount")
    if not amount:
        return None
    return CashPosition(
        symbol="CASH", raw_symbol=currency, value=amount, currency=currency, account=account, line=row.line,
        description=f"Cash in {currency}",
    )  # fmt: skip
