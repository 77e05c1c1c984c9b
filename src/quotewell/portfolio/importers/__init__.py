"""Brokers' files → positions. The broker is recognised by the file's content.

To add a broker, write a module with a class like `plain.Plain` and name it in `IMPORTERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers.activity import Activity
from quotewell.portfolio.importers.columns import Columns, lists_transactions
from quotewell.portfolio.importers.dates import as_of_in_name
from quotewell.portfolio.importers.etrade import ETrade
from quotewell.portfolio.importers.fidelity import Fidelity
from quotewell.portfolio.importers.flex import Flex
from quotewell.portfolio.importers.mapping import Mapped
from quotewell.portfolio.importers.merging import merged
from quotewell.portfolio.importers.merrill import Merrill
from quotewell.portfolio.importers.outcome import ImportedFile, RejectedRow
from quotewell.portfolio.importers.plain import Plain
from quotewell.portfolio.importers.schwab import Schwab
from quotewell.portfolio.importers.stated import stated_problems
from quotewell.portfolio.importers.table import DELIMITERS, Row, Table, read_bytes, read_text
from quotewell.portfolio.importers.tastytrade import Tastytrade
from quotewell.portfolio.importers.vanguard import Vanguard
from quotewell.portfolio.problems import Problem

__all__ = ["IMPORTERS", "ImportedFile", "Importer", "RejectedRow", "read_files", "read_positions"]

_HEADER_WITHIN = 100
"""A header stands in the first rows; what has none there is no table of positions."""
_ZIP = b"PK\x03\x04"


class Importer(Protocol):
    """Reads the files of one broker."""

    broker: str

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """The header, if these first rows are of a file of this broker."""
        ...

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Put each row below the header into `file`, or leave it because it says nothing."""
        ...


IMPORTERS: tuple[Importer, ...] = (
    Fidelity(),
    Schwab(),
    Vanguard(),
    ETrade(),
    Merrill(),
    Tastytrade(),
    Flex(),
    Activity(),
    Plain(),  # last: it recognises whatever has a symbol and a quantity
)


def read_files(sources: Sequence[str | Path], mapping: Mapping[str, str] | None = None) -> ImportedFile:
    """Read several files as one book; see `merging.merged`.

    Args:
        sources: Paths, at least one.
        mapping: As in `read_positions`, for all of them.

    Raises:
        ImportFailed: One of them cannot be read, or an account would be counted twice.
    """
    return merged([read_positions(source, mapping=mapping) for source in sources])


def read_positions(
    source: str | Path | bytes | BinaryIO,
    name: str | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
) -> ImportedFile:
    """Read a broker's export of positions, or a plain table; of an Excel workbook, its first sheet.

    Args:
        source: A path, the content, or an open binary file.
        name: What messages call the file, and where its date is looked for; the path by default.
        mapping: Field to the heading of its column (`mapping.MAPPED_FIELDS`); without it the broker is
            recognised.

    Returns:
        Positions, pending activity and rejected rows; all rows of the table are in one of them.

    Raises:
        ImportFailed: If the file cannot be read, is no text, is too large, or has no header of a known kind.
    """
    shown = name or (str(source) if isinstance(source, (str, Path)) else "the file")
    table = _table(read_bytes(source, shown), shown)
    importer: Importer
    if mapping is None:
        importer, columns, delimiter = _recognised(table)
    else:
        importer = mapped = Mapped(mapping)
        columns, delimiter = mapped.find(table, _HEADER_WITHIN)
    file = ImportedFile(broker=importer.broker, path=shown, delimiter=delimiter)
    importer.read(columns, table.rows(delimiter), file)
    file.rejected.sort(key=lambda row: row.line)
    if file.as_of is None:
        file.as_of = as_of_in_name(shown)
    file.problems += stated_problems(file)
    if not file.rows:
        file.problems.append(
            Problem(kind="empty", subject=shown, message=f"{shown}: no rows below the header")
        )
    return file


def _table(data: bytes, name: str) -> Table:
    if data.startswith(_ZIP):
        from quotewell.portfolio.importers.workbook import is_workbook, read_workbook  # noqa: PLC0415  only then

        if is_workbook(data):
            return read_workbook(data, name)
    return read_text(data, name)


def _recognised(table: Table) -> tuple[Importer, Columns, str]:
    heads = {delimiter: table.head(delimiter, _HEADER_WITHIN) for delimiter in DELIMITERS}
    for delimiter, head in heads.items():
        for importer in IMPORTERS:
            columns = importer.recognise(head)
            if columns is not None:
                return importer, columns, delimiter
    if any(lists_transactions(row) for head in heads.values() for row in head):
        raise ImportFailed(
            table.name,
            "holds transactions, not positions",
            hint="export positions (holdings) from the broker, not its history or orders; "
            "Robinhood and Webull have no positions export: write a table with the columns symbol,quantity",
        )
    brokers = ", ".join(importer.broker for importer in IMPORTERS if importer.broker != "plain")
    raise ImportFailed(
        table.name,
        f"no header of a known kind in its first {_HEADER_WITHIN} rows",
        hint=f"export positions as CSV from {brokers}; or write a table with the columns symbol,quantity, "
        "or name its columns with --map; Robinhood and Webull have no positions export",
    )
