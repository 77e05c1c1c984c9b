"""Excel workbooks (`.xlsx`) → the text rows that their first sheet would be as CSV.

A workbook is a ZIP archive of XML parts. They are unpacked as a stream and within bounds (decision 021).
"""

from __future__ import annotations

import datetime as dt
import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, XMLParser, fromstring

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers.sheet import SharedTexts, Sheet, TooLarge, bare, format_kind
from quotewell.portfolio.importers.table import MAX_BYTES, Table

__all__ = ["is_workbook", "read_workbook"]

_MAX_UNPACKED = 4 * MAX_BYTES
"""XML says the same at greater length than CSV."""
_MAX_TREE = 10 * 2**20
"""Of parts that are read as a whole: the list of sheets, styles."""
_CHUNK = 2**16
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_STRINGS, _STYLES = "xl/sharedStrings.xml", "xl/styles.xml"
_FIRST_DAY, _FIRST_DAY_OF_MACS = dt.datetime(1899, 12, 30), dt.datetime(1904, 1, 1)  # noqa: DTZ001  sheets have no zone


def is_workbook(data: bytes) -> bool:
    """Whether a ZIP archive has the part that makes it a workbook, whatever its name."""
    return _BOOK.encode() in data


def read_workbook(data: bytes, name: str) -> Table:
    """The first sheet that has cells; visible ones come first, and a row's line is its number in the sheet.

    Numbers are written as they are, whole ones without decimals; dates as `2025-05-08`, percentages as
    `12.5%`. A line end within a cell becomes a blank.

    Raises:
        ImportFailed: If it is damaged, protected, too large, or has no cells.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            lines = _first_lines(_Parts(archive))
    except TooLarge as error:
        raise ImportFailed(name, str(error), hint="this is no export of positions") from error
    except (zipfile.BadZipFile, zlib.error, ParseError, LookupError, ValueError, EOFError) as error:
        raise ImportFailed(name, "is a damaged Excel workbook", hint="save it again, or as CSV") from error
    except (RuntimeError, NotImplementedError) as error:  # what zipfile raises for these two
        raise ImportFailed(
            name, "is an Excel workbook that is encrypted or packed in a rare way", hint="save it as CSV"
        ) from error
    if not lines:
        raise ImportFailed(name, "is an Excel workbook without cells", hint="export the positions again")
    return Table(name, lines)


def _first_lines(parts: _Parts) -> list[str]:
    texts = SharedTexts()
    parts.stream(_STRINGS, texts)
    formats = _formats(parts.tree(_STYLES))
    book = parts.tree(_BOOK)
    for path in _sheets(book, parts.tree(_LINKS)):
        sheet = Sheet(texts.found, formats, _first_day(book))
        parts.stream(path, sheet)
        if sheet.lines:
            return sheet.lines
    return []


class _Parts:
    """The parts of a workbook, unpacked no further than the bounds.

    A document type, which could define entities that grow, is refused where a tree is built; where none is,
    `sheet` bounds what texts grow to.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = _MAX_UNPACKED

    def tree(self, path: str) -> Element:
        content = b""
        for chunk in self._chunks(path):
            content += chunk
            if len(content) > _MAX_TREE:
                raise TooLarge(f"has a {path} of more than {_MAX_TREE // 2**20} MB")
        if b"<!DOCTYPE" in content:
            raise ValueError(path)
        return fromstring(content)  # noqa: S314  see the class

    def stream(self, path: str, target: SharedTexts | Sheet) -> None:
        parser = XMLParser(target=target)  # noqa: S314  see the class
        for chunk in self._chunks(path):
            parser.feed(chunk)
        parser.close()

    def _chunks(self, path: str) -> Iterator[bytes]:
        if path in (_STRINGS, _STYLES) and path not in self._archive.namelist():
            yield b"<none/>"  # a workbook without texts or styles
            return
        with self._archive.open(path) as part:
            while chunk := part.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise TooLarge(f"unpacks to more than {_MAX_UNPACKED // 2**20} MB")
                yield chunk


def _sheets(book: Element, links: Element) -> list[str]:
    """The paths of the sheets' parts in the order of their tabs, hidden ones last."""
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    tabs = [element for element in book.iter() if bare(element.tag) == "sheet"]
    tabs.sort(key=lambda tab: tab.get("state", "visible") != "visible")
    ids = [next(value for key, value in tab.items() if bare(key) == "id") for tab in tabs]
    return [posixpath.normpath(posixpath.join("/xl", targets[one])).lstrip("/") for one in ids]


def _formats(styles: Element) -> list[str]:
    """The kind of each cell style's number format."""
    codes = {
        one.get("numFmtId", "0"): one.get("formatCode", "")
        for one in styles.iter()
        if bare(one.tag) == "numFmt"
    }
    of_cells = [one for one in styles if bare(one.tag) == "cellXfs"]
    numbers = [style.get("numFmtId", "0") for styles_of_cells in of_cells for style in styles_of_cells]
    return [format_kind(int(number), codes.get(number)) for number in numbers]


def _first_day(book: Element) -> dt.datetime:
    """What dates are counted from."""
    flags = [one.get("date1904") for one in book.iter() if bare(one.tag) == "workbookPr"]
    return _FIRST_DAY_OF_MACS if any(flag in ("1", "true") for flag in flags) else _FIRST_DAY
