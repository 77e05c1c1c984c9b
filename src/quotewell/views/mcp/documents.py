"""What the tools answer: the documents of the commands, each with where its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.summary import (
    ExposureTable,
    NetExposureTable,
    Summary,
    UnderlyingRow,
)
from quotewell.portfolio.what_if import WhatIfReport
from quotewell.views.quotes import Row
from quotewell.views.words import iso

__all__ = [
    "BookProvenance",
    "BookSummary",
    "Exposures",
    "PriceSource",
    "Quotes",
    "WhatIf",
    "provenance_of",
]


class PriceSource(msgspec.Struct, frozen=True, kw_only=True):
    """Prices from one source that are equally fresh."""

    source: str | None
    """The provider, the broker's file, or null for those that are missing."""
    freshness: str
    prices: int
    oldest_as_of: str | None
    """When the market said the oldest of them."""
    oldest_fetched_at: str | None
    symbols: Sequence[str]
    """The first ten."""


class BookProvenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the numbers about a book come from."""

    file: str
    broker: str
    positions_as_of: str | None
    valuation_at: str | None
    base_currency: str
    benchmark: str
    prices: Sequence[PriceSource]


class BookSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report."""

    provenance: BookProvenance
    summary: Summary


class Exposures(msgspec.Struct, frozen=True, kw_only=True):
    """What a book is exposed to."""

    provenance: BookProvenance
    by_leg: ExposureTable
    by_underlying_first: NetExposureTable
    underlyings: Sequence[UnderlyingRow]
    more_underlyings: int
    """How many smaller ones were left out."""


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """Profit or loss at moves of the market."""

    provenance: BookProvenance
    what_if: WhatIfReport


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """Prices; each row says where it comes from."""

    quotes: Sequence[Row]


_SHOWN = 10


def provenance_of(book: Portfolio) -> BookProvenance:
    """Where the prices of a book come from, by source and freshness."""
    symbols = sorted(symbol for symbol, facet in book.needs() if facet == "quote")
    found: dict[tuple[str | None, str], list[tuple[str, float | None, float | None]]] = {}
    for symbol, reading in book.source.quotes(symbols).items():
        record = reading.record if reading.usable else None
        key = (None if record is None else record.source, reading.freshness.name.lower())
        times = (None, None) if record is None else (record.as_of, record.fetched_at)
        found.setdefault(key, []).append((symbol, *times))
    return BookProvenance(
        file=book.file.path,
        broker=book.file.broker,
        positions_as_of=iso(book.as_of),
        valuation_at=iso(book.at),
        base_currency=book.basis.base_currency,
        benchmark=book.basis.benchmark,
        prices=[
            PriceSource(
                source=source,
                freshness=freshness,
                prices=len(prices),
                oldest_as_of=iso(min((as_of for _, as_of, _ in prices if as_of is not None), default=None)),
                oldest_fetched_at=iso(
                    min((fetched for _, _, fetched in prices if fetched is not None), default=None)
                ),
                symbols=[symbol for symbol, _, _ in prices[:_SHOWN]],
            )
            for (source, freshness), prices in sorted(found.items(), key=lambda one: -len(one[1]))
        ],
    )
