"""A plain table of one's own: `symbol,quantity[,cost_basis,account,currency,price,value]` in any order.

What `portfolio.export` writes is one, too: with the kind of each row, pending activity, and columns of
derived figures, which are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quotewell.portfolio.export import DERIVED, unguarded
from quotewell.portfolio.importers.columns import Columns, find_columns, key, lists_transactions
from quotewell.portfolio.importers.instruments import Reported, position_of
from quotewell.portfolio.importers.outcome import PENDING_WITHOUT_AMOUNT, ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import is_total
from quotewell.portfolio.positions import OptionPosition, PendingActivity, Position
from quotewell.portfolio.problems import Problem

__all__ = ["Plain", "read_plain_rows"]

_HEADINGS = {
    "symbol": ("symbol", "ticker"),
    "quantity": ("quantity", "qty", "shares"),
    "cost_basis": ("cost basis", "cost basis total", "cost"),
    "account": ("account", "account number"),
    "account_name": ("account name",),
    "currency": ("currency",),
    "price": ("price", "last price"),
    "value": ("value", "market value", "current value"),
    "description": ("description", "name"),
    "kind": ("kind",),
    "leg": ("leg",),
    "fx_rate": ("fx rate",),
    "multiplier": ("multiplier",),
}
_REQUIRED = ("symbol", "quantity")
_DERIVED = frozenset(key(heading) for heading in DERIVED)


class Plain:
    """Reads any table with a symbol and a quantity, unless most of its columns mean something else."""

    broker = "plain"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by its symbol and quantity columns.

        A header that is mostly unknown is another broker's: reading two of its columns would lose what the
        others say of currency, multiplier or side. Transactions are no positions.
        """
        columns = find_columns(rows, _HEADINGS, _REQUIRED)
        if (
            columns is None
            or lists_transactions(columns.header)
            or len(_ignored(columns)) > len(columns.index)
        ):
            return None
        return columns

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows of the file into positions and rejected rows."""
        if ignored := _ignored(columns):
            file.problems.append(
                Problem(
                    kind="ignored_columns",
                    subject=file.path,
                    line=columns.header.line,
                    message=f"{file.path}: columns not read: {', '.join(ignored)}; "
                    f"the ones read are {', '.join(columns.index)}",
                )
            )
        read_plain_rows(columns, rows, file)


def read_plain_rows(columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
    """Sort the rows below a header into positions, pending activity and rejected rows."""
    for row in rows:
        if row.line <= columns.header.line or row.is_blank or columns.repeats_header(row):
            continue
        try:
            file.add(_entry(columns, row, file.delimiter))
        except RowError as error:
            file.reject(row, str(error))


def _ignored(columns: Columns) -> list[str]:
    """Headings that are neither read nor known to be of figures that quotewell has derived itself."""
    read = set(columns.index.values())
    return [
        cell.strip()
        for index, cell in enumerate(columns.header.cells)
        if key(cell) and index not in read and key(cell) not in _DERIVED
    ]


def _entry(columns: Columns, row: Row, delimiter: str) -> Position | PendingActivity:
    columns.check(row)
    reported = _reported(columns, row, delimiter)
    kind = columns.text(row, "kind").lower()
    if kind == "pending":
        if reported["value"] is None:
            raise RowError(PENDING_WITHOUT_AMOUNT)
        entry: Position | PendingActivity = PendingActivity(
            description=reported["description"] or unguarded(reported["raw_symbol"]),
            value=reported["value"],
            account=reported["account"],
            account_name=reported["account_name"],
            currency=reported["currency"],
            line=row.line,
        )
    else:
        entry = position_of(reported, kind)
        if isinstance(entry, OptionPosition) and entry.contract.adjusted:
            entry.multiplier = columns.amount(row, "multiplier")
    entry.fx_rate = columns.amount(row, "fx_rate", comma_may_be_decimal=delimiter == ";")
    return entry


def _reported(columns: Columns, row: Row, delimiter: str) -> Reported:
    if is_total(columns.text(row, "symbol")):
        raise RowError("a total, not a position")
    # Where a semicolon parts the cells, a comma may be the decimal mark.
    european = delimiter == ";"
    quantity, price, value, cost_basis = (
        columns.amount(row, field, comma_may_be_decimal=european)
        for field in ("quantity", "price", "value", "cost_basis")
    )
    return {
        "raw_symbol": unguarded(columns.raw(row, "symbol")),
        "description": unguarded(columns.text(row, "description")),
        "quantity": quantity,
        "price": price,
        "value": value,
        "cost_basis": cost_basis,
        "account": unguarded(columns.text(row, "account")) or None,
        "account_name": unguarded(columns.text(row, "account_name")) or None,
        "currency": _currency(columns.text(row, "currency")),
        "leg": unguarded(columns.text(row, "leg")) or None,
        "line": row.line,
    }


def _currency(text: str) -> str | None:
    """The currency code as written (`GBp` and `GBP` differ); `usd` is meant as `USD`."""
    if not text:
        return None
    if len(text) != 3 or not text.isascii() or not text.isalpha():
        raise RowError(f"currency: {text[:20]!r} is no currency code")
    return text.upper() if text.islower() else text
