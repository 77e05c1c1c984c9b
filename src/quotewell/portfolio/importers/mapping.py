"""A table whose headings the user explains: `symbol=Ticker,quantity="Qty #"`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from quotewell.errors import ImportFailed, UsageError
from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.importers.plain import read_plain_rows
from quotewell.portfolio.importers.table import DELIMITERS, Row, Table

__all__ = ["MAPPED_FIELDS", "Mapped", "checked_mapping", "parse_mapping"]

MAPPED_FIELDS = (
    "symbol", "quantity", "price", "value", "cost_basis", "account", "currency", "description",
)  # fmt: skip
"""What a column may be."""

_PAIR = re.compile(r'\s*([A-Za-z_]+)\s*=\s*("(?:[^"]|"")*"|[^",]*)\s*(?:,|$)')
_EXAMPLE = 'symbol=Ticker,quantity="Qty #"'
_SHOWN = 60


class Mapped:
    """Reads tables by the mapping of their user."""

    broker = "mapping"

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._headings = {field: (key(heading),) for field, heading in mapping.items()}
        self._mapping = mapping

    def find(self, table: Table, within: int) -> tuple[Columns, str]:
        """The header that has all mapped columns, and the table's delimiter.

        Raises:
            ImportFailed: No row has them all; names those that are missing, and what the likeliest row has.
        """
        heads = [(delimiter, table.head(delimiter, within)) for delimiter in DELIMITERS]
        for delimiter, head in heads:
            columns = self.recognise(head)
            if columns is not None:
                return columns, delimiter
        likeliest = max((row for _, head in heads for row in head), key=self._likeness)
        there = set(map(key, likeliest.cells))
        missing = [repr(heading) for heading in self._mapping.values() if key(heading) not in there]
        found = ", ".join(cell.strip() for cell in likeliest.cells if cell.strip())
        raise ImportFailed(
            table.name,
            f"the mapping names columns that are not there: {', '.join(missing)}",
            hint=f"line {likeliest.line} has the columns {found}",
        )

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """The first row that has all mapped columns."""
        return find_columns(rows, self._headings, tuple(self._headings))

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort all rows into positions and rejected rows; what is not mapped is meant to be left out."""
        read_plain_rows(columns, rows, file)

    def _likeness(self, row: Row) -> tuple[int, int]:
        there = set(map(key, row.cells))
        return sum(name in there for (name,) in self._headings.values()), sum(map(bool, row.cells))


def parse_mapping(text: str) -> dict[str, str]:
    """Fields and the headings of their columns, from `field=heading,…`; a heading with a comma is quoted.

    Raises:
        UsageError: With the reason.
    """
    mapping: dict[str, str] = {}
    place = 0
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            raise UsageError(f"{text[place : place + _SHOWN]!r} is no mapping", hint=f"like {_EXAMPLE}")
        field, heading = pair[1].lower(), pair[2].strip()
        if heading.startswith('"'):
            heading = heading[1:-1].replace('""', '"')
        if field in mapping:
            raise UsageError(f"the mapping names {field} twice")
        mapping[field] = heading
        place = pair.end()
    return checked_mapping(mapping)


def checked_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """The same, if it can be used: known fields, each a column of its own, enough of them for a position.

    Raises:
        UsageError: With the reason.
    """
    unknown = [field for field in mapping if field not in MAPPED_FIELDS]
    if unknown:
        raise UsageError(
            f"unknown field in the mapping: {', '.join(unknown)}",
            hint=f"fields are {', '.join(MAPPED_FIELDS)}",
        )
    empty = [field for field, heading in mapping.items() if not heading.strip()]
    if empty:
        raise UsageError(f"the mapping names no column for {', '.join(empty)}")
    if "symbol" not in mapping or not {"quantity", "value"} & mapping.keys():
        raise UsageError("a mapping needs a symbol, and a quantity or a value", hint=f"like {_EXAMPLE}")
    if len({key(heading) for heading in mapping.values()}) < len(mapping):
        raise UsageError("the mapping takes one column for two fields")
    return dict(mapping)
