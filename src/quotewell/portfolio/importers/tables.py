"""The rows of a broker's table, one after another: what all importers do in the same way.

An importer says where the table's fields stand (`columns.Columns`) and what becomes of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from quotewell.portfolio.importers.amounts import AmountError, parse_amount
from quotewell.portfolio.importers.columns import Columns, key
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import Reported
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.positions import OptionPosition, PendingActivity, Position, StockPosition

__all__ = ["EntryOf", "cost_of", "dated", "is_total", "keeps_total", "read_rows", "reported", "text_of"]

EntryOf: TypeAlias = Callable[[Columns, Row], Position | PendingActivity | None]
"""What a row says; None if it is kept elsewhere or repeats other rows. Raises `RowError`."""

_ACCOUNT = ("account", "account_name")
_NUMBERS = ("quantity", "price", "value")
_TOTALS = frozenset(("total", "totals", "grand total", "account total", "positions total"))
_NOTHING = frozenset(("", "-", "--", "n/a", "N/A"))
_SENTENCE = 4
_FOOTER = "disclosure"


def read_rows(columns: Columns, rows: Iterable[Row], file: ImportedFile, entry_of: EntryOf) -> None:
    """Sort the rows below a header into entries, rejected rows, and the text at the end."""
    prose: list[Row] = []
    for row in rows:
        if row.line <= columns.header.line or _is_padding(columns, row) or columns.repeats_header(row):
            continue
        if _is_prose(columns, row):
            prose.append(row)
            continue
        # Sentences after the last row are a footer; among the rows they are rows gone wrong.
        file.reject_all(prose, "text among the rows")
        prose.clear()
        try:
            columns.check(row)
            entry = entry_of(columns, row)
        except RowError as error:
            file.reject(row, str(error))
        else:
            if entry is not None:
                file.add(entry)
    file.notes.extend(row.text.strip() for row in prose)


def dated(rows: Iterable[Row], file: ImportedFile, words: str) -> Iterator[Row]:
    """The rows without those that begin with `words` (lower case), which date the file's prices."""
    length = len(words)
    for row in rows:
        if row.text.lstrip('" \t')[:length].lower() == words:
            file.as_of = as_of_in_text(row.text) or file.as_of
        else:
            yield row


def reported(columns: Columns, row: Row, currency: str | None) -> Reported:
    """What the cells of a row say, field by field.

    Raises:
        RowError: If an amount is no number.
    """
    return {
        "raw_symbol": columns.raw(row, "symbol"),
        "description": columns.text(row, "description"),
        "quantity": columns.amount(row, "quantity"),
        "price": columns.amount(row, "price"),
        "value": columns.amount(row, "value"),
        "cost_basis": columns.amount(row, "cost_basis"),
        "account": text_of(columns, row, "account"),
        "account_name": text_of(columns, row, "account_name"),
        "currency": currency,
        "leg": text_of(columns, row, "leg"),
        "line": row.line,
    }


def text_of(columns: Columns, row: Row, field: str) -> str | None:
    """A cell's text; None if it is blank or a mark for nothing (`--`)."""
    text = columns.text(row, field)
    return None if text in _NOTHING else text


def cost_of(position: Position, average: float | None) -> float | None:
    """Total cost by the broker's average cost per share or unit of premium.

    Positive for short positions too, as brokers write totals; None where the multiplier is unknown.
    """
    if average is None or position.quantity is None:
        return None
    if isinstance(position, StockPosition):
        return abs(position.quantity) * average
    multiplier: float | None = None
    if isinstance(position, OptionPosition):
        multiplier = position.contract.multiplier or position.multiplier
    return None if multiplier is None else abs(position.quantity) * multiplier * average


def is_total(text: str) -> bool:
    """Whether a cell in the place of a symbol makes its row a sum of other rows."""
    return "total" in text.lower() and key(text) in _TOTALS


def keeps_total(file: ImportedFile, columns: Columns, row: Row, account: str | None = None) -> bool:
    """Whether a row is a sum of others; its value is then kept as what the broker says the account is worth.

    Args:
        file: Where it is kept.
        columns: The columns of the row.
        row: A row whose symbol or first cell may say `Account Total` or the like.
        account: Whose total it is; by default the row's own account, else the whole file's.

    Raises:
        RowError: If the value is no number.
    """
    if not (is_total(columns.raw(row, "symbol")) or is_total(row.cells[0])):
        return False
    own = columns.text(row, "account")
    total = columns.amount(row, "value")
    if total is not None:
        file.stated_totals.setdefault(account or ("" if is_total(own) else own), total)
    return True


def _is_padding(columns: Columns, row: Row) -> bool:
    """Whether the row is blank but for account cells; a line of one cell only is no row of the table."""
    if columns.text(row, "symbol"):
        return False
    account = {columns.index[field] for field in _ACCOUNT if field in columns.index and len(row.cells) > 1}
    said = any(cell.strip() for index, cell in enumerate(row.cells) if index not in account)
    return not said and row.fault is None


def _is_prose(columns: Columns, row: Row) -> bool:
    """Whether a row is a sentence or says `Disclosure`: it is short, and has no number in its place."""
    is_narrow = len(row.cells) < len(columns.header.cells)
    if not is_narrow and row.cells[0] and row.cells[1].strip():
        return False
    said = [cell for cell in row.cells if cell.strip()]
    if not said or (len(said[0].split()) < _SENTENCE and not said[0].lower().startswith(_FOOTER)):
        return False
    is_short = is_narrow or len(said) == 1
    return is_short and not any(_is_number(columns.text(row, field)) for field in _NUMBERS)


def _is_number(text: str) -> bool:
    try:
        return parse_amount(text) is not None
    except AmountError:
        return False
