"""tastytrade: options in columns of their own; the export holds what columns the user shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.instruments import position_of
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import cost_of, keeps_total, read_rows, reported, text_of
from quotewell.portfolio.positions import Position
from quotewell.symbols import Option, parse_option

__all__ = ["Tastytrade"]

_HEADINGS = {
    "account": ("account", "account number"),
    "symbol": ("symbol",),
    "type": ("type", "instrument type"),
    "quantity": ("quantity", "qty"),
    "expiry": ("exp date", "expiration date"),
    "strike": ("strike price", "strike"),
    "right": ("call/put",),
    "price": ("mark", "mark price"),
    "value": ("netliq", "net liq"),
    "cost_basis": ("cost",),
    "average_cost": ("trade price",),
}
_REQUIRED = ("symbol", "quantity")
_OWN_HEADINGS = frozenset(
    (
        "ask (buy)",
        "bid (sell)",
        "call/put",
        "d's opn",
        "days to expiration",
        "dte",
        "exp date",
        "iv rank",
        "netliq",
        "p/l day",
        "p/l open",
        "strike price",
        "trade price",
        "underlying last price",
        "β delta",
    )
)
_CONTRACT = {"expiry": "Exp Date", "strike": "Strike Price", "right": "Call/Put"}
_CURRENCY = "USD"


class Tastytrade:
    """Reads tastytrade's export of positions."""

    broker = "tastytrade"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by `Symbol`, `Quantity` and two of the headings that only tastytrade has."""
        columns = find_columns(rows, _HEADINGS, _REQUIRED)
        if columns is None or len(_OWN_HEADINGS.intersection(map(key, columns.header.cells))) < 2:
            return None
        return columns

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows into positions and rejected rows."""
        read_rows(columns, rows, file, partial(_entry, file))


def _entry(file: ImportedFile, columns: Columns, row: Row) -> Position | None:
    if keeps_total(file, columns, row):
        return None
    contract = _contract(columns, row)
    position = position_of(reported(columns, row, _CURRENCY), contract=contract)
    if position.cost_basis is None:
        position.cost_basis = cost_of(position, columns.amount(row, "average_cost"))
    return position


def _contract(columns: Columns, row: Row) -> Option | None:
    """The contract of a row's option, None for shares.

    Raises:
        RowError: If the columns that are shown do not tell which contract it is, or whether it is one.
    """
    symbol = columns.text(row, "symbol")
    option = parse_option(symbol)
    if option is not None:
        return option
    kind = (text_of(columns, row, "type") or "").lower()
    if "future" in kind:
        raise RowError("futures and options on them are not supported: their contract size is unknown")
    parts = {field: text_of(columns, row, field) for field in _CONTRACT}
    if "option" not in kind and not any(parts.values()):
        if not {"type", *_CONTRACT} & set(columns.index):
            raise RowError(
                "shares and options look alike without Type and Call/Put: show these columns and export again"
            )
        return None
    if missing := [name for field, name in _CONTRACT.items() if parts[field] is None]:
        raise RowError(f"an option without {', '.join(missing)}: show these columns and export again")
    option = parse_option(f"{symbol} {parts['expiry']} {parts['strike']} {parts['right']}")
    if option is None:
        named = ", ".join(f"{name} {parts[field]!r}" for field, name in _CONTRACT.items())
        raise RowError(f"no option on {symbol[:20]!r} has {named[:80]}")
    return option
