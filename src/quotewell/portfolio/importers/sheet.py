"""The cells of an Excel sheet → lines of CSV, from the events of its XML.

Sparsely and within bounds: neither a cell at the far end of a sheet, nor a long text that a million cells
share, may cost more than the lines that they make.
"""

from __future__ import annotations

import datetime as dt
import re

from quotewell.portfolio.importers.table import MAX_BYTES

__all__ = ["SharedTexts", "Sheet", "TooLarge", "bare", "format_kind"]

_MAX_ROW, _MAX_COLUMN = 2**20, 2**14
"""The size of Excel's sheets."""
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_LINE_END = re.compile(r"_x000[AD]_|[\r\n]+")
# Excel's own formats have numbers in place of codes.
_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_PERCENTS = frozenset((9, 10))
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]|general', re.IGNORECASE)
_WHOLE_BELOW = 1e15


class TooLarge(Exception):  # noqa: N818  it is the workbook that is
    """What a workbook holds is beyond the bounds."""


class _Texts:
    """Collects what is said in `t` (and `v`) elements, without the hints at how a text is pronounced."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._is_said = self._is_hint = False
        self._left = MAX_BYTES

    def data(self, text: str) -> None:
        """Text, or a part of one."""
        if self._is_said and not self._is_hint:
            self._said.append(text)
            self._take(len(text))

    def close(self) -> None:
        """The end of the part."""

    def _open(self, name: str) -> None:
        if name in ("t", "v"):
            self._is_said = True
        elif name == "rPh":
            self._is_hint = True

    def _shut(self, name: str) -> None:
        if name in ("t", "v"):
            self._is_said = False
        elif name == "rPh":
            self._is_hint = False

    def _taken(self) -> str:
        said = "".join(self._said)
        self._said = []
        return said

    def _take(self, length: int) -> None:
        self._left -= length
        if self._left < 0:
            raise TooLarge(f"holds more than {MAX_BYTES // 2**20} MB of text")


class SharedTexts(_Texts):
    """Takes the events of the part of texts to which cells refer by number."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        del attributes
        self._open(bare(tag))

    def end(self, tag: str) -> None:
        """An element ends."""
        name = bare(tag)
        self._shut(name)
        if name == "si":
            self.found.append(self._taken())


class Sheet(_Texts):
    """Takes the events of a sheet's part.

    Args:
        texts: To which cells refer by number.
        formats: What each style's numbers are, as `format_kind` says.
        first_day: What dates are counted from.
    """

    def __init__(self, texts: list[str], formats: list[str], first_day: dt.datetime) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._texts, self._formats, self._first_day = texts, formats, first_day
        self._row = self._column = 0
        self._cells: dict[int, str] = {}
        self._attributes: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = bare(tag)
        if name == "c":
            place = _PLACE.fullmatch(attributes.get("r", ""))
            self._column = _column(place[1]) if place else self._column + 1
            self._attributes = attributes
            self._said = []
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0
            self._cells = {}
        else:
            self._open(name)

    def end(self, tag: str) -> None:
        """An element ends."""
        name = bare(tag)
        if name == "c":
            text = self._shown(self._taken())
            if text:
                self._cells[self._column] = text
        elif name == "row":
            self._end_row()
        else:
            self._shut(name)

    def _end_row(self) -> None:
        if not self._cells:
            return
        last = max(self._cells)
        if not (len(self.lines) < self._row <= _MAX_ROW and last <= _MAX_COLUMN):
            raise ValueError(f"column {last} of row {self._row}, after row {len(self.lines)}")
        line = ",".join(_quoted(self._cells.get(column, "")) for column in range(1, last + 1))
        self._take(len(line))
        self.lines += [""] * (self._row - len(self.lines) - 1)
        self.lines.append(line)

    def _shown(self, said: str) -> str:
        kind = self._attributes.get("t", "n")
        if kind == "s":
            return self._texts[int(said)] if said else ""
        if kind == "b":
            return "TRUE" if said.strip() == "1" else "FALSE"
        if kind != "n" or not said:
            return said
        style = int(self._attributes.get("s", "0"))
        return _number(said, self._formats[style] if style < len(self._formats) else "", self._first_day)


def format_kind(number: int, code: str | None) -> str:
    """What a number format makes of a number: `date`, `percent`, or nothing that changes its meaning.

    Args:
        number: The format's.
        code: Such as `yyyy-mm-dd` or `0.0%`; None for Excel's own, which have a number only.
    """
    if code is None:
        return "date" if number in _DATES else "percent" if number in _PERCENTS else ""
    shown = _LITERAL.sub("", code).partition(";")[0].lower()
    if "%" in shown:
        return "percent"
    return "date" if any(letter in shown for letter in "ymdhs") else ""


def bare(tag: str) -> str:
    """A name without its namespace, of which there are two for the same."""
    return tag.rpartition("}")[2]


def _number(said: str, kind: str, first_day: dt.datetime) -> str:
    number = float(said)
    if kind == "percent":
        return f"{number * 100:.12g}%"
    if kind == "date":
        try:
            moment = first_day + dt.timedelta(seconds=round(number * 86_400))
        except (OverflowError, ValueError):
            return said
        if number < 1:
            return f"{moment:%H:%M:%S}"
        return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(" ")
    return str(int(number)) if number.is_integer() and abs(number) < _WHOLE_BELOW else repr(number)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _quoted(text: str) -> str:
    flat = _LINE_END.sub(" ", text)
    return '"' + flat.replace('"', '""') + '"' if '"' in flat or "," in flat else flat
