"""Texts as HTML: whatever a file says is shown as it stands there, and none of it is markup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from quotewell.views.words import MINUS, printable

__all__ = ["Markup", "Table", "element", "json_script", "text"]


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


class Table(msgspec.Struct, frozen=True):
    """A table: the columns in `left` are texts, the others numbers, which stand at the right.

    Args:
        caption: Above it; empty for none.
        headings: One a column.
        rows: Texts by column; a row whose first cell is in `strong` is set apart.
        left: Columns of texts.
        strong: First cells of rows that are sums.
        label: What it is called where it has no caption.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    left: frozenset[int] = frozenset((0,))
    strong: frozenset[str] = frozenset()
    label: str = ""

    def html(self) -> Markup:
        """The element, in a box that scrolls where it is too wide, by keyboard as well."""
        head = "".join(
            f'<th scope="col"{self._kind(place)}>{text(heading)}</th>'
            for place, heading in enumerate(self.headings)
        )
        body = "\n".join(self._row(row) for row in self.rows)
        caption = f"<caption>{text(self.caption)}</caption>" if self.caption else ""
        named = escape(self.caption or self.label)
        return Markup(
            f'<div class="scroll" role="region" tabindex="0" aria-label="{named}">'
            f"<table>{caption}<thead><tr>{head}</tr></thead>"
            f"<tbody>\n{body}\n</tbody></table></div>"
        )

    def _row(self, row: Sequence[str | Markup]) -> str:
        cells = []
        for place, cell in enumerate(row):
            tone = " loss" if cell.startswith(MINUS) and place not in self.left else ""
            kind = self._kind(place, tone)
            shown = cell if isinstance(cell, Markup) else text(cell)
            cells.append(f'<th scope="row"{kind}>{shown}</th>' if not place else f"<td{kind}>{shown}</td>")
        strong = ' class="strong"' if row and str(row[0]) in self.strong else ""
        return f"<tr{strong}>{''.join(cells)}</tr>"

    def _kind(self, place: int, tone: str = "") -> str:
        return "" if place in self.left else f' class="n{tone}"'


def text(said: str) -> Markup:
    """Any text, escaped."""
    return Markup(escape(printable(said)))


def element(name: str, *inside: str | Markup, **attributes: str) -> Markup:
    """One element; an underscore at the end of an attribute's name is left out, others are hyphens."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    body = "".join(part if isinstance(part, Markup) else text(part) for part in inside)
    return Markup(f"<{name}{named}>{body}</{name}>")


def json_script(name: str, value: Any) -> Markup:
    """Data in a page, which no text in it can leave."""
    encoded = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    safe = encoded.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(f'<script type="application/json" id="{name}">{safe}</script>')
