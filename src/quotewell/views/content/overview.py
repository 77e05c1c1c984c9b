"""All that is shown of a book, from one valuation, so that no two figures are of different moments."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotewell.portfolio.day_change import DayChange, day_change, day_changes
from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.past_values import PastValues, read_past_values
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.row import ValuedRow, row_of
from quotewell.portfolio.summary import Summary, WhatIfPoint
from quotewell.portfolio.what_if import what_if
from quotewell.views.charts import CURVE_MOVES
from quotewell.views.content.provenance import Source, sources

__all__ = ["Overview", "overview"]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """One valuation of a book."""

    summary: Summary
    day: DayChange
    rows: tuple[ValuedRow, ...]
    day_changes: tuple[float | None, ...]
    """Of each row, base currency."""
    rejected: tuple[RejectedRow, ...]
    curve: tuple[WhatIfPoint, ...]
    sources: tuple[Source, ...]
    past: PastValues | None
    """Of today's shares, where closes are kept of enough of the book."""


def overview(
    book: Portfolio, *, moves: Sequence[float] = CURVE_MOVES, requests: int | None = None
) -> Overview:
    """Value a book once, and derive everything from it.

    Args:
        book: With its data at hand: what is missing is fetched here.
        moves: Market moves of the curve, fractions.
        requests: Requests that it has cost, where that is more than the book itself has sent.
    """
    columns = book.value()
    summary = book.summary(columns=columns, requests=requests)
    changes = day_changes(columns).tolist()
    return Overview(
        summary=summary,
        day=day_change(columns),
        rows=tuple(row_of(columns, row) for row in range(len(columns.entries))),
        day_changes=tuple(None if change != change else change for change in changes),  # noqa: PLR0124  NaN
        rejected=tuple(book.rejected),
        curve=what_if(columns, moves, summary.value.total),
        sources=sources(columns.snapshot),
        past=read_past_values(columns, book.tickers),
    )
