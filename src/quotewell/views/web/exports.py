"""What is shown, as a file to keep: the HTML report, the positions as CSV, the report as JSON."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import NamedTuple

import msgspec

from quotewell.views.content.overview import Overview
from quotewell.views.report.document import html_report
from quotewell.views.web.book_view import BookView

__all__ = ["Export", "exported"]


class Export(NamedTuple):
    """A file."""

    content: bytes
    name: str
    media_type: str


def exported(view: BookView, shown: Overview, form: str) -> Export:
    """What is shown in one of the forms `csv`, `json`, `html`.

    Args:
        view: The book.
        shown: What is shown of it.
        form: Which.
    """
    stem = re.sub(r"[^\w.-]+", "_", PurePath(view.file.path).stem)[:80] or "portfolio"
    if form == "csv":
        return Export(view.csv(shown).encode(), f"{stem}-valued.csv", "text/csv")
    if form == "json":
        return Export(msgspec.json.encode(shown.summary), f"{stem}.json", "application/json")
    return Export(html_report(shown).encode(), f"{stem}.html", "text/html")
