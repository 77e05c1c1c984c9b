"""The header row of a table, and a data row's cells by field."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import msgspec

from quotewell.portfolio.importers.amounts import AmountError, parse_amount
from quotewell.portfolio.importers.outcome import RowError
from quotewell.portfolio.importers.table import Row

__all__ = ["Columns", "find_columns", "key", "lists_transactions", "too_many_cells"]

_OF_TRANSACTIONS = frozenset(
    ("action", "activity type", "run date", "trans code", "transaction type", "transactiontype")
)


class Columns(msgspec.Struct, frozen=True):
    """Where each field stands in the rows below a header."""

    header: Row
    index: Mapping[str, int]
    """Field to column, counted from 0; fields without a column are left out."""

    def text(self, row: Row, field: str) -> str:
        """A cell without the blanks around it; empty if the row or the table does not have it."""
        try:
            return row.cells[self.index[field]].strip()
        except (KeyError, IndexError):
            return ""

    def raw(self, row: Row, field: str) -> str:
        """A cell as it stands in the file."""
        try:
            return row.cells[self.index[field]]
        except (KeyError, IndexError):
            return ""

    def amount(self, row: Row, field: str, *, comma_may_be_decimal: bool = False) -> float | None:
        """A cell as a number, None if it is blank or the table does not have it.

        Raises:
            RowError: If it is no number.
        """
        try:
            return parse_amount(self.raw(row, field), comma_may_be_decimal=comma_may_be_decimal)
        except AmountError as error:
            raise RowError(f"{field.replace('_', ' ')}: {error}") from error

    def check(self, row: Row) -> None:
        """Refuse a row whose cells cannot be trusted to stand under their headings.

        A trailing comma more than in the header is harmless. Text there means that a cell before it holds
        the delimiter, so that the cells after that stand one column too far to the right.

        Raises:
            RowError: With the reason.
        """
        if row.fault is not None:
            raise RowError(row.fault)
        headings = self.header.cells
        if len(row.cells) <= len(headings) and headings[-1]:
            return
        last = max(index for index, heading in enumerate(headings) if heading.strip())
        if any(cell.strip() for cell in row.cells[last + 1 :]):
            raise too_many_cells(row, last + 1)

    def repeats_header(self, row: Row) -> bool:
        """Whether the row is the header once more, as before each account's rows."""
        cells, headings = row.cells, self.header.cells
        # The first cell alone tells nearly all rows from the header.
        if len(cells) != len(headings) or key(cells[0]) != key(headings[0]):
            return False
        return all(key(cell) == key(heading) for cell, heading in zip(cells, headings, strict=True))


@functools.lru_cache(maxsize=1_024)  # every row is compared with the header
def key(heading: str) -> str:
    """A heading in lower case, words joined by single spaces: ` Cost_Basis ` is `cost basis`."""
    return " ".join(heading.replace("_", " ").lower().split())


def lists_transactions(header: Row) -> bool:
    """Whether a header is one of purchases and sales, whose quantities are not what is held."""
    return not _OF_TRANSACTIONS.isdisjoint(map(key, header.cells))


def find_columns(
    rows: Sequence[Row], headings: Mapping[str, Sequence[str]], required: Sequence[str]
) -> Columns | None:
    """The first row that holds all required headings.

    Args:
        rows: The first rows of a file.
        headings: Field to the headings it goes by, as `key` spells them; the first one found counts.
        required: The fields without which this is not the header.
    """
    for row in rows:
        positions = {key(cell): index for index, cell in reversed(list(enumerate(row.cells)))}
        index = {
            field: next(positions[name] for name in names if name in positions)
            for field, names in headings.items()
            if any(name in positions for name in names)
        }
        if all(field in index for field in required):
            return Columns(row, index)
    return None


def too_many_cells(row: Row, headings: int) -> RowError:
    """Why a row that is longer than its header is rejected: what stands under which heading is unknown."""
    return RowError(f"{len(row.cells)} cells under {headings} headings")
