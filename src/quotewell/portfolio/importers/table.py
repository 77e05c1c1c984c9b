"""Bytes of an exported file → numbered rows of cells, whatever its encoding and delimiter.

Rows are read lazily, so that a large file that is no table of positions is refused after its first lines.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from quotewell.errors import ImportFailed

__all__ = ["DELIMITERS", "MAX_BYTES", "MAX_FIELD", "Row", "Table", "read_bytes", "read_text"]

MAX_BYTES = 50 * 2**20
"""The largest file that is read."""
MAX_FIELD = 5_000
"""The longest cell that is taken seriously."""
DELIMITERS = (",", "\t", ";")

_SAMPLE = 65_536
_MAX_LINE = 100_000
_MAX_QUOTED_LINES = 20
_SHOWN = 200
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old form (.xls)"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
)
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""Excel puts a workbook with a password into a file of its old form, in a stream of this name."""
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\x0c\x1a")


class Row(msgspec.Struct, frozen=True):
    """One row of a file."""

    line: int
    """Where it begins, counted from 1."""
    text: str
    """As it stands in the file, cut to 200 characters."""
    cells: tuple[str, ...]
    fault: str | None = None
    """Why the row cannot be read, if it cannot."""

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(cell.strip() for cell in self.cells) and self.fault is None


class Table(msgspec.Struct, frozen=True):
    """The lines of a text file, to be cut into rows by one delimiter."""

    name: str
    lines: list[str]

    def rows(self, delimiter: str) -> Iterator[Row]:
        """All rows in order, blank ones included."""
        index = 0
        while index < len(self.lines):
            row, taken = _row(self.lines, index, delimiter)
            yield row
            index += taken

    def head(self, delimiter: str, n: int) -> list[Row]:
        """The first `n` rows."""
        return list(islice(self.rows(delimiter), n))


_ADVICE: dict[type[OSError], str] = {
    FileNotFoundError: "check the name, and the folder you are in",
    IsADirectoryError: "name the files in it",
    PermissionError: "check the permissions of the file and its folder",
}


def read_bytes(source: str | Path | bytes | BinaryIO, name: str) -> bytes:
    """The content of a path, of an open binary file, or of bytes themselves.

    Raises:
        ImportFailed: If it cannot be read, is empty, or is larger than 50 MB.
    """
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, (str, Path)):
        data = _read_path(Path(source), name)
    else:
        data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImportFailed(
            name, f"larger than {MAX_BYTES // 2**20} MB", hint="this is no export of positions"
        )
    if not data.strip():
        raise ImportFailed(name, "the file is empty", hint="export the positions again")
    return data


def _read_path(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = _ADVICE.get(type(error), "")
        raise ImportFailed(name, (error.strerror or str(error)).lower(), hint=hint) from error


def read_text(data: bytes, name: str) -> Table:
    """Decode a file: by its byte order mark, else UTF-16 if every other byte is 0, else UTF-8, else Latin-1.

    Raises:
        ImportFailed: If it is not text.
    """
    for magic, what in _NOT_TEXT:
        if data.startswith(magic):
            found = "an Excel workbook with a password" if _ENCRYPTED in data else what
            raise ImportFailed(
                name, f"is {found}, not a text file", hint="export or save the positions as CSV or .xlsx"
            )
    text = _decoded(data)
    sample = text[:_SAMPLE]
    controls = sum(ord(character) in _CONTROLS for character in sample)
    if "\0" in text or controls * 100 > len(sample):
        raise ImportFailed(name, "is not a text file", hint="export the positions as CSV")
    return Table(name, text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    sample = data[:_SAMPLE]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[offset::2].count(0) * 10 > len(sample) * 4 and not sample[1 - offset :: 2].count(0):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252" if _is_cp1252(data) else "latin-1")


def _is_cp1252(data: bytes) -> bool:
    """Whether bytes that Latin-1 has no letter for are Windows' dashes and quotation marks."""
    return not any(byte in data for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))


def _row(lines: list[str], index: int, delimiter: str) -> tuple[Row, int]:
    """The row that begins at `lines[index]`, and how many lines it takes."""
    first = lines[index]
    fault = None
    cells: list[str] = []
    taken = 1
    if len(first) > _MAX_LINE:
        fault = f"a line of {len(first):,} characters"
    elif '"' not in first:
        cells = first.split(delimiter)
    else:
        cells, taken = _quoted(lines, index, delimiter)
        if not cells:
            fault = "a quotation mark is not closed"
    may_be_long = taken > 1 or len(first) > MAX_FIELD
    longest = max(map(len, cells), default=0) if may_be_long else 0
    if longest > MAX_FIELD:
        fault = f"a cell of {longest:,} characters"
        cells = []
    return Row(index + 1, first[:_SHOWN], tuple(cells), fault), taken


def _quoted(lines: list[str], index: int, delimiter: str) -> tuple[list[str], int]:
    """Cells of a row with quotation marks, which may hold line ends; none if a mark is not closed."""
    whole = lines[index]
    # Where all cells are in quotation marks and none holds one, they are what is between these.
    if whole.startswith('"') and whole.endswith('"'):
        cells = whole[1:-1].split(f'"{delimiter}"')
        if whole.count('"') == 2 * len(cells):
            return cells, 1
    # One line nearly always holds the whole row.
    for count in (1, _MAX_QUOTED_LINES):
        following = [line + "\n" for line in lines[index : index + count]]
        reader = csv.reader(following, delimiter=delimiter, strict=True)
        try:
            return next(reader), reader.line_num
        except (csv.Error, StopIteration):
            continue  # not what the standard says; a mark within a line may still be meant literally
    if whole.count('"') % 2:
        return [], 1
    return next(csv.reader([whole], delimiter=delimiter)), 1
