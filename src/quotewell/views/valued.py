"""Rows of a valued book as they are asked for: `positions --json`, and the API's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.report import instant
from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio

__all__ = ["Positions", "positions_document"]


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one book; `docs/json.md` documents every key."""

    schema: int = 1
    file: str
    broker: str
    as_of: dt.datetime | None
    valuation_at: dt.datetime | None
    base_currency: str
    benchmark: str
    positions: Sequence[ValuedRow]
    groups: Sequence[Group] | None
    rejected: Sequence[RejectedRow]
    requests: int


def positions_document(
    book: Portfolio,
    rows: Sequence[ValuedRow],
    groups: Sequence[Group] | None,
    valued_at: float | None,
    requests: int,
) -> Positions:
    """The document.

    Args:
        book: Whose rows they are.
        rows: Those that are asked for.
        groups: The same by underlying, if that is asked for.
        valued_at: The valuation instant, epoch seconds.
        requests: That it has cost.
    """
    return Positions(
        file=book.file.path,
        broker=book.file.broker,
        as_of=instant(book.as_of),
        valuation_at=instant(valued_at),
        base_currency=book.basis.base_currency,
        benchmark=book.basis.benchmark,
        positions=rows,
        groups=groups,
        rejected=book.rejected,
        requests=requests,
    )
