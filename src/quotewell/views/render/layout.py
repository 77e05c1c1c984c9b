"""Lines of text in columns: what fits stays, what does not goes column by column; nothing wraps by itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from quotewell.views.render.text import Text
from quotewell.views.words import printable

__all__ = [
    "EMPTY",
    "Column",
    "Line",
    "Overhang",
    "Row",
    "Table",
    "cell",
    "inset",
    "packed",
    "parted",
    "side_by_side",
    "wrapped",
]

Line: TypeAlias = Text
Row: TypeAlias = Sequence[Text] | Text
"""Cells of a table, or one text that runs across its columns."""

EMPTY = Text()
_SEPARATOR = " · "
_NO_BREAK = "\N{NO-BREAK SPACE}"


class Overhang(Text):
    """A cell that makes its column no wider: it may begin under the column before, if that is empty there."""


def cell(text: str, style: str = "") -> Text:
    """Text of any origin as a cell, without characters that would steer a terminal."""
    return Text(printable(text), style=style)


class Column(msgspec.Struct, frozen=True):
    """A column of a `Table`.

    Args:
        heading: In the first line; no column has one if that of all is empty.
        left: Whether cells stand at the left; numbers stand at the right.
        gap: Blanks before it.
        goes: In which turn the column is left out where there is no room: 1 is the first; 0 never.
    """

    heading: str = ""
    left: bool = False
    gap: int = 2
    goes: int = 0


class Table(msgspec.Struct):
    """Rows in columns, without lines or boxes; a column in which nothing stands takes no room."""

    columns: Sequence[Column]
    rows: Sequence[Row]

    @property
    def width(self) -> int:
        """Characters of its widest line."""
        return max([0, *(line.cell_len for line in self.lines())])

    def fitted(self, width: int) -> Table:
        """The table without the columns that have to go for it to be at most `width` wide."""
        table = self
        while table.width > width:
            going = [column.goes for column in table.columns if column.goes]
            if not going:
                break
            table = table.without(min(going))
        return table

    def without(self, turn: int) -> Table:
        """The table without the columns that go in this turn."""
        kept = [index for index, column in enumerate(self.columns) if column.goes != turn]
        return Table(
            [self.columns[index] for index in kept],
            [row if isinstance(row, Text) else [row[index] for index in kept] for row in self.rows],
        )

    def with_column(self, column: Column, cells: Sequence[Text]) -> Table:
        """The table with one more column at its right."""
        rows: list[Row] = [
            row if isinstance(row, Text) else [*row, one] for row, one in zip(self.rows, cells, strict=True)
        ]
        return Table([*self.columns, column], rows)

    def lines(self) -> list[Line]:
        """Its lines, headings first."""
        widths = self._widths()
        rows: list[Row] = list(self.rows)
        if any(column.heading for column in self.columns):
            rows.insert(0, [cell(column.heading, "bold") for column in self.columns])
        return [row if isinstance(row, Text) else self._line(row, widths) for row in rows]

    def _widths(self) -> list[int]:
        rows = [row for row in self.rows if not isinstance(row, Text)]
        return [
            max([cell(column.heading).cell_len, *(_counted(row, index, column.gap) for row in rows)])
            for index, column in enumerate(self.columns)
        ]

    def _line(self, row: Sequence[Text], widths: Sequence[int]) -> Line:
        line = Text()
        for index, (column, text, width) in enumerate(zip(self.columns, row, widths, strict=True)):
            if not width:
                continue
            line.append(" " * column.gap if index else "")
            blanks = width - text.cell_len
            if column.left:
                line.append_text(text)
            elif blanks < 0:
                line.right_crop(-blanks)
            line.append(" " * blanks)
            if not column.left:
                line.append_text(text)
        line.rstrip()
        return line


def _counted(row: Sequence[Text], index: int, gap: int) -> int:
    """How wide a cell makes its column."""
    width = row[index].cell_len
    if not isinstance(row[index], Overhang):
        return width
    is_beside_text = index > 0 and row[index - 1].cell_len > 0
    return max(width + 1 - gap, 0) if is_beside_text else 0


def side_by_side(left: Sequence[Line], right: Sequence[Line], gap: int) -> list[Line]:
    """Two blocks of lines beside each other."""
    width = max(line.cell_len for line in left)
    both = []
    for index in range(max(len(left), len(right))):
        line = left[index].copy() if index < len(left) else Text()
        if index < len(right):
            line.append(" " * (width + gap - line.cell_len))
            line.append_text(right[index])
        both.append(line)
    return both


def inset(lines: Sequence[Line], width: int) -> list[Line]:
    """Lines after a margin of one; should one be wider than `width` all the same, it is cut visibly."""
    framed = []
    for line in lines:
        framed.append(Text.assemble(" ", line) if line.plain else EMPTY)
        framed[-1].truncate(width + 1)
    return framed


def parted(left: Line, right: Line, width: int) -> list[Line]:
    """One line with a text at each end, or two lines where both do not fit."""
    blanks = width - left.cell_len - right.cell_len
    if blanks < 2:
        return [left, right]
    return [Text.assemble(left, " " * blanks, right)]


def packed(items: Iterable[Text], width: int, head: str = "") -> list[Line]:
    """Items one after the other, on as many lines of `width` as it takes.

    Args:
        items: None is broken; one that is wider than a line is cut.
        width: Of the lines.
        head: Stands before the first line; the others are indented by as much.
    """
    room = width - len(head)
    lines: list[Line] = []
    for item in items:
        if lines and lines[-1].cell_len + len(_SEPARATOR) + item.cell_len <= width:
            lines[-1].append(_SEPARATOR, style="dim")
            lines[-1].append_text(item)
            continue
        short = item.copy()
        short.truncate(room)
        lines.append(Text.assemble(" " * len(head) if lines else (head, "bold"), short))
    return lines


def wrapped(text: str, width: int, style: str = "", indent: str = "") -> list[Line]:
    """A sentence on as many lines of `width` as it takes, those after the first indented."""
    tied = printable(text).replace(" %", f"{_NO_BREAK}%")
    lines = textwrap.wrap(tied, width, subsequent_indent=indent, break_on_hyphens=False)
    return [Text(line.replace(_NO_BREAK, " "), style=style) for line in lines]
